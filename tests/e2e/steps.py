"""What the end-to-end tests have in common."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from django.utils import timezone

from campaigns.models import Campaign, Run
from campaigns.services import schedule
from tests.factories import make_campaign, make_list, make_recipients
from tests.live import Live, wait_until

Installation = Callable[..., AbstractContextManager[Live]]


def send_now(recipients: int) -> tuple[Campaign, list[str]]:
    """Schedule a campaign to so many recipients for this moment; return it with their addresses."""
    readers = make_list()
    addresses = [one.address for one in make_recipients(recipients, mailing_list=readers)]
    now = timezone.now()
    return schedule(make_campaign(lists=[readers]), now=now, at=now), addresses


def wait_for_end(campaign: Campaign) -> Run:
    ended = Run.objects.filter(campaign=campaign.pk, finished_at__isnull=False)
    wait_until(ended.exists, "the run has ended")
    return ended.get()

"""What the end-to-end tests have in common."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from django.utils import timezone

from campaigns.models import Campaign, Gate, Page, Run
from campaigns.services import schedule
from tests.factories import make_campaign, make_list, make_recipients
from tests.live import Live, wait_until
from tracking.models import Delivery, Lease, RunCounters

Installation = Callable[..., AbstractContextManager[Live]]


def send_now(recipients: int) -> tuple[Campaign, list[str]]:
    """Schedule a campaign to so many recipients for this moment; return it with their addresses."""
    readers = make_list()
    addresses = [one.address for one in make_recipients(recipients, mailing_list=readers)]
    now = timezone.now()
    return schedule(make_campaign(lists=[readers]), now=now, at=now), addresses


def wait_for_end(campaign: Campaign) -> Run:
    ended = Run.objects.filter(campaign=campaign.pk, finished_at__isnull=False)
    try:
        wait_until(ended.exists, "the run has ended")
    except AssertionError:
        print(*Run.objects.values(), *RunCounters.objects.values(), sep="\n")
        print(*Page.objects.exclude(state="closed").values(), *Gate.objects.values(), sep="\n")
        print(*Delivery.objects.open().values()[:5], *Lease.objects.values(), sep="\n")
        raise
    return ended.get()

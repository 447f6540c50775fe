"""A campaign that live workers look at before it is sent."""

import pytest
from django.utils import timezone

from campaigns import services, tasks
from campaigns.models import Campaign, PreflightStatus
from campaigns.preflight import dry_run, jobs, verdict
from campaigns.preflight.verdict import Verdict
from recipients.models import Field, Recipient
from templates_app.models import EmailTemplate
from tests.e2e.steps import Installation
from tests.factories import make_campaign, make_list, make_recipients, make_template
from tests.live import wait_until

READERS, WITHOUT = 1_200, 12
HTML = "<p>{{ city }}</p><a href='{{ unsubscribe_url }}'>Leave</a>"


def look(campaign: Campaign) -> Verdict:
    """Have the worker look at a campaign, slice by slice; return what is found."""
    preflight = jobs.start(campaign, by="ada", now=timezone.now(), size=READERS // 6)
    tasks.wake_preflight(preflight.pk)
    done = campaign.preflights.filter(pk=preflight.pk, status=PreflightStatus.DONE)
    wait_until(done.exists, "the worker has made all steps")
    return verdict.judge(campaign, jobs.version_of(campaign), now=timezone.now())


def test_what_workers_count_blocks_a_campaign_until_it_is_mended(
    installation: Installation,
) -> None:
    readers = make_list()
    Field.objects.create(name="city")
    make_recipients(READERS, mailing_list=readers)
    Recipient.objects.update(fields={"city": "Suva"})
    lacking = Recipient.objects.order_by("?").values("pk")[:WITHOUT]
    Recipient.objects.filter(pk__in=list(lacking.values_list("pk", flat=True))).update(fields={})
    campaign = make_campaign(lists=[readers], template=make_template(html=HTML))

    with installation() as live:
        live.worker(queues="imports")
        broken = look(campaign)
        with pytest.raises(services.Refused, match="12 of 1,200 recipients would get no message"):
            services.schedule(campaign, now=timezone.now(), at=timezone.now())
        EmailTemplate.objects.update(source=HTML.replace("city", "city | default('here')"))
        campaign.refresh_from_db()
        stale = verdict.judge(campaign, jobs.version_of(campaign), now=timezone.now())
        clean = look(campaign)

    assert [each.name for each in broken.errors] == ["merge-field"]
    assert stale.preflight is None
    assert clean.may_be_scheduled
    assert clean.preflight is not None
    assert dry_run.tally_of(clean.preflight).recipients == READERS
    assert services.schedule(campaign, now=timezone.now(), at=timezone.now()).version is not None

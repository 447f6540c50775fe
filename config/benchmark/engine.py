"""A campaign as its user sends it: scheduled, ticked by Beat, sent by the workers."""

import time
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from campaigns.models import Campaign, Run, RunStatus
from campaigns.services import create_campaign, get_sender, schedule
from config.benchmark.installation import POLL_SECONDS, Installation
from config.benchmark.measured import Measured, Meter
from config.processes import WORKERS
from config.rig.message import SENDER
from config.rig.place import BenchmarkError
from recipients.models import MailingList
from templates_app.models import EmailTemplate
from tracking.models import RunCounters

DUE_IN = timedelta(seconds=2)
STANDS_STILL_SECONDS = 120

Content = tuple[EmailTemplate, MailingList]


def draft(content: Content) -> Campaign:
    """Make a campaign of this content."""
    template, mailing_list = content
    name = f"Benchmark {Campaign.objects.count() + 1}"
    sender = get_sender(SENDER)
    return create_campaign(name, sender=sender, template=template, lists=[mailing_list])


def send(installation: Installation, content: Content, *, workers: int) -> Measured:
    """Send a campaign in two seconds by the processes that run, and return what that took.

    :raises BenchmarkError: a process has ended, or nothing moves any more
    """
    pids = {name: [installation.processes[name].pid] for name in (*WORKERS, "beat")}
    meter = Meter(installation, installation.kinds(**pids), pids["campaigns"])
    meter.begin()
    now = timezone.now()
    campaign = schedule(draft(content), now=now, at=now + DUE_IN)
    run = _wait_for_end(installation, campaign, look=meter.look)
    meter.end()
    return meter.measured(run, way="engine", workers=workers, is_scheduled=True)


def _wait_for_end(
    installation: Installation, campaign: Campaign, *, look: Callable[[], None]
) -> Run:
    moved, deadline = "", 0.0
    while True:
        run = Run.objects.filter(campaign=campaign).first()
        if run and run.status == RunStatus.COMPLETED:
            return run
        now = str(RunCounters.objects.filter(run=run).first())
        if now != moved:
            moved, deadline = now, time.monotonic() + STANDS_STILL_SECONDS
        if time.monotonic() > deadline:
            raise BenchmarkError(
                f"nothing moves any more: {now}\n{installation.log_of('campaigns', 'maintenance')}"
            )
        installation.check_processes()
        look()
        time.sleep(POLL_SECONDS)

"""Receivers turn against a run, with live workers: it is paused, and loses nobody."""

import threading

from campaigns.models import Run
from campaigns.tasks import guard_runs
from recipients.models import Suppression
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP, hold, refuse
from tracking.models import Delivery, DeliveryEvent, RunCounters
from tracking.tasks import follow_feedback
from tracking.verify import disagreements

BLOCKED = "550 5.7.1 Message blocked: your domain has a bad reputation"
NOBODY = "550 5.1.1 No such user"


def follows_all() -> bool:
    """Follow failures as Beat has it done, until the worker that may be at it has none left."""
    follow_feedback()
    return not DeliveryEvent.objects.to_follow().exists()


def test_a_run_that_receivers_refuse_is_paused_with_the_reason_and_goes_on_when_a_person_says_go(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    gate = threading.Event()
    smtp.script(hold("dot", gate), recipient="r0230@example.org")
    replies = dict.fromkeys(range(1, 211, 3), BLOCKED) | {299: NOBODY, 300: NOBODY}
    for number, reply in replies.items():
        smtp.script(refuse(reply), recipient=f"r{number:04}@example.org")
    with installation() as live:
        campaign, addresses = send_now(300)
        live.worker(with_beat=True)

        wait_until(lambda: RunCounters.objects.filter(failed=70).exists(), "70 are refused")
        guard_runs()
        refused = Run.objects.get().held_reason
        gate.set()
        wait_until(lambda: not Delivery.objects.sending().exists(), "nothing is in flight")
        left = RunCounters.objects.get().queued
        live.manage("resume_campaign", str(campaign.pk))
        wait_for_end(campaign)
        wait_until(follows_all, "failures are followed")

    assert "within 15 minutes were refused by example.org" in refused
    assert left > 0
    assert list(Suppression.objects.order_by("key").values_list("key", flat=True)) == [
        "r0299@example.org",
        "r0300@example.org",
    ]
    assert len(smtp.messages) == len(addresses) - len(replies)
    assert disagreements(Run.objects.all().ids(), kept_since=None) == []

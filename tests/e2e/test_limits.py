"""Limits and a shut gate, with live workers: the run waits, says why, and goes on by itself."""

from collections import Counter
from datetime import datetime

from django.utils import timezone

from campaigns.models import Run, Transport
from campaigns.reports import report
from campaigns.services import set_limits, set_transport_url
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.factories import set_routes
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP
from tracking.models import Delivery
from tracking.verify import disagreements


def attempted_at() -> list[datetime]:
    times = Delivery.objects.values_list("attempted_at", flat=True)
    return [at for at in times if at]


def test_a_wrong_password_makes_the_run_wait_and_the_right_one_go_on_within_a_limit(
    installation: Installation,
) -> None:
    users = {"anna": "changed"}
    with (
        ScriptedSMTP(users=users) as smtp,
        installation(TRANSPORT_WAIT_SECONDS="1", SWEEP_SECONDS="1") as live,
    ):
        now = timezone.now()
        campaign, addresses = send_now(30)
        transport = Transport(name="Main")
        set_transport_url(transport, url=f"smtp://anna:secret@127.0.0.1:{smtp.port}", now=now)
        set_limits(transport, per_second=10, now=now)
        set_routes(campaign.sender, weights={transport: 1})
        live.worker()
        live.worker(with_beat=True)

        sentence = wait_until(
            lambda: report(campaign, now=timezone.now()).waiting, "the run says why it waits"
        )
        users["anna"] = "secret"
        wait_for_end(campaign)

    assert sentence.startswith(
        "Waiting: transport Main refused the user name or password (535 5.7.8 "
    )
    assert Counter(message.recipient for message in smtp.messages) == Counter(addresses)
    # What was granted at the end of a second may be claimed in the next one.
    seconds = Counter(at.replace(microsecond=0) for at in attempted_at())
    assert max(seconds.values()) <= 20
    assert disagreements(Run.objects.all().ids(), kept_since=None) == []

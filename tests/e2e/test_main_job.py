"""The main job, from a CSV file to a ledger that adds up, with everything real but the next hop."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.utils import timezone
from django_celery_results.models import TaskResult

from campaigns.models import Campaign
from tests.e2e.steps import Installation, wait_for_end
from tests.live import Live
from tests.smtp_server import ScriptedSMTP, defer, drop, refuse
from tracking.models import Delivery

HTML = "<h1>Hello {{ first_name }}</h1><p><a href='{{ unsubscribe_url }}'>Unsubscribe</a></p>"


def import_list(live: Live, folder: Path, count: int) -> list[str]:
    addresses = [f"r{number:04}@example.org" for number in range(count)]
    lines = ["email,first_name", *(f"{address},Name{address[:5]}" for address in addresses)]
    (folder / "recipients.csv").write_text("\n".join(lines))
    (folder / "news.html").write_text(HTML)
    live.manage_all(
        ("import_recipients", str(folder / "recipients.csv"), "--list", "Readers"),
        ("create_template", "News", "--subject", "News for {{ first_name }}",
         "--html", str(folder / "news.html")),
    )  # fmt: skip
    return addresses


def create_campaign(live: Live, *when: str) -> str:
    return live.manage(
        "create_campaign", "Spring", "--template", "News", "--list", "Readers",
        "--sender", "News <news@example.org>", *when,
    ).stdout.strip()  # fmt: skip


def test_a_scheduled_campaign_reaches_everybody_or_says_why_not(
    installation: Installation, smtp: ScriptedSMTP, tmp_path: Path
) -> None:
    # Those that are refused lie apart: were they among the first, the run would be paused.
    deferred, cut, refused = range(50), range(70, 73), range(100, 1_000, 45)
    with installation(RETRY_SCHEDULE="1", SWEEP_SECONDS="1") as live:
        addresses = import_list(live, tmp_path, 1_000)
        for number in deferred:
            smtp.script(defer("451 4.7.1 Greylisted"), recipient=addresses[number])
        for number in refused:
            smtp.script(refuse("550 5.1.1 No such user"), recipient=addresses[number], times=None)
        for number in cut:
            smtp.script(drop("dot"), recipient=addresses[number], times=None)
        live.worker()
        live.worker()
        live.beat()
        live.wait_until_ready()

        due = timezone.now() + timedelta(seconds=5)
        campaign = create_campaign(live, "--at", due.isoformat())
        run = wait_for_end(Campaign.objects.get(pk=campaign))

        status = live.status(campaign)
        verified = live.manage("verify_ledger", campaign)
    assert run.started_at is not None
    assert run.started_at >= due
    first = min(message.time for message in smtp.messages)
    assert datetime.fromtimestamp(first, UTC) >= due
    assert status["status"] == "finished"
    assert status["run_status"] == "completed"
    assert {state: count for state, count in status["counts"].items() if count} == {
        "sent": 977,
        "failed": 20,
        "unconfirmed": 3,
    }
    retried = Delivery.objects.filter(state="sent", attempts=2)
    assert {delivery.address for delivery in retried} == {addresses[n] for n in deferred}
    failed = Delivery.objects.filter(state="failed", enhanced_status_code="5.1.1", reply_code=550)
    assert {delivery.address for delivery in failed} == {addresses[n] for n in refused}
    messages = Counter(message.recipient for message in smtp.messages)
    assert messages == Counter(set(addresses) - {addresses[n] for n in refused})
    assert not smtp.violations
    results = TaskResult.objects.filter(task_name="campaigns.deliver")
    assert Counter(json.loads(result.result)["state"] for result in results) == Counter(
        sent=977, failed=20, unconfirmed=3
    )
    assert Counter(results.values_list("status", flat=True)) == Counter(SUCCESS=977, FAILURE=23)
    assert verified.stdout == "counters = ledger = TaskResult (runs: 1)\n"

"""What Prometheus is told, by however many processes, and what is made of it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings as installed
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django.fixtures import Settings

from campaigns.models import Gate
from campaigns.sending import meter
from campaigns.sending.deliver import deliver
from campaigns.sending.meter import Meter
from campaigns.sending.outcomes import Accepted
from campaigns.tasks import sweep
from config.metrics import shared
from recipients.models import Import, ImportStatus
from tests.campaigns.sending.test_deliver import ids, named
from tests.campaigns.webhooks.steps import make_call, make_endpoint, note
from tests.config.test_health import NOBODY
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tests.live import _servers, wait_until
from tests.smtp_server import ScriptedSMTP
from tracking.hits import stream
from tracking.hits import writer as _of_web  # noqa: F401  (what web counts by itself)
from tracking.models import Call, Endpoint, Happened, WebhookEvent

DOCKER = Path(__file__).resolve().parents[2] / "docker"
TOKEN = "0123456789abcdef0123456789abcdef"
Scrape = dict[tuple[str, str], float]


def read(text: str) -> Scrape:
    """Return each sample by its name and its labels' values."""
    return {
        (sample.name, " ".join(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def scrape(client: Client) -> Callable[[], Scrape]:
    def ask() -> Scrape:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        return read(answer.content.decode())

    return ask


@pytest.mark.django_db
def test_what_is_sent_waits_or_is_shut_is_said_by_its_state(
    broker: redis.Redis, smtp: ScriptedSMTP, settings: Settings, scrape: Callable[[], Scrape]
) -> None:
    settings.EMAIL_URL = smtp.url
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]))
    deliver(run.pk, ids()[:2], clock=timezone.now)
    relay = named("Relay", smtp.url)
    Gate.objects.create(
        transport=relay, cause="connection", shut_until=timezone.now() + timedelta(minutes=5)
    )
    broker.xadd(stream.KEY, {b"b": b""}, id="1000-0")
    sweep.apply_async()

    told = scrape()

    assert told["godwit_deliveries", "sent"] == 2
    assert told["godwit_deliveries", "queued"] == 1
    assert told["godwit_messages_total", "accepted EMAIL_URL"] == 2
    assert told["godwit_chunk_seconds_count", ""] == 1
    assert told["godwit_breaker", "Relay"] == 2
    assert told["godwit_breaker", "EMAIL_URL"] == 0
    assert told["godwit_queue_messages", "maintenance"] == 1
    assert 0 < told["godwit_queue_age_seconds", "maintenance"] < 600
    assert told["godwit_queue_age_seconds", "imports"] == 0
    assert told["godwit_hits_waiting", ""] == 1
    assert told["godwit_hits_age_seconds", ""] > 1_000_000
    assert {told["godwit_server_up", one] for one in ("postgresql", "redis", "broker")} == {1}


@pytest.mark.django_db
def test_how_long_something_waits_is_told_by_its_kind(scrape: Callable[[], Scrape]) -> None:
    before = timezone.now() - timedelta(minutes=10)
    WebhookEvent.objects.create(provider="brevo", key=b"1", payload={}, received_at=before)
    moving = {"file_name": "a.csv", "sha256": "", "size": 0, "status": ImportStatus.IMPORTING}
    Import.objects.create(**moving, moved_at=before)

    told = scrape()

    ages = {kind: told["godwit_backlog_age_seconds", kind] for kind in ("webhooks", "imports")}
    assert 600 <= ages["webhooks"] < 900
    assert 600 <= ages["imports"] < 900
    assert told["godwit_backlog_age_seconds", "inbound"] == 0


@pytest.mark.django_db
def test_what_programs_elsewhere_are_to_be_told_and_were_not_is_told(
    scrape: Callable[[], Scrape],
) -> None:
    before = timezone.now() - timedelta(minutes=10)
    endpoint, off = make_endpoint(), make_endpoint(name="Off")
    make_call(endpoint, at=before)
    make_call(endpoint, at=timezone.now())
    taken = make_call(endpoint, at=before - timedelta(hours=1))
    Call.objects.filter(pk=taken.pk).update(state="done")
    make_call(off, at=before - timedelta(hours=1))
    Endpoint.objects.filter(pk=off.pk).update(is_active=False)
    note(Happened.SENT, 1, 2)

    told = scrape()

    assert told["godwit_backlog", "calls"] == 2
    assert 600 <= told["godwit_backlog_age_seconds", "calls"] < 900
    assert told["godwit_backlog", "happened"] == 1
    assert told["godwit_backlog_age_seconds", "happened"] < 600


@pytest.mark.django_db
def test_no_large_table_is_read(client: Client) -> None:
    with CaptureQueriesContext(connection) as asked:
        client.get("/metrics")

    assert len(asked) < 20
    assert not [each for each in asked.captured_queries if '"tracking_delivery"' in each["sql"]]


@pytest.mark.django_db
def test_a_server_that_does_not_answer_is_said_and_the_rest_with_it(
    settings: Settings, scrape: Callable[[], Scrape]
) -> None:
    settings.REDIS_URL = settings.BROKER_URL = settings.CELERY_BROKER_URL = NOBODY

    told = scrape()

    assert [told["godwit_server_up", one] for one in ("postgresql", "redis", "broker")] == [1, 0, 0]
    assert ("godwit_deliveries", "sent") in told


@pytest.mark.django_db(transaction=True)
def test_two_workers_count_each_message_and_each_chunk_once(
    installation: Installation, scrape: Callable[[], Scrape]
) -> None:
    with installation() as live:
        live.worker(with_beat=True)
        live.worker()
        live.wait_until_ready()
        campaign, _ = send_now(40)
        wait_for_end(campaign)

    told = scrape()

    assert told["godwit_messages_total", "accepted EMAIL_URL"] == 40
    assert told["godwit_chunk_seconds_bucket", "+Inf"] == told["godwit_chunk_seconds_count", ""]
    assert told["godwit_chunk_seconds_count", ""] > 1
    assert told["godwit_beat_last_tick_timestamp_seconds", ""] > 0


def test_what_redis_was_not_told_it_is_told_later(
    broker: redis.Redis, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    counts = Meter(clock=lambda: now)
    counts.messages("Relay", [Accepted(reply_code=250, diagnostic="")])
    away = settings.REDIS_URL
    settings.REDIS_URL = NOBODY
    stream.connect.cache_clear()
    counts.chunk(0.2)
    settings.REDIS_URL = away
    stream.connect.cache_clear()
    counts.chunk(0.2)
    assert broker.hgetall(meter.KEY) == {}

    now = meter.PAUSE_SECONDS
    counts.chunk(30)

    assert "counted later" in caplog.text
    assert broker.hgetall(meter.KEY) == {
        b"messages\tRelay\taccepted": b"1",
        b"seconds <\t0.25": b"2",
        b"seconds <\t60.0": b"1",
        b"microseconds": b"30400000",
    }


def get(port: int, path: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return str(answer.read().decode())


def answers(port: int) -> bool:
    try:
        return get(port, "/healthz") == "ok\n"
    except OSError:
        return False


@pytest.mark.django_db(transaction=True)
def test_whichever_web_process_is_asked_it_tells_what_all_have_answered(
    broker: redis.Redis, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--interface", "wsgi", "--port", str(port), "--workers", "2", "--log-level", "error"]
    environ = {**os.environ, **_servers(), "TMPDIR": str(tmp_path)}
    server = subprocess.Popen(
        [sys.executable, "-m", "granian", *options, "config.wsgi:application"],
        env=environ, cwd=installed.BASE_DIR, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until(lambda: answers(port), "it answers")
        counted = ("django_http_requests_total_by_view_transport_method_total", "GET http readyz")
        for _ in range(30):
            get(port, "/readyz")
        told = [read(get(port, "/metrics"))[counted] for _ in range(8)]
        files = {path.name for path in tmp_path.rglob("histogram_*.db")}
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)

    assert told == [30] * 8
    assert len(files) == 2


def test_the_counts_of_servers_that_have_ended_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    old, ours = shared.directory(ended.pid), shared.directory(os.getpid())

    assert not old.exists()
    assert ours.exists()
    assert ours.parent.stat().st_mode & 0o777 == 0o700


def test_what_a_process_held_that_has_ended_counts_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(shared.VARIABLE, str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    files = [tmp_path / f"{kind}_{pid}.db" for kind, pid in (
        ("gauge_livesum", ended.pid), ("gauge_livesum", os.getpid()), ("counter", ended.pid),
    )]  # fmt: skip
    for file in files:
        file.touch()

    shared.forget_the_dead()

    assert [file.exists() for file in files] == [False, True, True]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "192.0.2.1"}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=192.0.2.1"}, 403),
        ({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, 403),
        ({"REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}, 200),
        ({"REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": f"Bearer {TOKEN}x"}, 403),
        ({"REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": f"Basic {TOKEN}"}, 403),
        ({"REMOTE_ADDR": "192.0.2.1", "HTTP_AUTHORIZATION": "Bearer "}, 403),
    ],
)
def test_only_who_is_near_or_has_the_token_may_read(
    client: Client, settings: Settings, headers: dict[str, str], status: int
) -> None:
    settings.METRICS_TOKEN = TOKEN

    answer = client.get("/metrics", **headers)  # type: ignore[arg-type]

    assert answer.status_code == status
    assert (b"godwit_" in answer.content) == (status == 200)


@pytest.mark.django_db
def test_behind_a_proxy_it_is_the_clients_address_that_counts(
    client: Client, settings: Settings
) -> None:
    settings.BEHIND_PROXY = True

    far = client.get("/metrics", HTTP_X_FORWARDED_FOR="127.0.0.1, 192.0.2.1")

    assert far.status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("file", ["prometheus/rules.yml", "grafana/godwit.json"])
def test_rules_and_dashboard_ask_for_what_there_is(
    file: str, broker: redis.Redis, scrape: Callable[[], Scrape]
) -> None:
    text = (DOCKER / file).read_text()
    Meter().chunk(1)
    scrape()  # of pages there is something to be said from the second one on
    known = {name for name, _ in scrape()} | {"godwit_messages_total"}

    named_there = set(re.findall(r"\b(?:godwit|django)_\w+", text))

    assert named_there
    assert named_there - known == set()
    if file.endswith("json"):
        assert [panel["id"] for panel in json.loads(text)["panels"]] == list(range(1, 17))


@pytest.mark.django_db
def test_the_list_of_metrics_is_complete(broker: redis.Redis, scrape: Callable[[], Scrape]) -> None:
    text = (DOCKER.parent / "docs" / "operations.md").read_text()
    Meter().chunk(1)

    told = {name for name, _ in scrape() if name.startswith("godwit_")}

    ours = {re.sub(r"_(bucket|count|sum)$", "", name) for name in told}
    rows = re.findall(r"^\| (`godwit_.*?) \|", text, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(godwit_\w+)", row)}
    moments = {name for name in ours if name.endswith("_created")}  # of which nobody asks
    assert named == ours - moments | {"godwit_messages_total"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_each_alert_is_raised_by_what_it_is_for_and_by_nothing_else() -> None:
    rules = (DOCKER / "prometheus" / "rules.yml").read_text()
    tests = (DOCKER / "prometheus" / "rules_test.yml").read_text()

    done = subprocess.run(
        ["promtool", "test", "rules", "rules_test.yml"],
        cwd=DOCKER / "prometheus", capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    alerts = re.findall(r"alert: (\w+)", rules)
    assert re.findall(r"alertname: (\w+)", tests) == [one for one in alerts for _ in range(2)]

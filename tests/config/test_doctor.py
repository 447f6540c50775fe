"""What `manage.py doctor` and the page say of what is wrong: each thing is really brought about."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
import redis
from django.core.management import call_command
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django.fixtures import Settings

from campaigns.models import Gate, SenderCheck
from campaigns.preflight.findings import Finding, Severity
from campaigns.sending.deliver import deliver
from config.health import sending, servers
from config.health.facts import State
from recipients.translatable import Translatable
from tests.campaigns.preflight.test_watching import schedule
from tests.campaigns.sending.test_deliver import ids, named
from tests.config.test_health import NOBODY, listening
from tests.config.test_readiness import lead_to
from tests.console import superuser, text
from tests.e2e.steps import Installation
from tests.factories import (
    make_campaign,
    make_list,
    make_recipients,
    make_run,
    make_sender,
    set_routes,
)
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def doctor(*options: str) -> tuple[int, str]:
    """Return the exit code and what is said."""
    said = StringIO()
    try:
        call_command("doctor", "--patience", "0.1", *options, stdout=said)
    except SystemExit as end:
        return int(str(end.code)), said.getvalue()
    return 0, said.getvalue()


def told(name: str) -> dict[str, str]:
    """Return what is found out about one thing."""
    found: dict[str, dict[str, str]] = {
        each["name"]: each for each in json.loads(doctor("--json")[1])
    }
    return found[name]


@pytest.fixture
def small_redis(broker: redis.Redis) -> Iterator[redis.Redis]:
    """A broker that may have little more than it has."""
    before: dict[str, str] = broker.config_get("maxmemory*")  # type: ignore[assignment]
    broker.config_set("maxmemory", broker.info("memory")["used_memory"] + 2_000_000)
    yield broker
    broker.config_set("maxmemory", before["maxmemory"])
    broker.config_set("maxmemory-policy", before["maxmemory-policy"])


@pytest.mark.django_db
def test_each_thing_that_is_wrong_is_said_with_what_to_do_and_ends_with_an_error(
    broker: redis.Redis,
) -> None:
    PeriodicTask.objects.filter(name="tick").delete()

    code, said = doctor()

    assert code == 1
    assert "does not work: Beat: It has never ticked.\n" in said
    assert "               Start it: celery -A config beat." in said
    assert "               Start a worker for it: celery -A config worker -Q imports." in said
    assert "Database" not in said
    assert "works:         Database: PostgreSQL" in doctor("--all")[1]


@pytest.mark.django_db(transaction=True)
def test_where_everything_runs_nothing_is_wrong(
    installation: Installation, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    ticks = PeriodicTask.objects.filter(name="tick", last_run_at__isnull=False)
    with installation(INSTANCE_ID=settings.INSTANCE_ID) as live:
        live.worker(with_beat=True)
        live.wait_until_ready()
        wait_until(ticks.exists, "Beat has ticked")
        code, well = doctor("--patience", "3")
        strict = doctor("--patience", "3", "--strict")
        live.stop()
        code_when_ill, ill = doctor()

    assert (
        "look at it:    Address of the site: Links in messages lead to http://localhost:8000"
        in well
    )
    assert "does not work" not in well, well
    assert code == 0
    assert strict == (1, well)
    assert code_when_ill == 1
    assert "imports: 0 messages wait; served by nobody." in ill


@pytest.mark.django_db
def test_without_the_database_the_doctor_says_so_and_what_else_it_sees(
    monkeypatch: pytest.MonkeyPatch, broker: redis.Redis
) -> None:
    lead_to(1, monkeypatch)

    code, said = doctor()

    assert code == 1
    assert "does not work: Database: " in said
    assert "Start PostgreSQL, or look at DATABASE_URL." in said
    assert "imports: 0 messages wait; served by nobody." in said
    assert "Beat" not in said


@pytest.mark.django_db
def test_a_redis_that_throws_away_is_named(small_redis: redis.Redis) -> None:
    small_redis.config_set("maxmemory-policy", "allkeys-lru")
    small_redis.config_resetstat()
    assert told("redis_memory")["state"] == State.ATTENTION

    for number in range(400):
        small_redis.set(f"filler:{number}", "x" * 10_000)

    assert told("redis_memory")["state"] == State.BAD
    assert "thrown away (allkeys-lru), so far" in told("redis_memory")["text"]
    assert "noeviction" in told("redis_memory")["remedy"]


def test_a_redis_that_is_nearly_full_is_named(small_redis: redis.Redis) -> None:
    small_redis.config_set("maxmemory", int(small_redis.info("memory")["used_memory"] * 1.05))

    [fact] = servers.redis_memory()

    assert fact.state == State.ATTENTION
    assert "Raise maxmemory" in fact.remedy


@pytest.mark.django_db
def test_a_redis_that_does_not_answer_has_no_memory_to_speak_of(settings: Settings) -> None:
    settings.REDIS_URL = settings.BROKER_URL = NOBODY

    assert servers.redis_memory() == []


@pytest.mark.django_db
def test_a_transport_that_refuses_is_named_until_it_takes_messages(
    settings: Settings, broker: redis.Redis
) -> None:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    campaign = make_campaign(lists=[readers])
    assert told("transports")["state"] == State.GOOD

    with ScriptedSMTP(users={"godwit": "right"}) as smtp:
        relay = named("Relay", smtp.url.replace("//", "//godwit:wrong@") + "?starttls=never")
        set_routes(campaign.sender, weights={relay: 1})
        run = make_run(campaign)
        deliver(run.pk, ids(), clock=timezone.now)

    fact = told(f"transport_{relay.pk}")
    assert fact["state"] == State.BAD
    assert "the transport Relay refused the user name or password" in fact["text"]
    assert "test the transport on its page" in fact["remedy"]
    assert "wrong" not in fact["text"].replace("wrong@", "")
    assert "the transport Relay refused" in text(superuser().get("/health/"))
    Gate.objects.update(shut_until=NOW)
    assert told(f"transport_{relay.pk}")["state"] == State.ATTENTION


@pytest.mark.django_db
def test_domains_that_limit_us_are_named() -> None:
    until = NOW + timedelta(minutes=5)
    for group in ("google", "microsoft"):
        Gate.objects.create(group=group, cause="rate_limited", shut_until=until)

    found = sending.domains(now=NOW)

    assert (found.state, found.text) == (State.ATTENTION, "google, microsoft.")
    assert sending.domains(now=until).state == State.GOOD


@pytest.mark.django_db
def test_a_sender_whom_nobody_believes_is_named_with_what_to_do() -> None:
    sender = make_sender("The Shore <news@shore.org>")
    schedule(sender)
    said = Translatable("shore.org has no SPF record")
    found = Finding(Severity.ERROR, "no-spf", said, Translatable("Publish one."))
    SenderCheck.objects.update_or_create(
        sender=sender, defaults={"findings": [found.stored], "checked_at": NOW}
    )

    fact = told(f"sender_{sender.pk}")

    assert (fact["state"], fact["title"], fact["remedy"]) == (
        State.BAD, "shore.org", "Publish one.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.0 404 Not Found\r\n\r\nwho?", "/healthz answers 404"),
        (b"HTTP/1.0 200 OK\r\n\r\n<h1>Parked</h1>", "and not as Godwit does"),
        (b"SSH-2.0-OpenSSH\r\n", "does not lead here"),
    ],
)
def test_a_site_that_leads_to_something_else_is_named(
    settings: Settings, answer: bytes, words: str
) -> None:
    with listening(answer) as port:
        settings.SITE_URL = f"http://127.1:{port}"
        fact = servers.site_asked()

    assert fact.state == State.ATTENTION
    assert words in fact.text


def test_a_site_that_answers_leads_here(settings: Settings) -> None:
    with listening(b"HTTP/1.0 200 OK\r\n\r\nok\n") as port:
        settings.SITE_URL = f"http://127.1:{port}"
        fact = servers.site_asked()

    assert fact.state == State.GOOD


@pytest.mark.parametrize(
    ("free", "state"),
    [(0.9, State.BAD), (1, State.ATTENTION), (4.9, State.ATTENTION), (5, State.GOOD)],
)
def test_a_disk_is_full_in_two_steps(free: float, state: State) -> None:
    assert servers.room(free) == state


def test_a_directory_that_is_not_there_yet_is_on_the_disk_of_the_one_above(
    settings: Settings, tmp_path: Path
) -> None:
    settings.STATE_DIR = settings.MEDIA_ROOT = tmp_path / "not" / "there"

    [fact] = servers.disks()

    assert str(tmp_path) in fact.text

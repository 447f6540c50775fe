"""What the installation says of itself, whatever of it does not answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from pytest_django.fixtures import Settings

from campaigns.models import RunStatus
from config.health import backlogs, servers, workers
from config.health.facts import State
from config.health.workers import Queue
from recipients.models import MailingList
from tests.console import staff, superuser, text
from tests.factories import make_campaign, make_list, make_past_run
from tracking.hits import stream
from tracking.models import RunCounters

NOW = datetime(2026, 12, 4, 12, tzinfo=UTC)
NOBODY = "redis://127.0.0.1:1/0"


@contextmanager
def listening(greeting: bytes = b"") -> Iterator[int]:
    """Yield a port where somebody says this to all who come, and nothing else."""
    kept: list[socket.socket] = []

    def greet() -> None:
        while True:
            try:
                link, _ = server.accept()
            except OSError:
                return
            link.sendall(greeting)
            kept.append(link)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    for link in kept:
        link.close()


@pytest.mark.parametrize(
    ("queue", "state", "words"),
    [
        (Queue("imports", 3, ["imports@a", "imports@b"]), State.GOOD, "by imports@a, imports@b"),
        (Queue("imports", 0), State.BAD, "celery -A config worker -Q imports"),
        (Queue("imports", 5_001, ["imports@a"]), State.ATTENTION, "5,001 messages wait"),
    ],
)
def test_a_queue_is_well_where_somebody_serves_it_and_keeps_up(
    queue: Queue, state: State, words: str
) -> None:
    fact = workers.of_queue(queue)

    assert fact.state == state
    assert words in f"{fact.text} {fact.remedy}"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("seconds", "state"), [(None, State.BAD), (0, State.GOOD), (60, State.GOOD), (61, State.BAD)]
)
def test_beat_is_silent_after_a_minute(seconds: int | None, state: State) -> None:
    last = None if seconds is None else NOW - timedelta(seconds=seconds)
    PeriodicTask.objects.filter(name="tick").delete()
    if last:
        tick = PeriodicTask(name="tick", task="campaigns.tick", last_run_at=last)
        PeriodicTask.objects.bulk_create([tick])

    assert workers.beat(now=NOW).state == state


@pytest.mark.parametrize(
    ("seconds", "state"), [(2.0, State.GOOD), (-2.1, State.ATTENTION), (2.1, State.ATTENTION)]
)
def test_clocks_may_differ_by_two_seconds(seconds: float, state: State) -> None:
    assert servers.clock(seconds).state == state


@pytest.mark.parametrize(
    ("site", "host", "state", "words"),
    [
        ("https://mail.example.org", "mail.example.org", State.GOOD, "lead to https://mail."),
        ("https://mail.example.org", "", State.GOOD, ""),
        ("https://old.example.org", "mail.example.org", State.ATTENTION, "mail.example.org"),
        ("http://localhost:8000", "localhost:8000", State.ATTENTION, "this machine alone"),
    ],
)
def test_a_site_whose_links_lead_elsewhere_is_named(
    settings: Settings, site: str, host: str, state: State, words: str
) -> None:
    settings.SITE_URL = site

    fact = servers.site(host)

    assert fact.state == state
    assert words in fact.text


@pytest.mark.parametrize(
    ("greeting", "state", "words"),
    [
        (b"220 vm Godwit mail catcher\r\n", State.ATTENTION, "none leaves this machine"),
        (b"220 mx.example.org ESMTP\r\n", State.GOOD, "a mail server on this machine"),
    ],
)
def test_the_catcher_is_known_by_its_greeting(
    settings: Settings, greeting: bytes, state: State, words: str
) -> None:
    with listening(greeting) as port:
        settings.EMAIL_URL = f"smtp://127.0.0.1:{port}"

        fact = servers.way_out()

    assert fact.state == state
    assert words in fact.text


def test_nobody_at_the_port_of_messages_is_said(settings: Settings) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:1"

    assert servers.way_out().state == State.BAD


def test_another_mail_server_is_not_asked(settings: Settings) -> None:
    settings.EMAIL_URL = "smtps://user:secret@mx.example.org:465"

    fact = servers.way_out()

    assert (fact.state, "mx.example.org:465" in fact.text) == (State.GOOD, True)
    assert "secret" not in fact.text


def test_what_waits_in_a_queue_and_in_the_stream_is_counted(broker: redis.Redis) -> None:
    broker.rpush("imports", *"abc")
    broker.xadd(stream.KEY, {b"b": b""})

    waiting = {queue.name: queue.waiting for queue in workers.queues() or []}

    assert (waiting["imports"], waiting["campaigns"]) == (3, 0)
    assert backlogs.hits().figure == 1


@pytest.mark.django_db
@pytest.mark.parametrize("is_silent", [False, True])
def test_the_page_answers_though_the_broker_does_not(settings: Settings, is_silent: bool) -> None:
    with listening() as port:
        url = f"redis://127.0.0.1:{port}/0" if is_silent else NOBODY
        settings.BROKER_URL = settings.CELERY_BROKER_URL = settings.REDIS_URL = url

        page = text(superuser().get("/health/"))

    assert "Broker Does not work It does not answer: " in page
    assert "nobody knows who serves the queues" in page
    assert "Opens and clicks Does not work Redis does not answer: " in page
    assert "Database Works PostgreSQL" in page


@pytest.mark.django_db
def test_runs_that_wait_for_a_person_are_shown_to_who_may_see_them() -> None:
    MailingList.objects.filter(pk=make_list("Board").pk).update(is_limited=True)
    for name, lists in (("Spring", []), ("Secret", [make_list("Board")])):
        run = make_past_run(make_campaign(name, lists=lists), at=timezone.now())
        run.lists.set(lists)
        type(run).objects.filter(pk=run.pk).update(status=RunStatus.HELD, held_reason="too late")
        RunCounters.objects.filter(run=run).update(unconfirmed=7)

    page = text(staff("campaigns.view_run").get("/health/"))

    assert "Spring Held Too late. Spring 7 in doubt" in page
    assert "Secret" not in page


@pytest.mark.django_db
def test_a_part_of_the_page_leads_to_the_page() -> None:
    client = superuser()

    assert client.get("/health/-/now/")["Location"] == "/health/"
    part = client.get("/health/-/now/", headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 10s, refresh"' in part

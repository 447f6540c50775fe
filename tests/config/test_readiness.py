"""What balancers and supervisors of processes ask: whether it is alive, and whether it can work."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from config import views
from config.health import readiness
from config.health.readiness import Readiness
from config.health.servers import pending_migrations
from tests.config.test_health import NOBODY, listening

Asks = Callable[[], tuple[int, str]]


@pytest.fixture
def readyz(client: Client, monkeypatch: pytest.MonkeyPatch) -> Asks:
    """Ask for /readyz as if nobody had within the last second."""

    def ask() -> tuple[int, str]:
        monkeypatch.setattr(views, "_readiness", Readiness())
        answer = client.get("/readyz")
        assert not answer.cookies
        return answer.status_code, answer.content.decode()

    return ask


def lead_to(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have new connections to the database go there."""
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", str(port))


@pytest.mark.django_db
def test_a_process_is_ready_that_has_its_servers(readyz: Asks) -> None:
    assert readyz() == (200, "ready\n")


@pytest.mark.django_db
@pytest.mark.parametrize("is_silent", [False, True])
def test_without_the_database_it_is_alive_and_not_ready(
    readyz: Asks, client: Client, monkeypatch: pytest.MonkeyPatch, is_silent: bool
) -> None:
    with listening() as port:
        lead_to(port if is_silent else 1, monkeypatch)

        assert readyz() == (503, "not ready: database\n")

    assert client.get("/healthz").status_code == 200


@pytest.mark.django_db
def test_without_the_broker_it_is_not_ready(readyz: Asks, settings: Settings) -> None:
    settings.BROKER_URL = settings.CELERY_BROKER_URL = NOBODY

    assert readyz() == (503, "not ready: broker\n")


@pytest.mark.django_db(transaction=True)
def test_with_tables_of_another_release_it_is_not_ready(readyz: Asks) -> None:
    recorder = MigrationRecorder(connection)
    [newest] = sorted(recorder.migration_qs.filter(app="campaigns").values_list("name", flat=True))[
        -1:
    ]
    recorder.record_unapplied("campaigns", newest)
    try:
        assert pending_migrations(connection) == [f"campaigns.{newest}"]
        assert readyz() == (503, "not ready: migrations\n")
    finally:
        recorder.record_applied("campaigns", newest)


@pytest.mark.django_db
def test_neither_answer_asks_who_it_is_nor_leads_elsewhere(
    client: Client, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.SECURE_SSL_REDIRECT = True
    client.cookies["sessionid"] = "somebody"

    with django_assert_num_queries(0):
        found = [client.get(path).status_code for path in ("/healthz", "/readyz")]

    assert found == [200, 200]


def test_the_servers_are_asked_once_a_second_however_many_want_to_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, asked = 100.0, list[float]()

    def look() -> list[str]:
        asked.append(now)
        return ["broker"]

    monkeypatch.setattr(readiness, "_look", look)
    ready = Readiness(clock=lambda: now)
    threads = [threading.Thread(target=ready.missing) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = 100.9
    ready.missing()
    now = 101.0
    ready.missing()

    assert asked == [100.0, 101.0]

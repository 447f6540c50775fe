import gc
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import connection
from kombu import pools
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from config import env
from config.embedded import Home
from config.embedded.services import Services
from recipients import hurry
from tests import live
from tests.clamd_server import ScriptedClamd
from tests.s3_server import S3Server
from tests.smtp_server import ScriptedSMTP

APPEND_ONLY = ("recipients_consentwording", "recipients_consentblock", "recipients_consentevent")


def pytest_collection_finish() -> None:
    """Look for garbage seldom: thousands of tests that were collected would be looked through."""
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let tests empty what is append-only; a test of its own puts the trigger back."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in APPEND_ONLY:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER consent_no_truncate")
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER audit_no_truncate")


@pytest.fixture(scope="session", autouse=True)
def static_files_when_asked_for() -> None:
    """Let no test's browser begin with a list of all static files: 10 ms for each of them."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture
def smtp() -> Iterator[ScriptedSMTP]:
    with ScriptedSMTP() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, settings: Settings) -> S3Server:
    """The media library in an empty bucket."""
    s3_server.empty()
    media = env.media_storage(s3_server.url)
    settings.STORAGES = {**settings.STORAGES, "media": media}
    return s3_server


@pytest.fixture
def disk(settings: Settings, tmp_path: Path) -> Path:
    """The media library in an empty directory."""
    directory = tmp_path / "library"
    local = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": directory},
    }
    settings.STORAGES = {**settings.STORAGES, "media": local}
    return directory


@pytest.fixture
def clamd(settings: Settings) -> Iterator[ScriptedClamd]:
    with ScriptedClamd() as server:
        settings.CLAMD = server.address
        yield server


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    """The broker of the tests, empty before and after."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
        yield client
        client.flushall()


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A broker that is not there; what was connected before is not used."""
    monkeypatch.setitem(current_app.conf, "broker_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(hurry, "_line", hurry._Line())
    _forget_connections()
    yield
    _forget_connections()


def _forget_connections() -> None:
    """Close Celery's pools, and let it make new ones: it keeps the closed ones otherwise."""
    pools.reset()
    app: Any = current_app
    app._pool = app.amqp._producer_pool = None


@pytest.fixture
def redis_process() -> psutil.Process:
    """The Redis of the tests, to which anything may happen."""
    services = Services(Home(settings.STATE_DIR), os.environ)
    [pid] = [one.pid for one in services.status() if one.server == "redis"]
    if pid is None:
        pytest.skip("the Redis that REDIS_URL names is nobody's to stop")
    return psutil.Process(pid)


@pytest.fixture
def installation(
    transactional_db: None, broker: redis.Redis, smtp: ScriptedSMTP, tmp_path: Path
) -> Callable[..., AbstractContextManager[live.Live]]:
    """Start a living installation that sends to `smtp`; variables are passed to its processes."""

    def start(**environ: str) -> AbstractContextManager[live.Live]:
        return live.running(email_url=smtp.url, logs=tmp_path, **environ)

    return start

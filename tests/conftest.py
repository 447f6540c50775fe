from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import redis
from django.conf import settings

from tests import live
from tests.smtp_server import ScriptedSMTP


@pytest.fixture
def smtp() -> Iterator[ScriptedSMTP]:
    with ScriptedSMTP() as server:
        yield server


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    """The broker of the tests, empty before and after."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
        yield client
        client.flushall()


@pytest.fixture
def installation(
    transactional_db: None, broker: redis.Redis, smtp: ScriptedSMTP, tmp_path: Path
) -> Callable[..., AbstractContextManager[live.Live]]:
    """Start a living installation that sends to `smtp`; variables are passed to its processes."""

    def start(**environ: str) -> AbstractContextManager[live.Live]:
        return live.running(email_url=smtp.url, logs=tmp_path, **environ)

    return start

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import env
from tests.clamd_server import ScriptedClamd
from tests.s3_server import S3Server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, settings: Any) -> S3Server:
    """The library in an empty bucket."""
    for key in s3_server.keys():  # noqa: SIM118
        s3_server.client.delete_object(Bucket="library", Key=key)
    settings.STORAGES = {**settings.STORAGES, "media": env.media_storage(s3_server.url)}
    s3_server.requests.clear()
    return s3_server


@pytest.fixture
def disk(settings: Any, tmp_path: Path) -> Path:
    """The library in an empty directory."""
    local = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": tmp_path},
    }
    settings.STORAGES = {**settings.STORAGES, "media": local}
    return tmp_path


@pytest.fixture
def clamd(settings: Any) -> Iterator[ScriptedClamd]:
    with ScriptedClamd() as server:
        settings.CLAMD = server.address
        yield server

"""Files in a private bucket of any store that speaks S3."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from storages.backends.s3 import S3Storage

_NOT_THERE = frozenset({"404", "NoSuchKey", "NotFound"})
# Stores other than Amazon's know neither buckets as hosts nor the newer checksums.
_CONFIG = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "max_attempts": 3},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class MediaS3Storage(S3Storage):  # type: ignore[misc]
    """Nothing is public or overwritten; what goes wrong is an `OSError`, as with a disk."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            client_config=_CONFIG,
            default_acl=None,
            file_overwrite=False,
            querystring_auth=True,
            **options,
        )

    def _open(self, name: str, mode: str = "rb") -> ContentFile[bytes]:
        """Fetch a file by one request."""
        key = self._normalize_name(name)
        with _as_os_errors():
            return ContentFile(self.bucket.Object(key).get()["Body"].read(), name=name)

    def _save(self, name: str, content: Any) -> str:
        with _as_os_errors():
            return str(super()._save(name, content))

    def exists(self, name: str) -> bool:
        with _as_os_errors():
            return bool(super().exists(name))

    def delete(self, name: str) -> None:
        with _as_os_errors():
            super().delete(name)


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        is_gone = str(error.response.get("Error", {}).get("Code")) in _NOT_THERE
        raise (FileNotFoundError if is_gone else OSError)(f"S3: {error}") from error
    except BotoCoreError as error:
        raise OSError(f"S3: {error}") from error

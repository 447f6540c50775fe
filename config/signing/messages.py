"""Messages to workers that are signed: Celery's `auth`, and what it leaves open.

`auth` signs arguments alone. Which task they are for, and the id by which its result is stored, are
in headers that anybody may write who can write to the broker; so both are put among what is signed,
and compared. That is asked at the door of a worker's main process: Celery asks in a child, and
stores of what it refuses a result by the id that was named.
"""

import logging
from typing import Any

from celery import Celery
from celery.exceptions import SecurityError
from celery.security.certificate import Certificate, FSCertStore
from celery.security.key import PrivateKey
from celery.security.serialization import SecureSerializer
from celery.signals import before_task_publish
from celery.worker import consumer
from django.conf import settings
from django.utils import timezone
from kombu.serialization import registry  # type: ignore[attr-defined]

from config.signing import Files
from config.signing.files import problem_of

logger = logging.getLogger(__name__)

_FOR = "signed_for"  # beside the chord of a message


class Consumer(consumer.Consumer):
    """A worker's, that does nothing of what nobody has signed."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        handle = super().create_task_handler(*args, **kwargs)

        def handle_signed(message: Any) -> None:
            if why := refusal(message):
                logger.error("a message was refused: %s", why)
                message.reject_log_error(logger, self.connection_errors)  # type: ignore[attr-defined]
            else:
                handle(message)

        return handle_signed


class _Serializer(SecureSerializer):
    def _unpack(self, *args: Any, **kwargs: Any) -> Any:
        """Read nothing but JSON: that it is JSON is not among what is signed."""
        found = super()._unpack(*args, **kwargs)  # type: ignore[misc]
        if found["content_type"] != "application/json":
            raise SecurityError(f"signed, but {found['content_type']}")
        return found


def install(app: Celery, files: Files) -> None:
    """Have this process sign what it sends, and take nothing else; or not start at all."""
    if problem := problem_of(files, now=timezone.now()):
        settings.ENV_PROBLEMS.append(f"TASK_SIGNING_KEY: {problem}")
        return
    register(files)
    app.conf.task_serializer = "auth"
    app.conf.accept_content = ["auth"]
    app.conf.worker_consumer = "config.signing.messages:Consumer"
    before_task_publish.connect(sign_for, weak=False)


def register(files: Files) -> None:
    """Let `auth` sign with these files."""
    serializer = _Serializer(
        PrivateKey(files.key.read_text()),
        Certificate(files.certificate.read_text()),
        FSCertStore(str(files.store)),
    )
    registry.register(
        "auth",
        serializer.serialize,
        serializer.deserialize,
        content_type="application/data",
        content_encoding="utf-8",
    )


def refusal(message: Any) -> str:
    """Say why a message is not to be done; empty where one of us has sent it, as it is."""
    try:
        _, _, rest = message.decode()
        told = [message.headers["task"], message.headers["id"]]
        return "" if rest[_FOR] == told else f"it was signed for {rest[_FOR]}, and says {told}"
    except Exception as error:  # noqa: BLE001 - whoever has written it: anything may be wrong
        return f"{type(error).__name__}: {error}"


def sign_for(body: Any, headers: dict[str, Any], **_: Any) -> None:
    """Have a message say, where it is signed, what its headers say."""
    body[2][_FOR] = [headers["task"], headers["id"]]

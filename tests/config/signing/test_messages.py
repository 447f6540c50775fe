"""A worker does nothing of what nobody has signed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from celery.security.serialization import SecureSerializer
from django_celery_results.models import TaskResult
from kombu.message import Message
from kombu.serialization import dumps, registry  # type: ignore[attr-defined]
from pytest_django.fixtures import Settings

from config.celery import app
from config.signing import Files, messages
from tests.certificates import make_signing_files
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP

TASK, ID = "campaigns.tick", "5f0c"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return make_signing_files(tmp_path)


@pytest.fixture
def auth(files: Files) -> Iterator[None]:
    messages.register(files)
    yield
    registry.unregister("auth")


def signed(*, task: str = TASK, message_id: str = ID) -> Any:
    """Return the body of a message as one of us sends it."""
    body: Any = ([], {}, {"chord": None})
    messages.sign_for(body=body, headers={"task": task, "id": message_id})
    return body


def message(content: Any, **changed: Any) -> Message:
    kind, encoding, text = dumps(content, serializer="auth")
    given = {
        "body": text,
        "content_type": kind,
        "content_encoding": encoding,
        "headers": {"task": TASK, "id": ID},
        "accept": {"application/data"},
    }
    return Message(**{**given, **changed})


def test_what_one_of_us_has_signed_is_done(auth: None) -> None:
    assert messages.refusal(message(signed())) == ""


def test_what_another_key_has_signed_is_refused(auth: None, files: Files, tmp_path: Path) -> None:
    messages.register(make_signing_files(tmp_path / "other"))
    forged = message(signed())
    messages.register(files)

    assert "Unknown certificate" in messages.refusal(forged)


def test_what_another_key_has_signed_in_our_name_is_refused(
    auth: None, files: Files, tmp_path: Path
) -> None:
    other = make_signing_files(tmp_path / "other")
    messages.register(Files(other.key, files.certificate, files.store))
    forged = message(signed())
    messages.register(files)

    assert messages.refusal(forged).startswith("DecodeError")


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"headers": {"task": "campaigns.retention", "id": ID}}, "and says ['campaigns.retention"),
        ({"headers": {"task": TASK, "id": "another"}}, "'another']"),
        ({"headers": {}}, "KeyError"),
        ({"headers": None}, "KeyError"),
        ({"body": "AAAA"}, "DecodeError"),
        ({"content_type": "application/json"}, "ContentDisallowed"),
    ],
)
def test_what_is_changed_of_a_signed_message_has_it_refused(
    auth: None, changed: dict[str, Any], says: str
) -> None:
    assert says in messages.refusal(message(signed(), **changed))


def test_a_body_that_says_not_for_what_it_was_signed_is_refused(auth: None) -> None:
    assert "KeyError" in messages.refusal(message(([], {}, {})))


def test_what_is_signed_and_no_json_is_not_read(auth: None, files: Files) -> None:
    class Other(SecureSerializer):
        def _pack(self, body: bytes, _content_type: str, *rest: Any, **more: Any) -> Any:
            return super()._pack(body, "application/x-yaml", *rest, **more)  # type: ignore[misc]

    whole = registry._encoders["auth"].encoder.__self__
    other = Other(whole._key, whole._cert, whole._cert_store)

    assert "signed, but application/x-yaml" in messages.refusal(
        message(signed(), body=other.serialize(signed()))
    )


def test_with_files_that_are_wrong_nothing_starts(files: Files, settings: Settings) -> None:
    settings.ENV_PROBLEMS = []
    files.key.unlink()

    messages.install(app, files)

    assert [
        f"TASK_SIGNING_KEY: {files.key} cannot be read: No such file or directory"
    ] == settings.ENV_PROBLEMS
    assert app.conf.worker_consumer == "celery.worker.consumer:Consumer"


def test_a_campaign_goes_out_by_signed_messages_and_forged_ones_end_no_worker(
    installation: Installation, smtp: ScriptedSMTP, files: Files, broker: Any
) -> None:
    forged = str(uuid4())
    with installation(
        TASK_SIGNING_KEY=str(files.key),
        TASK_SIGNING_CERT=str(files.certificate),
        TASK_SIGNING_STORE=str(files.store),
        SWEEP_SECONDS="1",
    ) as live:
        worker = live.worker()
        live.wait_until_ready()
        app.send_task(TASK, task_id=forged, queue="control")
        app.send_task("no.such.task", task_id=forged, queue="control")
        broker.lpush("control", json.dumps({"body": "", "headers": {}, "properties": {}}))
        app.control.broadcast("shutdown")
        wait_until(lambda: live.output().count("a message was refused") >= 2, "both are refused")

        campaign, addresses = send_now(30)
        live.beat()
        run = wait_for_end(campaign)
        is_up = worker.poll() is None

    assert is_up
    assert run.status == "completed"
    assert sorted(each.recipient for each in smtp.messages) == sorted(addresses)
    assert not TaskResult.objects.filter(task_id=forged).exists()

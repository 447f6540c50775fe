"""What a log line says, and that no address is in it."""

import json
import logging
import os
import subprocess
import sys

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from structlog.contextvars import bound_contextvars, clear_contextvars, get_contextvars

from campaigns.tasks import deliver_chunk, sweep
from config import telemetry
from config.logs import HIDDEN, formatter, masked
from tests.e2e.steps import Installation
from tests.http_server import Answer, ScriptedHTTP
from tests.live import wait_until

LOCAL = st.text(alphabet="abcdefgxyzABZ0189!#$%&'*+-/=?^_`{|}~.éüñ用户", min_size=1, max_size=64)
LABEL = st.text(alphabet="abcxyz019-éü例", min_size=1, max_size=20)
DOMAIN = st.lists(LABEL, min_size=2, max_size=4).map(".".join)
AROUND = st.text(max_size=30)


def logged(kind: str, *args: object, error: Exception | None = None) -> str:
    record = logging.LogRecord(
        "campaigns.tasks", logging.ERROR, "tasks.py", 1, "%s" * len(args), args,
        (type(error), error, error.__traceback__) if error else None,
    )  # fmt: skip
    return formatter(kind).format(record)


@given(before=AROUND, local=LOCAL, domain=DOMAIN, at=st.sampled_from(["@", "%40"]), after=AROUND)
def test_no_address_is_left_in_a_line(
    before: str, local: str, domain: str, at: str, after: str
) -> None:
    address = f"{local}{at}{domain}"

    for kind in ("json", "console"):
        line = logged(kind, f"{before} <{address}> {after}", error=ValueError(address))
        said = json.loads(line) if kind == "json" else line

        assert address not in str(said)
        assert HIDDEN in str(said)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("to ada@example.org: refused", "to [address]: refused"),
        ('"ada lovelace"@example.org', "[address]"),
        ("ada@[192.0.2.1]", "[address]"),
        ("smtp://user:secret@mail.example.org:25", "smtp://user:[address]:25"),
        ("campaigns@vm ready.", "campaigns@vm ready."),
        ("nobody here", "nobody here"),
    ],
)
def test_what_looks_like_an_address_is_hidden(text: str, left: str) -> None:
    assert masked(text) == left


def test_a_text_without_end_is_read_in_no_time() -> None:
    assert len(masked("a" * 200_000 + "@")) == 200_001


def test_a_line_for_programs_says_what_it_speaks_of() -> None:
    clear_contextvars()
    with bound_contextvars(request_id="r1", run=7, chunk="c1"):
        said = json.loads(logged("json", "it broke off", error=ValueError("why")))

    assert said.pop("timestamp").endswith("Z")
    assert "ValueError: why" in said.pop("exception")
    assert said == {
        "event": "it broke off", "level": "error", "logger": "campaigns.tasks",
        "request_id": "r1", "run": 7, "chunk": "c1",
    }  # fmt: skip


@pytest.mark.django_db
def test_a_chunk_that_broke_off_names_its_deliveries(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.tasks.AFTER_A_FAULT", 0)

    deliver_chunk.run(12, [7, 8])  # of a run that is not there

    [record] = caplog.records
    said = json.loads(formatter("json").format(record))
    assert (said["run"], said["delivery"]) == (12, [7, 8])
    assert "DoesNotExist" in said["exception"]


def test_a_line_for_people_is_one_and_below_it_the_traceback() -> None:
    clear_contextvars()
    with bound_contextvars(run=7):
        first, *rest = logged("console", "it broke off", error=ValueError("why")).splitlines()

    assert first.endswith("Z ERROR campaigns.tasks: it broke off run=7")
    assert rest[-1] == "ValueError: why"


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [("abcdef-1234", True), ("short", False), ("a" * 65, False), ("abcdef\n1234", False)],
)
def test_a_request_has_the_number_that_the_proxy_gave_or_one_of_its_own(
    client: Client, given: str, is_taken: bool
) -> None:
    number = client.get("/healthz", HTTP_X_REQUEST_ID=given)["X-Request-ID"]

    assert (number == given) == is_taken
    assert len(number) >= 8
    assert "request_id" not in get_contextvars()


def test_a_message_says_which_request_it_comes_from(broker: redis.Redis) -> None:
    with bound_contextvars(request_id="r1"):
        sweep.apply_async()

    [message] = broker.lrange("maintenance", 0, -1)
    assert json.loads(message)["headers"]["request_id"] == "r1"


@pytest.mark.django_db(transaction=True)
def test_a_worker_names_task_and_request_and_no_address(installation: Installation) -> None:
    with installation(LOG_FORMAT="json") as live:
        live.worker(queues="imports")
        live.wait_until_ready()
        with bound_contextvars(request_id="request-of-staff"):
            current_app.send_task(
                "recipients.import_step", args=("ada@example.org",), queue="imports"
            )
        [log] = live.logs.glob("*.log")
        wait_until(lambda: '"exception"' in log.read_text(), "the task has failed")
        lines = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]

    [failed] = [line for line in lines if "exception" in line]
    assert failed["request_id"] == "request-of-staff"
    assert failed["task"] == "recipients.import_step"
    assert "ada@" not in log.read_text()


def test_a_request_is_traced_without_the_address_in_it() -> None:
    path = "/healthz?q=ada@example.org"
    asks = f"from django.test import Client; Client(SERVER_NAME='localhost').get({path!r})"

    with ScriptedHTTP(Answer()) as collector:
        environ = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        command = [sys.executable, "manage.py", "shell", "--no-imports", "--command", asks]
        subprocess.run(command, env=environ, cwd=settings.BASE_DIR, check=True)

    [request] = collector.requests
    assert request.path == "/v1/traces"
    told = ExportTraceServiceRequest.FromString(request.body)
    [span] = told.resource_spans[0].scope_spans[0].spans
    assert span.name == "GET healthz"
    assert "[address]" in str(span)
    assert "ada" not in str(told)


def test_what_sentry_is_told_has_no_address() -> None:
    event = {
        "message": "to ada@example.org",
        "exception": {"values": [{"value": "550 <ada@example.org>"}]},
        "breadcrumbs": {"values": ({"message": "?q=ada%40example.org"},)},
        "level": 3,
    }

    told = telemetry.scrub(event, {})

    assert "ada" not in str(told)
    assert told["level"] == 3

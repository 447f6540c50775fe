"""Flower watches a living installation."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from tests.e2e.steps import Installation
from tests.live import ROOT, wait_until


def asked(port: int, path: str) -> Any:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.read().decode()
    except OSError:
        return ""


@pytest.mark.django_db(transaction=True)
def test_flower_lists_the_workers_with_their_queues(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with installation() as live:
        live.worker(queues="imports")
        live.wait_until_ready()
        flower = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "config", "flower",
             "--address=127.0.0.1", f"--port={port}"],
            cwd=ROOT, env={**live.environ, "FLOWER_UNAUTHENTICATED_API": "true"},
        )  # fmt: skip
        try:
            wait_until(lambda: asked(port, "/healthcheck") == "OK", "Flower answers")
            wait_until(lambda: "w0@test" in asked(port, "/api/workers?refresh=1"), "the worker")
            workers = json.loads(asked(port, "/api/workers"))
        finally:
            flower.send_signal(signal.SIGTERM)
            flower.wait(60)

    assert [each["name"] for each in workers["w0@test"]["active_queues"]] == ["imports"]

"""Flower watches a living installation."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.live import ROOT, wait_until

CHUNK = "campaigns.deliver_chunk"


def asked(port: int, path: str) -> Any:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.read().decode()
    except OSError:
        return ""


def states(port: int, task: str) -> set[str]:
    """Return the states of the tasks of that name that Flower knows."""
    found = json.loads(asked(port, f"/api/tasks?taskname={task}") or "{}")
    return {each["state"] for each in found.values()}


@pytest.mark.django_db(transaction=True)
def test_flower_lists_the_workers_with_their_queues_and_the_tasks_of_a_run(
    installation: Installation,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with installation() as live:
        live.worker(queues="campaigns,control,maintenance", with_beat=True)
        flower = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "config", "flower",
             "--address=127.0.0.1", f"--port={port}"],
            cwd=ROOT, env={**live.environ, "FLOWER_UNAUTHENTICATED_API": "true"},
        )  # fmt: skip
        try:
            wait_until(lambda: asked(port, "/healthcheck") == "OK", "Flower answers")
            wait_until(lambda: "w0@test" in asked(port, "/api/workers?refresh=1"), "the worker")
            workers = json.loads(asked(port, "/api/workers"))
            wait_until(lambda: states(port, "campaigns.tick"), "Flower is told of tasks")
            campaign, _ = send_now(100)
            wait_until(lambda: "SUCCESS" in states(port, CHUNK), "a chunk was sent")
            wait_for_end(campaign)
        finally:
            flower.send_signal(signal.SIGTERM)
            flower.wait(60)

    served = [each["name"] for each in workers["w0@test"]["active_queues"]]
    assert served == ["campaigns", "control", "maintenance"]

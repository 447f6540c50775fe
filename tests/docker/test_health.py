"""Health checks, asked of real processes."""

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from tests.e2e.steps import Installation

SCRIPT = Path(__file__).resolve().parents[2] / "docker" / "health.py"


@pytest.fixture(scope="module")
def health() -> ModuleType:
    spec = importlib.util.spec_from_file_location("health", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Handler(BaseHTTPRequestHandler):
    """Answers like Django: 400 to a name that is not the site's."""

    def do_GET(self) -> None:
        known = self.headers["Host"] == "news.example.org" and self.path == "/healthz"
        self.send_response(200 if known else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def web_server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def check(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_web_server_that_answers_by_the_sites_name_is_healthy() -> None:
    with web_server() as port:
        done = check("web", str(port), SITE_URL="https://news.example.org")

    assert (done.returncode, done.stderr) == (0, "")


def test_a_web_server_that_answers_with_an_error_is_not_healthy() -> None:
    with web_server() as port:
        done = check("web", str(port), SITE_URL="https://other.example.org")

    assert (done.returncode, done.stderr) == (1, "unhealthy: /healthz answers 400\n")


def test_a_web_server_that_is_not_there_is_not_healthy() -> None:
    with web_server() as port:
        pass

    done = check("web", str(port))

    assert done.returncode == 1
    assert done.stderr.startswith(f"unhealthy: port {port} does not answer")


def test_a_worker_is_healthy_while_it_answers(
    installation: Installation, health: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health.socket, "gethostname", lambda: "test")
    monkeypatch.setattr(health, "TIMEOUT", 1)
    with installation() as live:
        live.worker()
        live.wait_until_ready()

        health.worker("w0")
        with pytest.raises(health.Unhealthy, match="w1@test does not answer"):
            health.worker("w1")


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "healthy"), [(55, True), (65, False)])
def test_beat_is_healthy_while_it_ticks(health: ModuleType, seconds: int, healthy: bool) -> None:
    PeriodicTask.objects.create(
        name="tick",
        task="campaigns.tick",
        interval=IntervalSchedule.objects.create(every=1, period="seconds"),
        last_run_at=timezone.now() - timedelta(seconds=seconds),
    )

    if healthy:
        health.beat()
    else:
        with pytest.raises(health.Unhealthy, match="no tick for 60 seconds"):
            health.beat()

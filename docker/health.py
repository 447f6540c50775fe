"""Tell Docker whether a container does its work: `python docker/health.py web`.

Or `worker QUEUE`, `beat`, `catcher`, `flower`.

Exit code 0: it does. 1: it does not, and one line says why.
"""

import os
import socket
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

TIMEOUT = 5  # seconds
SILENCE = timedelta(seconds=60)  # Beat ticks each second; a restart of PostgreSQL may take some


class Unhealthy(Exception):
    """The process does not do its work; one line for `docker inspect`."""


def web(port: str = "8000") -> None:
    """Ask for /healthz by the name under which people ask."""
    site = urlsplit(os.environ.get("SITE_URL", "").strip() or "http://localhost")
    _get(int(port), "/healthz", host=site.netloc)


def catcher(port: str = "8025") -> None:
    _get(int(port), "/", host="localhost")


def flower(port: str = "5555") -> None:
    _get(int(port), "/healthcheck", host="localhost")


def worker(queue: str) -> None:
    """Ping the worker that the queue has on this host, through the broker."""
    # Here and below: the check of the web server needs none of it, and comes twice a minute.
    from config.celery import app

    name = f"{queue}@{socket.gethostname()}"
    if not app.control.ping(destination=[name], timeout=TIMEOUT):
        raise Unhealthy(f"{name} does not answer")


def beat() -> None:
    """Look in the database when Beat last ticked."""
    import django

    django.setup()

    from django.utils import timezone
    from django_celery_beat.models import PeriodicTask

    since = timezone.now() - SILENCE
    if not PeriodicTask.objects.filter(name="tick", last_run_at__gt=since).exists():
        raise Unhealthy(f"no tick for {SILENCE.seconds} seconds")


def _get(port: int, path: str, *, host: str) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path, headers={"Host": host})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise Unhealthy(f"port {port} does not answer: {error}") from None
    finally:
        connection.close()
    if status != HTTPStatus.OK:
        raise Unhealthy(f"{path} answers {status}")


CHECKS: Mapping[str, Callable[..., None]] = {
    "web": web,
    "catcher": catcher,
    "flower": flower,
    "worker": worker,
    "beat": beat,
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    name, *arguments = sys.argv[1:]
    try:
        CHECKS[name](*arguments)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the answer)
        sys.exit(f"unhealthy: {error}")


if __name__ == "__main__":
    main()

"""All of Godwit on one machine: the servers, then the processes, until somebody stops them."""

import http.client
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TextIO

from django.conf import settings
from django.db import connections

from config.celery import app
from config.embedded.services import Services
from config.env import is_given
from config.processes import (
    LOOPBACK,
    WORKERS,
    Ports,
    RunError,
    Supervisor,
    commands,
    end_leftovers,
    environment,
    only_supervisor,
)

ASKED_TO_STOP = {130, 143}  # SIGINT and SIGTERM, as honcho reports them
POLL_SECONDS = 0.1
WATCHER_SECONDS = 10


@dataclass
class Running:
    """What runs now. `stop` ends it all, from any thread."""

    ports: Ports
    catches: bool  # messages go to the catcher, not to an EMAIL_URL of the user's
    supervisor: Supervisor
    stopped: bool = False
    error: BaseException | None = None

    def stop(self) -> None:
        self.stopped = True
        self.supervisor.terminate()

    def wait_until_up(self) -> bool:
        """Wait until pages and workers answer; False when it was stopped before they did."""
        while not self.supervisor.stop_asked:
            if self._pages_answer() and self._workers_answer():
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _pages_answer(self) -> bool:
        pages = [(self.ports.web, "/healthz")] + [(self.ports.catcher, "/")] * self.catches
        return all(_page_answers(port, path) for port, path in pages)

    def _workers_answer(self) -> bool:
        answers = app.control.ping(timeout=1, limit=len(WORKERS)) or []
        return len(answers) == len(WORKERS)


def run(
    services: Services,
    *,
    ports: Ports,
    prepare: Callable[[], None],
    when_up: Callable[[Running], None],
    output: TextIO = sys.stdout,
) -> bool:
    """Run everything until Ctrl-C, SIGTERM, the end of the terminal, or `Running.stop`.

    `prepare` is called when the servers answer; `when_up`, in a thread of its own, when pages and
    workers do. Servers that were up before stay up. Returns whether it was `Running.stop`.

    :raises EmbeddedError: a server cannot be had
    :raises RunError: it runs already, no port is free, a process ended by itself
    """
    # Whoever asks for the stop, and when: it takes the way of Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup leaves it
        signal.signal(signal.SIGHUP, _hang_up)
    services.home.make()
    try:
        with only_supervisor(services.home.path), _servers(services):
            prepare()
            return _supervise(services, ports.free(), when_up, output)
    except KeyboardInterrupt:
        return False


@contextmanager
def _servers(services: Services) -> Iterator[None]:
    end_leftovers(services.home.path)
    ours = [status.server for status in services.status() if status.state == "down"]
    try:
        services.up()
        yield
    finally:
        services.down(ours)


def _hang_up(*_: Any) -> None:
    # The terminal is gone: what is still to be said would be an error.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    signal.raise_signal(signal.SIGTERM)


def _supervise(
    services: Services, ports: Ports, when_up: Callable[[Running], None], output: TextIO
) -> bool:
    catches = not is_given(os.environ, "EMAIL_URL")
    env = environment(services.home.path, ports, os.environ)
    supervisor = Supervisor(settings.BASE_DIR, env, output=output)
    arguments_of = commands(ports, catcher=catches, further_queues=settings.QUEUES)
    for name, arguments in arguments_of.items():
        supervisor.add(name, arguments)
    running = Running(ports, catches, supervisor)
    # A daemon: stopped by a signal, it may still wait for what nobody will do any more.
    watcher = threading.Thread(target=_watch, args=(running, when_up), daemon=True)
    watcher.start()
    try:
        supervisor.loop()
    except OSError as error:
        end_leftovers(services.home.path)
        raise RunError(f"nothing can be printed any more ({error})") from None
    return _outcome(running, watcher)


def _outcome(running: Running, watcher: threading.Thread) -> bool:
    if running.stopped:
        watcher.join(WATCHER_SECONDS)
    if running.error:
        raise running.error
    if not running.stopped and running.supervisor.returncode not in ASKED_TO_STOP:
        raise RunError("a process ended by itself, so all were stopped")
    return running.stopped


def _watch(running: Running, when_up: Callable[[Running], None]) -> None:
    try:
        if running.wait_until_up():
            when_up(running)
    except BaseException as error:  # noqa: BLE001  (raised again in the main thread)
        running.error = error
        running.stop()
    finally:
        connections.close_all()


def _page_answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status < HTTPStatus.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

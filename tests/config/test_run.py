import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest
from django.conf import settings

from config.celery import NICENESS
from config.embedded.services import Services
from config.processes import MARK, Ports, RunError, commands, end_leftovers, environment
from tests.one_machine import SECONDS, Run, own_services, wait_until

# All of whole installations in one process: they look for free ports.
pytestmark = pytest.mark.xdist_group("installations")
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two accounts")


@pytest.fixture(autouse=True)
def heard_signals() -> Iterator[None]:
    """Let the processes hear that a terminal is closed, also in tests that `nohup` has started."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def services() -> Iterator[Services]:
    with own_services() as services:
        yield services


@pytest.fixture(scope="module")
def place() -> Iterator[Services]:
    with own_services() as services:
        yield services


@pytest.fixture
def used(place: Services) -> Iterator[Services]:
    """An installation that may have its tables already; nothing of it runs before and after."""
    yield place
    Run.kill_all()
    end_leftovers(place.home.path)
    place.down()


def marked(directory: Path) -> list[psutil.Process]:
    found = psutil.process_iter(["environ"])
    return [p for p in found if (p.info["environ"] or {}).get(MARK) == str(directory)]


def states(services: Services) -> list[str]:
    return [status.state for status in services.status()]


def log_in(port: int, password: str) -> int:
    """Return the status of a log-in as `admin`: 302 when it succeeds."""
    connection = http.client.HTTPConnection("localhost", port)
    connection.request("GET", "/account/login/")
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.getheader("Set-Cookie") or "").split(";")[0]
    form = {
        "login": "admin",
        "password": password,
        "csrfmiddlewaretoken": cookie.partition("=")[2],
    }
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/account/login/", urlencode(form), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def niceness(processes: list[psutil.Process], worker: str) -> int:
    """Return by how much a worker, with its children, lets others go first."""
    [found] = {each.nice() for each in processes if f"{worker}@%h" in each.cmdline()}
    return int(found)


@contextmanager
def busy_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_one_command_brings_everything_up_and_ctrl_c_brings_it_down(services: Services) -> None:
    with busy_port() as port:
        first = Run(services, "--port", str(port)).wait_until_up()

    taken = int(first.find(r"Application +http://localhost:(\d+)/"))
    password = first.find(r"Log in as +admin / (\S+) ")
    assert taken > port
    assert log_in(taken, password) == http.HTTPStatus.FOUND
    assert int(first.find(r"Messages +http://localhost:(\d+)/"))
    assert states(services) == ["up", "up"]

    refused = Run(services)

    assert refused.process.wait(SECONDS) == 1
    assert refused.text == f"CommandError: already running (pid {first.process.pid})\n"

    left = [process for process in marked(services.home.path) if process.pid != first.process.pid]
    assert niceness(left, "campaigns") == niceness(left, "transactional") + NICENESS
    assert niceness(left, "transactional") == niceness(left, "maintenance")
    first.stop(signal.SIGKILL)
    assert any(process.is_running() for process in left)
    services.down()

    second = Run(services, EMAIL_URL="smtp://127.0.0.1:9").wait_until_up()

    assert not any(process.is_running() and is_alive(process) for process in left)
    assert "admin, password as before" in second.text
    assert log_in(int(second.find(r"localhost:(\d+)/")), password) == http.HTTPStatus.FOUND
    assert "Messages     go out by your EMAIL_URL" in second.text

    assert second.stop(signal.SIGINT) == 0
    assert "sending SIGKILL" not in second.text
    wait_until(lambda: not marked(services.home.path))
    assert states(services) == ["down", "down"]


def test_when_nobody_reads_the_output_any_more_all_is_stopped(used: Services) -> None:
    run = Run(used, EMAIL_URL="smtp://127.0.0.1:9", pipe_to="head -2")

    assert run.process.wait(SECONDS) == 0
    wait_until(lambda: not marked(used.home.path))
    wait_until(lambda: states(used) == ["down", "down"])


def test_a_terminal_that_is_closed_while_all_is_still_starting_stops_it(used: Services) -> None:
    run = Run(used, EMAIL_URL="smtp://127.0.0.1:9")
    wait_until(lambda: bool(marked(used.home.path)))

    assert run.stop(signal.SIGHUP) == 0
    assert "Traceback" not in run.text
    wait_until(lambda: not marked(used.home.path))
    assert states(used) == ["down", "down"]


@pytest.mark.parametrize("port", [0, -5])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(RunError, match=f"{port} is no port"):
        Ports(web=port).free()


def test_servers_that_were_up_before_a_run_stay_up_after_it(used: Services) -> None:
    used.up()

    run = Run(used, "--port", "65536")

    assert run.process.wait(SECONDS) == 1
    assert run.text.splitlines()[-1] == "CommandError: no free port from 65536 on"
    assert states(used) == ["up", "up"]


def is_alive(process: psutil.Process) -> bool:
    return bool(process.status() != psutil.STATUS_ZOMBIE)


# --- stopping -----------------------------------------------------------------------------------

# A worker and its child: the child must live until the worker is done with it.
WORKER = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE)
signal.signal(signal.SIGTERM, lambda *_: (print("worker asked", flush=True), child.stdin.close()))
child.wait()
"""
CHILD = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: print("child asked", flush=True))
print("ready", flush=True)
sys.stdin.read()
"""
SUPERVISOR = """
import sys
from pathlib import Path
from config.processes import MARK, Supervisor
from tests.one_machine import SECONDS, Run, own_services, wait_until
supervisor = Supervisor(Path.cwd(), {MARK: sys.argv[1]}, output=sys.stdout)
supervisor.add("worker", ["-c", *sys.argv[2:]])
"""


def start_supervisor(directory: Path, last_line: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR + last_line, str(directory), WORKER, CHILD],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_worker_is_asked_to_stop_before_its_children_are(tmp_path: Path) -> None:
    supervisor = start_supervisor(tmp_path, "supervisor.loop()")
    assert supervisor.stdout
    for line in supervisor.stdout:
        if "ready" in line:
            break

    supervisor.terminate()
    text, _ = supervisor.communicate(timeout=SECONDS)

    assert "worker asked" in text
    assert "child asked" not in text


def test_a_stop_that_is_asked_for_before_the_start_is_obeyed_after_it(tmp_path: Path) -> None:
    supervisor = start_supervisor(tmp_path, "supervisor.terminate(); supervisor.loop()")

    text, _ = supervisor.communicate(timeout=SECONDS)

    assert "worker stopped" in text
    wait_until(lambda: not marked(tmp_path))


# --- leftovers ----------------------------------------------------------------------------------


@contextmanager
def sleeper(
    environ: Mapping[str, str], user: int | None = None
) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(["sleep", "60"], env=dict(environ), user=user)
    yield process
    process.kill()
    process.wait()


def test_leftovers_are_those_with_the_mark_of_this_state_directory(tmp_path: Path) -> None:
    with (
        sleeper({MARK: str(tmp_path)}) as ours,
        sleeper({MARK: f"{tmp_path}-other"}) as of_another,
        sleeper({}) as unmarked,
    ):
        assert end_leftovers(tmp_path) == 1

        assert ours.wait() < 0
        assert (of_another.poll(), unmarked.poll()) == (None, None)


@only_root
def test_a_process_of_another_user_is_no_leftover_of_ours(tmp_path: Path) -> None:
    with sleeper({MARK: str(tmp_path)}, user=65_534) as process:
        assert end_leftovers(tmp_path) == 0

        assert process.poll() is None


# --- what is started ----------------------------------------------------------------------------


def test_all_processes_get_the_ports_that_were_free() -> None:
    env = environment(Path("/state"), Ports(8001, 1026, 8026), {"PATH": "/bin"})

    assert env["SITE_URL"] == "http://localhost:8001"
    assert env["EMAIL_URL"] == "smtp://127.0.0.1:1026"
    assert env["PATH"] == "/bin"
    assert env[MARK] == "/state"


def test_what_the_user_has_set_goes_before() -> None:
    given = {"SITE_URL": "https://news.example.org", "EMAIL_URL": "smtp://relay.example.org"}

    assert environment(Path("/state"), Ports(), given).items() >= given.items()


def test_an_empty_variable_is_not_set() -> None:
    env = environment(Path("/state"), Ports(), {"EMAIL_URL": " "})

    assert env["EMAIL_URL"] == "smtp://127.0.0.1:1025"


def test_there_is_a_catcher_only_for_messages_that_go_to_it() -> None:
    assert "catcher" in commands(Ports(), catcher=True)
    assert "catcher" not in commands(Ports(), catcher=False)


def test_of_busy_ports_the_next_free_one_is_taken() -> None:
    with busy_port() as busy:
        assert Ports(web=busy, smtp=busy, catcher=busy).free().web > busy


def test_ports_end_somewhere() -> None:
    with pytest.raises(RunError, match="no free port from 65536 on"):
        Ports(web=65_536).free()

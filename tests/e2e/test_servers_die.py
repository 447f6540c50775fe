"""PostgreSQL and Redis are killed in mid-run: servers of the test's own, apart from the others'."""

import os
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from config.embedded import Home
from config.embedded.services import Services
from tests import live
from tests.live import Live, wait_until
from tests.smtp_server import ScriptedSMTP, hold

OWN = ("DATABASE_URL", "REDIS_URL", "GODWIT_STATE_DIR")
PEOPLE = [f"r{number:03}@example.org" for number in range(200)]


@pytest.fixture
def services() -> Iterator[Services]:
    # Not tmp_path: root's PostgreSQL runs as an account that may not enter that one.
    directory = Path(tempfile.mkdtemp(prefix="godwit-dies-", dir="/tmp"))
    directory.chmod(0o711)
    services = Services(Home(directory), {})
    services.up()
    yield services
    services.destroy()


def prepare(installation: Live, folder: Path) -> str:
    (folder / "people.csv").write_text("\n".join(["email", *PEOPLE]))
    (folder / "news.html").write_text("<p>News</p><a href='{{ unsubscribe_url }}'>Leave</a>")
    installation.manage("migrate", "--verbosity", "0")
    installation.manage("import_recipients", str(folder / "people.csv"), "--list", "Readers")
    installation.manage(
        "create_template", "News", "--subject", "News", "--html", str(folder / "news.html")
    )
    return installation.manage(
        "create_campaign", "Spring", "--template", "News", "--list", "Readers",
        "--sender", "News <news@example.org>", "--now",
    ).stdout.strip()  # fmt: skip


def kill(services: Services, server: str) -> None:
    [pid] = [status.pid for status in services.status() if status.server == server]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_a_run_goes_on_by_itself_when_a_server_was_killed_and_is_back(
    services: Services, smtp: ScriptedSMTP, tmp_path: Path
) -> None:
    killed_at = {PEOPLE[40]: "postgresql", PEOPLE[120]: "redis"}
    events = {address: threading.Event() for address in killed_at}
    for address, event in events.items():
        smtp.script(hold("dot", event), recipient=address)
    environ = {
        **{name: value for name, value in os.environ.items() if name not in OWN},
        "GODWIT_STATE_DIR": str(services.home.path),
        "EMAIL_URL": smtp.url,
        "REDISPATCH_SECONDS": "1",
        "SWEEP_SECONDS": "1",
    }
    with live.kept(Live(environ, tmp_path)) as installation:
        campaign = prepare(installation, tmp_path)
        installation.worker(queues="campaigns")
        installation.worker(queues="control,maintenance")
        installation.beat()
        for address, server in killed_at.items():
            smtp.wait_for_command(f"RCPT TO:<{address}>")
            kill(services, server)
            # Its message is handed over while the server is away.
            events[address].set()
            wait_until(partial(smtp.messages_to, address), f"{address} got its message")
            services.up()
        wait_until(
            lambda: installation.status(campaign)["run_status"] == "completed", "the run completes"
        )
        status = installation.status(campaign)
        installation.manage("verify_ledger", campaign)

    assert Counter(message.recipient for message in smtp.messages) == Counter(PEOPLE)
    assert status["counts"]["sent"] == 200

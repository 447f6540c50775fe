"""An installation with servers of its own, which may die: nobody else's are touched."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from config.embedded import Home
from config.embedded.services import Services
from tests import live
from tests.live import Live, wait_until

OWN = ("DATABASE_URL", "REDIS_URL", "GODWIT_STATE_DIR")
ENDED = "SELECT 1 FROM campaigns_run WHERE campaign_id = %s AND status = 'completed'"
PEOPLE = [f"r{number:03}@example.org" for number in range(200)]


@contextmanager
def own_services() -> Iterator[Services]:
    # Not tmp_path: root's PostgreSQL runs as an account that may not enter that one.
    directory = Path(tempfile.mkdtemp(prefix="godwit-dies-"))
    directory.chmod(0o711)
    services = Services(Home(directory), {})
    try:
        services.up()
        yield services
    finally:
        services.destroy()


@contextmanager
def installation_on(services: Services, folder: Path, **variables: str) -> Iterator[Live]:
    """Run an installation with a list of `PEOPLE` and something to say to them."""
    foreign = {name: value for name, value in os.environ.items() if name not in OWN}
    environ = {**foreign, "GODWIT_STATE_DIR": str(services.home.path), **variables}
    with live.kept(Live(environ, folder)) as installation:
        _prepare(installation, folder)
        yield installation


def _prepare(installation: Live, folder: Path) -> None:
    (folder / "people.csv").write_text("\n".join(["email", *PEOPLE]))
    (folder / "news.html").write_text("<p>News</p><a href='{{ unsubscribe_url }}'>Leave</a>")
    installation.manage_all(
        ("migrate", "--verbosity", "0"),
        ("import_recipients", str(folder / "people.csv"), "--list", "Readers"),
        ("create_template", "News", "--subject", "News", "--html", str(folder / "news.html")),
    )


def create_campaign(installation: Live, name: str) -> str:
    """Create a campaign to all, due at once; return its id."""
    return installation.manage(
        "create_campaign", name, "--template", "News", "--list", "Readers",
        "--sender", "News <news@example.org>", "--now",
    ).stdout.strip()  # fmt: skip


def wait_for_end(installation: Live, campaign: str) -> dict[str, Any]:
    """Return the campaign's status once its run is completed."""
    database = Home(Path(installation.environ["GODWIT_STATE_DIR"])).database
    server = installation.environ.get("DATABASE_URL") or make_conninfo(
        host=database["HOST"], port=database["PORT"], user=database["USER"], dbname=database["NAME"]
    )

    def ended() -> bool:
        # Not by the command, whose start, again and again, would take the time from the workers.
        with psycopg.connect(server) as connection:
            return connection.execute(ENDED, [campaign]).fetchone() is not None

    wait_until(ended, "the run completes")
    return installation.status(campaign)


def kill(services: Services, server: str) -> None:
    [pid] = [status.pid for status in services.status() if status.server == server]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

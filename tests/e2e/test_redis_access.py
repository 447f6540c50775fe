"""A user of Redis that may do what Godwit needs, and nothing else."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.embedded.redis_server import find_program
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.live import ROOT, wait_until
from tests.smtp_server import ScriptedSMTP

LOOPBACK = "127.0.0.1"
PASSWORD = "keep-it-private"


def rules() -> str:
    """Return what the documentation says that the user may do, with the password of the test."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    [block] = re.findall(r"```\n(user godwit .*?)```", text, flags=re.DOTALL)
    return " ".join(block.split()).replace("PASSWORD", PASSWORD)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[int]:
    """The port of a Redis that knows this user alone, and an administrator."""
    file = tmp_path / "users.acl"
    file.write_text(f"{rules()}\nuser default off\nuser admin on >admin ~* &* +@all\n")
    with closing(socket.create_server((LOOPBACK, 0))) as free:
        port = int(free.getsockname()[1])
    command = [find_program(), "--port", str(port), "--bind", LOOPBACK, "--save", ""]
    command += ["--dir", str(tmp_path), "--aclfile", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        wait_until(lambda: answers(port), "the server answers")
        yield port
        process.terminate()


def admin(port: int) -> redis.Redis:
    return redis.Redis(
        LOOPBACK, port, username="admin", password="admin", retry=Retry(NoBackoff(), 0)
    )


def answers(port: int) -> bool:
    try:
        with admin(port) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_a_campaign_goes_out_with_the_rights_that_the_documentation_names(
    installation: Installation, smtp: ScriptedSMTP, guarded: int
) -> None:
    url = f"redis://godwit:{PASSWORD}@{LOOPBACK}:{guarded}/0"
    with installation(REDIS_URL=url, SWEEP_SECONDS="1") as live:
        campaign, addresses = send_now(30)
        live.worker(with_beat=True)
        run = wait_for_end(campaign)
        said = live.manage("doctor", check=False).stdout

    with admin(guarded) as client:
        refused = {(entry["reason"], entry["object"]) for entry in client.acl_log()}
    assert refused == set()
    assert run.status == "completed"
    assert sorted(each.recipient for each in smtp.messages) == sorted(addresses)
    assert "permission" not in said


@pytest.mark.parametrize(
    "command", [["FLUSHALL"], ["CONFIG", "SET", "dir", "/"], ["GET", "other"], ["ACL", "LIST"]]
)
def test_the_user_does_nothing_else(guarded: int, command: list[str]) -> None:
    with (
        redis.Redis(LOOPBACK, guarded, username="godwit", password=PASSWORD) as client,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        client.execute_command(*command)

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from django.conf import settings

from config.embedded import EmbeddedError, Home
from config.embedded.account import Account
from config.embedded.home import LONGEST_SOCKET_PATH, PLACE_FOR_ROOT, SHORT_PLACE
from config.embedded.postgresql import WHEEL, PostgreSQL
from config.embedded.redis_server import find_program
from config.embedded.services import Services

ROOT = os.geteuid() == 0
PACKAGES = Path(sysconfig.get_path("purelib"))
only_root = pytest.mark.skipif(not ROOT, reason="only root can act as two accounts")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    # Not tmp_path: root's PostgreSQL runs as an account that may not enter that one.
    directory = Path(tempfile.mkdtemp(prefix="godwit-place-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def services(place: Path) -> Iterator[Services]:
    services = Services(home_with_socket_of(LONGEST_SOCKET_PATH, place), {})
    services.up()
    yield services
    services.destroy()


def home_with_socket_of(length: int, place: Path) -> Home:
    rest = len(os.fsencode(place / "x" / "run" / "pg" / ".s.PGSQL.5432")) - 1
    return Home(place / ("x" * (length - rest)))


def connect(home: Home, database: str = "godwit") -> psycopg.Connection[tuple[object, ...]]:
    given = home.database
    return psycopg.connect(
        host=given["HOST"], port=given["PORT"], user=given["USER"], dbname=database, autocommit=True
    )


def pid_of(services: Services, name: str) -> int | None:
    return next(status.pid for status in services.status() if status.server == name)


def states(services: Services) -> list[str]:
    return [status.state for status in services.status()]


def manage(home: Home, *arguments: str, **environ: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, "GODWIT_STATE_DIR": str(home.path), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# --- places and secrets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "/project/.godwit"),
        ("state", "/project/state"),
        ("../state", "/state"),
        ("/elsewhere/state", "/elsewhere/state"),
        ("~/state", str(Path.home().resolve() / "state")),
    ],
)
def test_the_state_directory_is_found_from_any_way_of_writing_it(given: str, expected: str) -> None:
    home = Home.from_environ({"GODWIT_STATE_DIR": given}, base_dir=Path("/project"))

    assert str(home.path) == expected


def test_an_unknown_home_directory_is_one_clear_line() -> None:
    with pytest.raises(EmbeddedError, match=r"^GODWIT_STATE_DIR: .*home directory"):
        Home.from_environ({"GODWIT_STATE_DIR": "~no-such-user/x"}, base_dir=Path("/project"))


def test_sockets_move_out_when_their_path_gets_too_long(place: Path) -> None:
    longest = home_with_socket_of(LONGEST_SOCKET_PATH, place)
    too_long = home_with_socket_of(LONGEST_SOCKET_PATH + 1, place)

    assert longest.sockets == longest.path / "run"
    assert too_long.sockets.parent == SHORT_PLACE


def test_sockets_move_out_of_a_path_that_a_list_of_hosts_would_split(place: Path) -> None:
    assert Home(place / "a,b").sockets.parent == SHORT_PLACE


def test_two_state_directories_have_two_places_for_their_sockets(place: Path) -> None:
    one, other = Home(place / ("x" * 120)), Home(place / ("y" * 120))

    assert one.sockets != other.sockets


def test_a_secret_is_made_once_for_all_who_ask_at_the_same_time(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: Home(tmp_path / "state").secret("secret_key"), range(16)))

    assert len(set(answers)) == 1
    assert len(answers[0]) >= 50
    file = tmp_path / "state" / "secret_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_secrets_differ(tmp_path: Path) -> None:
    home = Home(tmp_path / "state")

    assert home.secret("secret_key") != home.secret("token_key")


def test_a_state_directory_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedError, match=r"cannot be used .*: set GODWIT_STATE_DIR$"):
        Home(tmp_path / "file" / "state").secret("secret_key")


@only_root
def test_the_state_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65_534, -1)

    with pytest.raises(EmbeddedError, match=r"belongs to another user \(uid 65534\)"):
        Services(Home(tmp_path), {}).up()


@only_root
def test_a_place_for_sockets_that_somebody_else_took_is_refused(place: Path) -> None:
    home = Home(place / ("z" * 120))
    home.sockets.mkdir()
    os.chown(home.sockets, 65_534, -1)

    try:
        with pytest.raises(EmbeddedError, match="belongs to another user"):
            Services(home, {}).up()
    finally:
        home.sockets.rmdir()


# --- up, down, status ---------------------------------------------------------------------------


def test_both_servers_answer_after_up(services: Services) -> None:
    with connect(services.home) as connection:
        row = connection.execute("SHOW server_encoding").fetchone()
    client = redis.Redis(unix_socket_path=str(services.home.redis_socket))

    assert row == ("UTF8",)
    assert client.config_get("append*")["appendonly"] == "yes"
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert states(services) == ["up", "up"]


def test_a_second_up_starts_nothing(services: Services) -> None:
    before = services.status()

    assert services.up() == []
    assert services.status() == before


def test_no_server_listens_on_a_port(services: Services) -> None:
    for status in services.status():
        assert psutil.Process(status.pid).net_connections(kind="inet") == []


def test_nobody_else_may_enter_a_socket(services: Services) -> None:
    home = services.home

    for closed in (home.postgresql_sockets, home.redis_socket, home.postgresql, home.redis):
        assert stat.S_IMODE(closed.stat().st_mode) & 0o077 == 0


def test_what_was_committed_outlives_a_kill_of_both_servers(services: Services) -> None:
    with connect(services.home) as connection:
        connection.execute("CREATE TABLE flight AS SELECT 11000 AS kilometres")
    redis.Redis(unix_socket_path=str(services.home.redis_socket)).set("flight", "11000")
    for status in services.status():
        assert status.pid
        os.kill(status.pid, signal.SIGKILL)

    assert services.up() == ["postgresql", "redis"]

    with connect(services.home) as connection:
        assert connection.execute("TABLE flight").fetchall() == [(11000,)]
    assert redis.Redis(unix_socket_path=str(services.home.redis_socket)).get("flight") == b"11000"


def test_a_stale_pid_that_belongs_to_another_process_now_is_no_obstacle(services: Services) -> None:
    server = PostgreSQL(services.home)
    pid = pid_of(services, "postgresql")
    assert pid
    os.kill(pid, signal.SIGKILL)
    # Of the same account: PostgreSQL itself knows better of the processes of others.
    account = services.home.account.uid if ROOT else None
    stranger = subprocess.Popen(["sleep", "60"], user=account)
    pid_file = server.data / "postmaster.pid"
    pid_file.write_text(f"{stranger.pid}\n" + pid_file.read_text().split("\n", 1)[1])

    try:
        assert services.up() == ["postgresql"]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_children_of_a_killed_server_may_finish_before_the_next_one_starts(
    services: Services,
) -> None:
    pid = pid_of(services, "postgresql")
    assert pid
    with closing(connect(services.home)) as connection:
        # Not at the server's main process: it works, and does not look up until it is done.
        connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 5000000)")
        connection.pgconn.flush()
        os.kill(pid, signal.SIGKILL)

        assert services.up() == ["postgresql"]

    assert states(services) == ["up", "up"]


def test_servers_whose_files_were_deleted_make_way_for_new_ones(services: Services) -> None:
    before = {status.pid for status in services.status()}
    for directory in (services.home.postgresql, services.home.sockets, services.home.redis):
        shutil.rmtree(directory)

    assert services.up() == ["postgresql", "redis"]

    assert states(services) == ["up", "up"]
    assert not any(psutil.pid_exists(pid) and alive(pid) for pid in before if pid)


def alive(pid: int) -> bool:
    return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def test_two_processes_that_start_the_same_servers_at_once_share_them(
    services: Services, place: Path
) -> None:
    second = Services(home_with_socket_of(LONGEST_SOCKET_PATH + 1, place), {})

    starts = [manage(second.home, "services", "up", "--json") for _ in range(2)]
    reports = [json.loads(start.communicate()[0]) for start in starts]

    try:
        assert [start.returncode for start in starts] == [0, 0]
        assert reports[0] == reports[1]
        assert {report["state"] for report in reports[0].values()} == {"up"}
        assert len(PostgreSQL(second.home).processes()) == 1
        assert pid_of(second, "postgresql") != pid_of(services, "postgresql")
    finally:
        second.destroy()
    assert states(services) == ["up", "up"]
    assert not second.home.sockets.exists()
    assert not second.home.path.exists()


def test_status_tells_by_its_exit_code_whether_all_are_up(
    services: Services, tmp_path: Path
) -> None:
    up, down = (
        manage(services.home, "services", "status"),
        manage(Home(tmp_path), "services", "status"),
    )

    assert (up.wait(), down.wait()) == (0, 3)


def test_a_server_with_a_url_is_left_alone(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": "postgres://db.example.org/x", "REDIS_URL": "redis://r.example.org"}
    services = Services(Home(tmp_path / "state"), environ)

    assert services.up() == []

    assert states(services) == ["external", "external"]
    assert not services.home.postgresql.exists()
    assert services.down() == []


def test_with_another_broker_there_is_a_redis_for_opens_and_clicks(tmp_path: Path) -> None:
    services = Services(Home(tmp_path / "state"), {"BROKER_URL": "amqp://mq.example.org"})

    assert states(services) == ["down", "down"]


def test_a_server_that_cannot_start_says_why_in_one_line(place: Path) -> None:
    home = Home(place / "broken")
    home.make()
    home.postgresql.mkdir()
    (home.postgresql / "data").mkdir(mode=0o755)

    command = manage(home, "services", "up", REDIS_URL="redis://127.0.0.1:1/0")
    _, errors = command.communicate()

    assert command.returncode == 1
    assert errors.count("\n") == 1
    assert "PostgreSQL did not start: postgres: could not access the server config" in errors


# --- programs -----------------------------------------------------------------------------------


def test_a_redis_on_the_path_is_preferred_unless_it_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, valkey = tmp_path / "redis-server", tmp_path / "valkey-server"
    old.write_text("#!/bin/sh\necho Redis server v=6.0.16 sha=00000000:0\n")
    old.chmod(0o755)
    valkey.write_text("#!/bin/sh\necho Valkey server v=6.2.0 sha=00000000:0\n")
    valkey.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_program() == str(valkey)


def test_without_any_redis_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    with pytest.raises(EmbeddedError, match="install redis-server or valkey-server"):
        find_program()


# --- accounts -----------------------------------------------------------------------------------


@only_root
def test_root_keeps_postgresql_where_its_account_may_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    packages = tmp_path / "packages"
    for name in (WHEEL, f"{WHEEL}.libs"):
        shutil.copytree(PACKAGES / name, packages / name, symlinks=True)
    home = Home(tmp_path / "state")
    services = Services(home, {"REDIS_URL": "redis://r.example.org"})
    closed = {"PYTHONPATH": str(packages), "REDIS_URL": "redis://r.example.org"}

    try:
        assert manage(home, "services", "up", **closed).wait() == 0
        with connect(home) as connection:
            connection.execute("CREATE TABLE flight ()")
        program = Path(psutil.Process(pid_of(services, "postgresql")).exe())
        assert manage(home, "services", "down", **closed).wait() == 0
        assert manage(home, "services", "up", **closed).wait() == 0
        with connect(home) as connection:
            connection.execute("TABLE flight")

        assert home.postgresql.parent == PLACE_FOR_ROOT
        assert program.is_relative_to(home.postgresql)
        assert home.postgresql.owner() == "nobody"
        assert stat.S_IMODE(home.postgresql.stat().st_mode) == 0o700
    finally:
        services.destroy()
    assert not home.postgresql.exists()
    assert not home.sockets.exists()


@only_root
def test_a_user_who_is_not_root_has_servers_of_the_same_kind(place: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    if not Account(nobody.pw_uid, nobody.pw_gid).may_enter(PACKAGES / WHEEL):
        pytest.skip(f"nobody may not enter {PACKAGES}")
    state = place / "of-nobody"
    state.mkdir(mode=0o700)
    os.chown(state, nobody.pw_uid, nobody.pw_gid)
    # Python may be out of nobody's reach: it is loaded by root, who then becomes nobody for good.
    program = (
        "import os, sys; from pathlib import Path\n"
        "from config.embedded import Home; from config.embedded.services import Services\n"
        "make = lambda: Services(Home(Path(sys.argv[1])), {})\n"
        "make().status()\n"
        f"os.setgroups([]); os.setgid({nobody.pw_gid}); os.setuid({nobody.pw_uid})\n"
        "services = make()\n"
        "print(services.up(), services.up(), [s.state for s in services.status()])\n"
        "print([s.data for s in services.status()])\n"
        "services.destroy()\n"
    )

    result = subprocess.run(
        [sys.executable, "-c", program, str(state)],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "['postgresql', 'redis'] [] ['up', 'up']",
        f"['{state}/postgresql/data', '{state}/redis']",
    ]

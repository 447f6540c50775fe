"""PgBouncer before PostgreSQL, which hands a session on after each transaction."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from config.embedded import Home
from config.embedded.server import run_as
from recipients.models import Field, FieldKind
from tests.e2e.steps import Installation, send_now, wait_for_end
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP
from tracking.models import Delivery
from tracking.verify import disagreements

PROGRAM = shutil.which("pgbouncer")
SESSIONS = 4  # of PostgreSQL; more processes than that take part
LISTENS_AT = 6432  # a part of the socket's name

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="no PgBouncer: install pgbouncer (Debian) and have it in the PATH"
)

MEND = "from recipients.segments.indexes import mend_indexes; print(mend_indexes())"
INI = """\
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
unix_socket_dir = {folder}
unix_socket_mode = 0777
listen_addr =
listen_port = {listens_at}
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
logfile = {folder}/log
pidfile =
"""


@pytest.fixture
def pooler(transactional_db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the tests' database by way of PgBouncer."""
    folder = Path(tmp_path_factory.mktemp("pool"))
    database = settings.DATABASES["default"]
    host, port, user = database["HOST"], database["PORT"] or "5432", database["USER"]
    (folder / "ini").write_text(
        INI.format(
            host=host, port=port, user=user, folder=folder, sessions=SESSIONS, listens_at=LISTENS_AT
        )
    )
    account = Home(settings.STATE_DIR).account if os.geteuid() == 0 else None
    if account:  # PgBouncer refuses to run as root, as PostgreSQL does
        for place in (folder, folder / "ini"):
            os.chown(place, account.uid, account.gid)
    for place in (folder.parent, folder.parent.parent):
        place.chmod(0o711)
    process = run_as(account, [str(PROGRAM), str(folder / "ini")], output=subprocess.DEVNULL)
    url = f"postgres://{user}@/{connection.settings_dict['NAME']}?host={folder}&port={LISTENS_AT}"
    try:
        wait_until((folder / f".s.PGSQL.{LISTENS_AT}").exists, "PgBouncer listens")
        yield url
    finally:
        process.kill()
        process.wait()


def test_a_run_completes_by_way_of_a_pooler_with_fewer_sessions_than_processes(
    installation: Installation, smtp: ScriptedSMTP, pooler: str, tmp_path: Path
) -> None:
    with installation(DATABASE_URL=pooler, BEHIND_POOLER="1", SWEEP_SECONDS="1") as live:
        campaign, addresses = send_now(1_000)
        for _ in range(3):
            live.worker(queues="campaigns")
        live.worker(queues="control,maintenance")
        live.worker(queues="imports,tracking,transactional")
        live.beat()
        run = wait_for_end(campaign)
        live.manage("export_deliveries", str(campaign.pk), "--csv", str(tmp_path / "out.csv"))
        facts = live.manage("doctor", "--json", check=False).stdout

    assert Counter(message.recipient for message in smtp.messages) == Counter(addresses)
    assert (run.status, set(Delivery.objects.values_list("state", flat=True))) == (
        "completed", {"sent"},
    )  # fmt: skip
    assert disagreements([run.pk], kept_since=None) == []
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1_001
    assert '"pooler"' not in facts


def test_the_doctor_names_a_pooler_that_nobody_told_of(
    installation: Installation, pooler: str
) -> None:
    with installation(DATABASE_URL=pooler) as live:
        facts = live.manage("doctor", "--json", check=False).stdout

    assert '"pooler"' in facts


def test_no_lock_outlives_who_does_something_alone_by_way_of_a_pooler(
    installation: Installation, pooler: str
) -> None:
    Field.objects.create(name="city", kind=FieldKind.TEXT)
    with installation(DATABASE_URL=pooler, BEHIND_POOLER="1") as live:
        done = live.manage("shell", "-v", "0", "-c", MEND).stdout

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        [[held]] = cursor.fetchall()
    assert "made recipient_field_" in done
    assert held == 0

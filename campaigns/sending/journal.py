"""What a worker does with its claim, written down outside of PostgreSQL, at a few µs a line.

There is a file for each claim, locked by the process that works on it; with the process the lock
goes, however it ends. A file that can be locked is one that a dead worker left behind, and says of
each delivery whether it was answered, or begun, or not touched. What a machine that lost its power
left may be missing: then the lease decides.
"""

import fcntl
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from campaigns.sending.outcomes import Accepted, Deferred, InDoubt, Outcome, Rejected, Scope
from campaigns.sending.record import Result

_SUFFIX = ".journal"
_NAME = re.compile(r"\d+-[0-9a-f]{32}")  # the run's id and the lease
_OUTCOMES = {kind.__name__: kind for kind in (Accepted, Deferred, Rejected, InDoubt)}


@dataclass(slots=True)
class Notes:
    """Which deliveries of a claim were begun, and how those ended that were answered."""

    begun: set[int] = field(default_factory=set)
    answered: dict[int, Result] = field(default_factory=dict)
    is_torn: bool = False  # a part cannot be read: then all that was not answered is in doubt

    def conclude(
        self, deliveries: Iterable[tuple[int, int]], *, untouched: Outcome | None
    ) -> list[Result]:
        """Return a result for each (id, attempts) of the claim.

        What was begun and not answered is in doubt; `untouched` is for what was not begun.
        """
        return [
            self.answered.get(one) or Result(one, attempts, "", self._unanswered(one, untouched))
            for one, attempts in deliveries
        ]

    def _unanswered(self, delivery_id: int, untouched: Outcome | None) -> Outcome | None:
        if self.is_torn or delivery_id in self.begun:
            return InDoubt(diagnostic="the worker was lost while it handed the message over")
        return untouched


class Journal:
    """The notes of a claim that is being worked on, in memory and in a locked file."""

    def __init__(self, directory: Path, *, run_id: int, lease: uuid.UUID) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.notes = Notes()
        self._path = directory / f"{run_id}-{lease.hex}{_SUFFIX}"
        # Locked before it has the name by which `abandoned` finds it.
        unfinished = self._path.with_suffix(".new")
        self._file = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unfinished.rename(self._path)

    def begin(self, delivery_id: int) -> None:
        """Note, before anything is handed over, that it might be."""
        os.write(self._file, b"%d\n" % delivery_id)
        self.notes.begun.add(delivery_id)

    def answer(self, result: Result) -> None:
        os.write(self._file, json.dumps(_as_dict(result)).encode() + b"\n")
        self.notes.answered[result.delivery_id] = result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Remove the file; where the claim could not be recorded, it stays for the sweep."""
        if error is None:
            self._path.unlink()
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Abandoned:
    """What the worker of a claim left behind when it died."""

    run_id: int
    lease: uuid.UUID
    notes: Notes


@contextmanager
def abandoned(path: Path) -> Iterator[Abandoned | None]:
    """Read a journal whose worker is dead, and remove it at the end; None where it lives."""
    with path.open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        run_id = int(path.stem.partition("-")[0])
        yield Abandoned(run_id, lease_of(path), _read(file.read()))
        path.unlink()


def lease_of(path: Path) -> uuid.UUID:
    return uuid.UUID(path.stem.partition("-")[2])


def journals(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob(f"*{_SUFFIX}") if _NAME.fullmatch(path.stem))


def _read(content: bytes) -> Notes:
    notes = Notes()
    # A last line without its end was cut off while it was written: it does not count.
    for line in content.split(b"\n")[:-1]:
        try:
            entry = json.loads(line)
            if isinstance(entry, int):
                notes.begun.add(entry)
            else:
                result = _from_dict(entry)
                notes.answered[result.delivery_id] = result
        except (ValueError, TypeError, KeyError, AttributeError):
            notes.is_torn = True
    return notes


def _as_dict(result: Result) -> dict[str, Any]:
    outcome = result.outcome
    entry = asdict(result)
    if outcome is not None:
        entry["outcome"]["kind"] = type(outcome).__name__
        if isinstance(outcome, Deferred):
            entry["outcome"]["scope"] = outcome.scope.value
    return entry


def _from_dict(entry: dict[str, Any]) -> Result:
    reply = entry.pop("outcome")
    if reply is None:
        return Result(**entry, outcome=None)
    kind = _OUTCOMES[reply.pop("kind")]
    if kind is Deferred:
        reply["scope"] = Scope(reply["scope"])
    return Result(**entry, outcome=kind(**reply))

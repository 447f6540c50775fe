"""What a worker does with its claim, written down outside of PostgreSQL, at less than a µs a note.

There is a file for each claim, locked by the process that works on it; with the process the lock
goes, however it ends. A file that can be locked is one that a dead worker left behind, and says of
each delivery whether it was answered, or begun, or not touched. The file is mapped into memory: a
note costs no system call, and survives the process. What a machine that lost its power left may be
missing: then the lease decides.

One note a line: `k` when the claim is committed, `c<id>` before a delivery is composed, `+` after
it, `b<id> <Message-ID>` before its content is written, and `a` with the answer, in fields.
"""

import fcntl
import mmap
import os
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from campaigns.sending.outcomes import (
    Accepted,
    Cause,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
    SpeaksOf,
    tidy,
)
from campaigns.sending.record import Result
from recipients.recognising import kept

_LOST_SENDING = kept("the worker was lost while it handed the message over")
_LOST_COMPOSING = kept("the worker was lost while it composed the message")
_LOST_COMPOSING_AGAIN = kept("the worker was lost while it composed the message, %(count)s times")
_SUFFIX = ".journal"
_NAME = re.compile(r"\d+-[0-9a-f]{32}")  # the run's id and the lease
_OUTCOMES = {kind.__name__: kind for kind in (Accepted, Deferred, Rejected, InDoubt)}
_SEPARATOR = "\x1f"  # a control, which `tidy` leaves in no text
_BLOCK = 64 * 1024  # by which the file grows: some 400 deliveries
_COMMIT_TAKES = timedelta(seconds=20)  # at most, of a statement whose client is gone
_COMPOSED_AT_MOST = 3  # one that ended its worker so often is not composed again


@dataclass(slots=True)
class Notes:
    """Which deliveries of a claim were begun, and how those ended that were answered."""

    is_claimed: bool = False  # the claim was seen to be committed
    composing: int | None = None  # the one that was being composed when the notes end
    begun: dict[int, str] = field(default_factory=dict)  # with the Message-ID
    answered: dict[int, Result] = field(default_factory=dict)
    is_torn: bool = False  # a part cannot be read: then all that was not answered is in doubt

    def conclude(
        self, deliveries: Iterable[tuple[int, int]], *, untouched: Outcome | None
    ) -> list[Result]:
        """Return a result for each (id, attempts) of the claim.

        What was begun and not answered is in doubt; `untouched` is for what was not begun.
        """
        answered = self.answered
        return [
            answered.get(one) or self._unanswered(one, attempts, untouched)
            for one, attempts in deliveries
        ]

    def _unanswered(self, one: int, attempts: int, untouched: Outcome | None) -> Result:
        if self.is_torn or one in self.begun:
            doubt = InDoubt(diagnostic=_LOST_SENDING)
            return Result(one, attempts, self.begun.get(one, ""), doubt)
        if one == self.composing:
            return Result(one, attempts, "", _lost_while_composing(attempts))
        return Result(one, attempts, "", untouched)


def _lost_while_composing(attempts: int) -> Outcome:
    if attempts >= _COMPOSED_AT_MOST:
        return Rejected(diagnostic=_LOST_COMPOSING_AGAIN % {"count": attempts})
    return Deferred(scope=Scope.RECIPIENT, cause=Cause.OTHER, diagnostic=_LOST_COMPOSING)


class Journal:
    """The notes of a claim that is being worked on, in memory and in a locked file."""

    def __init__(self, directory: Path, *, run_id: int, lease: uuid.UUID) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.notes = Notes()
        self._path = directory / f"{run_id}-{lease.hex}{_SUFFIX}"
        # Locked before it has the name by which `abandoned` finds it.
        unfinished = self._path.with_suffix(".new")
        self._file = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Allocated, not only long: a full disk must be an error here and not end the process.
        os.posix_fallocate(self._file, 0, _BLOCK)
        self._map = mmap.mmap(self._file, _BLOCK)
        self._end = 0
        unfinished.rename(self._path)

    def claimed(self) -> None:
        """Note that the claim is committed, and holds what is to be told of."""
        self._write(b"k\n")

    def compose(self, delivery_id: int) -> None:
        """Note that a delivery is about to be composed: it might bring the process down."""
        self._write(b"c%d\n" % delivery_id)

    def composed(self) -> None:
        self._write(b"+\n")

    def begin(self, delivery_id: int, message_id: str) -> None:
        """Note, before any of its content is written, that it might be handed over."""
        self._write(b"b%d %b\n" % (delivery_id, message_id.encode()))
        self.notes.begun[delivery_id] = message_id

    def answer(self, result: Result) -> None:
        self._write(_as_line(result))
        self.notes.answered[result.delivery_id] = result

    def _write(self, line: bytes) -> None:
        end = self._end + len(line)
        if end > len(self._map):
            os.posix_fallocate(self._file, 0, len(self._map) + _BLOCK)
            self._map.resize(len(self._map) + _BLOCK)
        self._map[self._end : end] = line
        self._end = end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        """Remove the file; where the claim could not be recorded, it stays for the sweep."""
        if error is None:
            self._path.unlink()
        self._map.close()
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class Abandoned:
    """What the worker of a claim left behind when it died."""

    run_id: int
    lease: uuid.UUID
    notes: Notes


@contextmanager
def abandoned(path: Path, *, now: datetime) -> Iterator[Abandoned | None]:
    """Read a journal whose worker is dead, and remove it at the end; None where it lives.

    None also where it died while it claimed, a moment ago: PostgreSQL may still commit the claim.
    """
    with path.open("rb+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        notes = _read(file.read())
        if not notes.is_claimed and path.stat().st_mtime > (now - _COMMIT_TAKES).timestamp():
            yield None
            return
        yield Abandoned(int(path.stem.partition("-")[0]), lease_of(path), notes)
        path.unlink()


def lease_of(path: Path) -> uuid.UUID:
    return uuid.UUID(path.stem.partition("-")[2])


def journals(directory: Path) -> list[Path]:
    return sorted(path for path in directory.glob(f"*{_SUFFIX}") if _NAME.fullmatch(path.stem))


def _read(content: bytes) -> Notes:
    notes = Notes()
    content = content.rstrip(b"\0")
    # A last line without its end was cut off while it was written: it does not count.
    for line in content.split(b"\n")[:-1]:
        try:
            _read_line(notes, line)
        except (ValueError, TypeError, KeyError, IndexError):
            notes.is_torn = True
    return notes


def _read_line(notes: Notes, line: bytes) -> None:
    if line == b"+":
        notes.composing = None
    elif line == b"k":
        notes.is_claimed = True
    elif line.startswith(b"c"):
        notes.composing = int(line[1:])
    elif line.startswith(b"b"):
        delivery_id, _, message_id = line[1:].partition(b" ")
        notes.begun[int(delivery_id)] = message_id.decode()
    elif line.startswith(b"a"):
        result = _from_fields(line[1:].decode().split(_SEPARATOR))
        notes.answered[result.delivery_id] = result
    else:
        raise ValueError("no note")


def _as_line(result: Result) -> bytes:
    fields = [str(result.delivery_id), str(result.attempts), result.message_id]
    if outcome := result.outcome:
        fields += [type(outcome).__name__, str(outcome.reply_code or "")]
        fields += [outcome.enhanced_status_code, tidy(outcome.diagnostic)]
        if isinstance(outcome, Deferred):
            fields += [outcome.scope, outcome.cause]
        elif isinstance(outcome, Rejected):
            fields.append(outcome.speaks_of)
    return b"a%b\n" % _SEPARATOR.join(fields).encode(errors="replace")


def _from_fields(fields: list[str]) -> Result:
    delivery_id, attempts, message_id, *reply = fields
    outcome = _outcome(*reply) if reply else None
    return Result(int(delivery_id), int(attempts), message_id, outcome)


def _outcome(name: str, code: str, enhanced: str, diagnostic: str, *more: str) -> Outcome:
    kind = _OUTCOMES[name]
    said: dict[str, Any] = {
        "reply_code": int(code) if code else None,
        "enhanced_status_code": enhanced,
        "diagnostic": diagnostic,
    }
    if kind is Deferred:
        said |= {"scope": Scope(more[0]), "cause": Cause(more[1])}
    elif kind is Rejected:
        said |= {"speaks_of": SpeaksOf(more[0])}
    return kind(**said)

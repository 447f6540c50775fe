"""Ask SpamAssassin's daemon what it thinks of a message (spamd/PROTOCOL, version 1.5)."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from campaigns.preflight.findings import Finding, Place, Severity
from recipients.translatable import Translatable
from templates_app.daemons import connect

_TIMEOUT = 30.0  # seconds; SpamAssassin itself waits 15 for lists in the DNS
_MOST = 256 * 1024  # bytes of a report
_VERDICT = re.compile(
    r"^Spam:\s*(True|False|Yes|No)\s*;\s*(-?[\d.]+)\s*/\s*(-?[\d.]+)", re.MULTILINE | re.IGNORECASE
)
# Behind it stands the table of rules; before it, what the message itself says.
_TABLE = re.compile(r"^-{4} -{10,} -{10,}\s*$", re.MULTILINE)
# " 1.1 URI_HEX   BODY: what it means", without decimals from ten points on; what goes on in another
# line begins below the text.
_RULE = re.compile(r"^ {0,3}(-?\d+(?:\.\d+)?) ([A-Z][A-Z0-9_]+)\b", re.MULTILINE)


class NoAnswer(Exception):
    """The daemon cannot be asked, or answers something else; the text says why."""


@dataclass(frozen=True, slots=True)
class Score:
    points: float
    threshold: float
    rules: tuple[tuple[str, float], ...]
    """Name and points of each, the worst first."""

    @property
    def is_spam(self) -> bool:
        return self.points >= self.threshold


def ask(message: bytes, *, at: str) -> Score:
    """Return the score of a message.

    :param at: `host:port`, or the path of a socket.
    :raises NoAnswer:
    """
    head = f"REPORT SPAMC/1.5\r\nContent-length: {len(message)}\r\n\r\n".encode()
    try:
        with connect(at, timeout=_TIMEOUT) as connection:
            connection.sendall(head + message)
            connection.shutdown(socket.SHUT_WR)
            answer = _read(connection)
    except OSError as error:
        raise NoAnswer(str(error) or type(error).__name__) from None
    return _score(answer)


def _read(connection: socket.socket) -> str:
    answer = b""
    while len(answer) < _MOST and (piece := connection.recv(65_536)):
        answer += piece
    return answer.decode(errors="replace")


def _score(answer: str) -> Score:
    status = answer.partition("\r\n")[0]
    verdict = _VERDICT.search(answer)
    if not re.match(r"SPAMD/[\d.]+ 0 ", status) or verdict is None:
        raise NoAnswer(f"it answered {status[:80]!r}")
    table = _TABLE.search(answer)
    found = _RULE.findall(answer, table.end()) if table else []
    rules = [(name, float(points)) for points, name in found]
    rules.sort(key=lambda rule: -rule[1])
    return Score(float(verdict[2]), float(verdict[3]), tuple(rules))


def check(message: bytes, *, at: str) -> Iterator[Finding]:
    """Say what SpamAssassin thinks; a score of spam is a warning."""
    try:
        score = ask(message, at=at)
    except NoAnswer as error:
        said = Translatable(
            "SpamAssassin at %(at)s could not be asked: %(error)s", {"at": at, "error": str(error)}
        )
        yield Finding(
            Severity.ADVICE,
            "spam-unasked",
            said,
            Translatable("See whether spamd runs."),
            Place.INSTALLATION,
        )
        return
    named = ", ".join(f"{name} {points:g}" for name, points in score.rules if points > 0)
    points = score.points or 0.0  # spamd knows a zero below zero
    about = {"points": points, "threshold": score.threshold, "rules": named}
    said = Translatable("SpamAssassin gives it %(points)g points; %(threshold)g are spam", about)
    if named:
        said = Translatable(
            "SpamAssassin gives it %(points)g points; %(threshold)g are spam. %(rules)s", about
        )
    severity = Severity.WARNING if score.is_spam else Severity.ADVICE
    yield Finding(severity, "spam-score", said, Translatable("Change what they name."))

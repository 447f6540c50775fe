"""What became of a message that was handed over: the four outcomes, and how a reply is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import NamedTuple

MAX_DIAGNOSTIC = 500

# C0, C1, line and paragraph separators, bidirectional controls, lone surrogates.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_BREAKS = re.compile(r"[\r\n]+")

_CODE = r"([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)"
# RFC 2034: the first word. Some hosts repeat the reply code before it or write "#5.1.1".
_LEADING_CODE = re.compile(rf"(?:[2-5]\d\d[ -])?[(\[]?#?{_CODE}")
# In the middle of a text only where it cannot be a version or a part of an IP address.
_QUOTED_CODE = re.compile(rf"(?:#|[(\[]|\b[2-5]\d\d[ -]){_CODE}")


class Phase(Enum):
    """Where a handing over stands (RFC 5321 §3); DOT begins with the write that ends the data."""

    CONNECT = auto()
    EHLO = auto()
    TLS = auto()
    AUTH = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    DOT = auto()


class Scope(Enum):
    """Whom a deferral speaks of.

    RECIPIENT: it counts as an attempt of this delivery. TRANSPORT: the way out is not there or
    limits us; the attempt does not count, and the caller should stop this chunk.
    """

    RECIPIENT = "recipient"
    TRANSPORT = "transport"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer behind an outcome; the diagnostic is remote text after `tidy`."""

    reply_code: int | None = None
    enhanced_status_code: str = ""
    diagnostic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Reply):
    """The next hop answered 2yz to the end of the data: it took the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred(Reply):
    """Nothing was handed over, and another attempt may succeed."""

    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Reply):
    """Nothing was handed over, and no other attempt will change that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InDoubt(Reply):
    """The message may have been taken: the end of the data was written and no answer was read."""


Outcome = Accepted | Deferred | Rejected | InDoubt


def tidy(text: str) -> str:
    """Return remote text on one line without control characters, in at most 500 characters."""
    if text.isprintable():
        return text[:MAX_DIAGNOSTIC]
    text = _LINE_BREAKS.sub(" ", text)
    return _CONTROLS.sub("", text).strip()[:MAX_DIAGNOSTIC]


def enhanced_status_code(text: str) -> str:
    """Return the enhanced status code of a reply's text, such as "5.1.1", or "" (RFC 3463, 2034).

    A code that a relay quotes from another host counts only where no line begins with one.
    """
    for line in text.splitlines():
        if found := _LEADING_CODE.match(line):
            return found[1]
    quoted = _QUOTED_CODE.search(text)
    return quoted[1] if quoted else ""


class _Rule(NamedTuple):
    name: str
    phases: frozenset[Phase]
    reply: re.Pattern[str]  # matched against "<reply code> <enhanced status code> <text>"
    outcome: Callable[..., Outcome]


def _rule(name: str, phases: set[Phase], reply: str, outcome: Callable[..., Outcome]) -> _Rule:
    return _Rule(name, frozenset(phases), re.compile(reply, re.IGNORECASE | re.DOTALL), outcome)


_BY_RECIPIENT = partial(Deferred, scope=Scope.RECIPIENT)
_BY_TRANSPORT = partial(Deferred, scope=Scope.TRANSPORT)

_SESSION = {Phase.CONNECT, Phase.EHLO, Phase.TLS, Phase.AUTH}
_TRANSACTION = {Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT}

_RATE = (
    r"4.*(4\.7\.(28|5\d\d|6\d\d)\b|rate.?limit|throttl|\[TSS?\d+\]|server busy"
    r"|too many (concurrent |simultaneous )?(connections|messages|e?mails|recipients|sessions)"
    r"|(sending|send|message|connection|transfer) (rate|quota|limit)"
    r"|(message|mail|daily|hourly) (quota|limit|rate) (is |was )?(exceeded|reached)"
    r"|unusual rate|too (fast|quickly))"
)

# The first rule that fits decides. Order: no answer at all, then what the answer says of us, then
# the plain meaning of its first digit. What a rule does not name stays with the recipient.
_RULES = (
    _rule("taken", {Phase.DOT}, r"2", Accepted),
    _rule("no answer to the dot", {Phase.DOT}, r"[^245]", InDoubt),
    _rule("session", _SESSION, r"", _BY_TRANSPORT),
    _rule("lost before a recipient was named", {Phase.MAIL}, r"[^45]", _BY_TRANSPORT),
    # Counted, so that a message which makes its next hop hang up cannot be tried for ever.
    _rule("lost before the dot", {Phase.RCPT, Phase.DATA}, r"[^45]", _BY_RECIPIENT),
    _rule("closing", _TRANSACTION, r"421", _BY_TRANSPORT),
    _rule("relay wants to know us", _TRANSACTION, r"(53[0458]|454 (4\.7\.0|-))", _BY_TRANSPORT),
    _rule(
        "relay does not relay for us",
        {Phase.MAIL, Phase.RCPT},
        r"5.*(relay(ing)? (access )?(denied|not permitted|prohibited)|unable to relay)",
        _BY_TRANSPORT,
    ),
    _rule("our daily limit at the relay", _TRANSACTION, r"5\d\d 5\.4\.5.*limit", _BY_TRANSPORT),
    # X.1.Y and X.2.Y speak of the address and its mailbox: "over quota", "receives too quickly".
    _rule("mailbox", _TRANSACTION, r"4\d\d 4\.[12]\.", _BY_RECIPIENT),
    _rule(
        "authentication of our domain",
        _TRANSACTION,
        r"4\d\d 4\.7\.(2[3-9]|3[0-2]|40)\b",
        _BY_TRANSPORT,
    ),
    _rule("relay is full or closed", _TRANSACTION, r"4\d\d 4\.3\.[12]\b", _BY_TRANSPORT),
    _rule("rate", _TRANSACTION, _RATE, _BY_TRANSPORT),
    _rule("deferral", _TRANSACTION, r"4", _BY_RECIPIENT),
    _rule("rejection", _TRANSACTION, r"5", Rejected),
)


def classify(phase: Phase, reply_code: int | None, text: str) -> Outcome:
    """Return what a reply in a phase means; pass None where no reply could be read.

    A reply that the phase does not allow (a 2yz to DATA, say) is no answer either (RFC 5321 §4.2).
    """
    code = enhanced_status_code(text)
    reply = f"{reply_code or 'none'} {code or '-'} {text}"
    rule = next(rule for rule in _RULES if phase in rule.phases and rule.reply.match(reply))
    return rule.outcome(reply_code=reply_code, enhanced_status_code=code, diagnostic=tidy(text))

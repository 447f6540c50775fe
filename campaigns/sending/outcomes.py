"""What became of a message that was handed over: the four outcomes, and how a reply is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import partial
from typing import NamedTuple

MAX_DIAGNOSTIC = 500
MAX_READ = 1_000  # characters: a reply of a megabyte is no reason to search for minutes

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


class Scope(StrEnum):
    """Whom a deferral speaks of.

    RECIPIENT: it counts as an attempt of this delivery. DOMAIN: all recipients of that domain wait.
    TRANSPORT: the way out is not there or limits us; the caller should stop this chunk. What does
    not speak of the recipient does not count as an attempt.
    """

    RECIPIENT = "recipient"
    DOMAIN = "domain"
    TRANSPORT = "transport"


class Cause(StrEnum):
    """Why nothing was taken; it decides how long to wait.

    AUTHENTICATION: we are not who we should be, or they are not (password, certificate, SPF); a
    person has to do something. CONNECTION: the next hop is not there, closed or full.
    """

    GREYLISTED = "greylisted"
    RATE_LIMITED = "rate_limited"
    MAILBOX_FULL = "mailbox_full"
    CONNECTION = "connection"
    AUTHENTICATION = "authentication"
    OTHER = "other"


class SpeaksOf(StrEnum):
    """What a rejection finds fault with.

    SENDER is all that is ours apart from the message: address, domain, reputation, way of speaking.
    """

    RECIPIENT = "recipient"
    SENDER = "sender"
    CONTENT = "content"


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
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(Reply):
    """Nothing was handed over, and no other attempt will change that.

    What no next hop said (there is no message, or none that may be written) speaks of the content.
    """

    speaks_of: SpeaksOf = SpeaksOf.CONTENT


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


def _deferred(scope: Scope, cause: Cause) -> Callable[..., Outcome]:
    return partial(Deferred, scope=scope, cause=cause)


_GREYLISTED = _deferred(Scope.RECIPIENT, Cause.GREYLISTED)
_MAILBOX_FULL = _deferred(Scope.RECIPIENT, Cause.MAILBOX_FULL)
_LATER = _deferred(Scope.RECIPIENT, Cause.OTHER)
_DOMAIN_LIMITED = _deferred(Scope.DOMAIN, Cause.RATE_LIMITED)
_LIMITED = _deferred(Scope.TRANSPORT, Cause.RATE_LIMITED)
_NOT_THERE = _deferred(Scope.TRANSPORT, Cause.CONNECTION)
_NOT_TRUSTED = _deferred(Scope.TRANSPORT, Cause.AUTHENTICATION)

_FOR_RECIPIENT = partial(Rejected, speaks_of=SpeaksOf.RECIPIENT)
_FOR_SENDER = partial(Rejected, speaks_of=SpeaksOf.SENDER)
_FOR_CONTENT = partial(Rejected, speaks_of=SpeaksOf.CONTENT)

_SESSION = {Phase.CONNECT, Phase.EHLO, Phase.TLS, Phase.AUTH}
_NAMED = {Phase.RCPT, Phase.DATA, Phase.DOT}  # the recipient was
_TRANSACTION = {Phase.MAIL, *_NAMED}
_ANY = {*_SESSION, *_TRANSACTION}

_RATE = (
    r"(rate.?limit|throttl|\[TSS?\d+\]|RP-00\d|DYN:T\d|server (is )?(too )?busy"
    r"|too many (concurrent |simultaneous )?(connections|messages|e?mails|recipients|sessions)"
    r"|too many errors"
    r"|concurrent connections"
    r"|(sending|send|message|connection|transfer) (rate|quota|limit)"
    r"|(message|mail|daily|hourly) (quota|limit|rate) (is |was )?(exceeded|reached)"
    r"|unusual (rate|amount)|too (fast|quickly))"
)
# A relay's word for what its customer may send in a second or a day.
_OUR_RATE = (
    r"(454 .*throttl|4.*((sending|send) (rate|quota|limit)|daily (message |sending )?quota))"
)

_OUR_FAULT = (
    r"(unauthenticated|\b(spf|dkim|dmarc|ptr|rbl)\b|reputation|client host|spamhaus"
    r"|(blocked|listed) (using|by|in|at|on) |black.?list|block.?list|\[PH\d\d\]"
    r"|sender (address )?(rejected|denied|blocked|not )|sending (domain|ip)|your (ip|domain) "
    r"|not (authori[sz]ed|allowed) to send|not owned by)"
)
_FAULT_OF_CONTENT = (
    r"(spam|virus|malware|phish|attachment|(message|its|the) content|content (rejected|policy)"
    r"|(size|length) (exceeds|limit)|exceed\w* (the )?(maximum |message )?size|too (large|big|long)"
    r"|policy (reasons|violation)|message (was )?(rejected|blocked|refused))"
)

# The first rule that fits decides. Order: no answer at all, then what the answer says of us, then
# of one recipient, then the plain meaning of its first digit. "Taken" is read before all of them.
_RULES = (
    _rule("no answer to the dot", {Phase.DOT}, r"[^45]", InDoubt),
    # 4.7.28 is a rate.
    _rule("authentication of our domain", _ANY, r"4\d\d 4\.7\.(2[3-79]|3[0-2]|40)\b", _NOT_TRUSTED),
    _rule("closing because of a rate", _ANY, rf"421 (4\.7\.|.*{_RATE})", _LIMITED),
    _rule("closing", _ANY, r"421", _NOT_THERE),
    _rule("login refused", {Phase.AUTH}, r"([45]|none.*offers n)", _NOT_TRUSTED),
    _rule(
        "not the host that it should be",
        {Phase.CONNECT, Phase.TLS},
        r"none.*(certificate|hostname mismatch|offers no STARTTLS)",
        _NOT_TRUSTED,
    ),
    _rule(
        "relay wants to know us",
        _TRANSACTION | {Phase.EHLO},
        r"(53[0458]|454 (4\.7\.0|-) (?!thrott))",
        _NOT_TRUSTED,
    ),
    _rule("session limited", _SESSION, rf"[45].*{_RATE}", _LIMITED),
    _rule("session", _SESSION, r"", _NOT_THERE),
    # Also after the recipient was named: whom it would strike is known only if it comes again, and
    # a relay that is out of order must not use up everybody's attempts.
    _rule("lost before the dot", {Phase.MAIL, Phase.RCPT, Phase.DATA}, r"[^45]", _NOT_THERE),
    _rule(
        "relay does not relay for us",
        {Phase.MAIL, Phase.RCPT},
        r"5.*(relay(ing)? (access )?(denied|not permitted|prohibited)|unable to relay)",
        _NOT_TRUSTED,
    ),
    _rule("our daily limit at the relay", _TRANSACTION, r"5\d\d 5\.4\.5.*limit", _LIMITED),
    _rule("our rate at the relay", _TRANSACTION, _OUR_RATE, _LIMITED),
    _rule("relay is limited", _TRANSACTION, rf"4\d\d 4\.3\.[12] .*{_RATE}", _LIMITED),
    _rule("relay is full or closed", _TRANSACTION, r"4\d\d 4\.3\.[12] ", _NOT_THERE),
    _rule("greylisted", _TRANSACTION, r"4.*(gr[ae]y.?list|postgrey)", _GREYLISTED),
    _rule("mailbox full", _NAMED, r"4\d\d 4\.2\.2", _MAILBOX_FULL),
    _rule(
        "mailbox full, in words",
        _NAMED,
        r"45[02] .*((mailbox|inbox) .*(full|quota|size|space)|over ?quota|user.*quota|storage)",
        _MAILBOX_FULL,
    ),
    # X.1.Y and X.2.Y speak of the address and its mailbox: "receives mail too quickly".
    _rule(
        "one mailbox is limited", _NAMED, r"4\d\d 4\.[12]\..*(too |rate|limit|quota|busy)", _LATER
    ),
    _rule(
        "rate of the sender", {Phase.MAIL}, rf"4(\d\d 4\.7\.(28|[56]\d\d)\b|.*{_RATE})", _LIMITED
    ),
    _rule("rate", _NAMED, rf"4(\d\d 4\.7\.(28|[56]\d\d)\b|.*{_RATE})", _DOMAIN_LIMITED),
    _rule("relay is full, without a code", {Phase.MAIL}, r"452 -", _NOT_THERE),
    # Most hosts that greylist do not say so.
    _rule("deferral of a recipient", {Phase.RCPT}, r"4", _GREYLISTED),
    _rule("deferral", _TRANSACTION, r"4", _LATER),
    _rule("too large", {Phase.MAIL}, r"5(52|23|\d\d 5\.(3\.4|2\.3)\b)", _FOR_CONTENT),
    _rule("sender refused", {Phase.MAIL}, r"5", _FOR_SENDER),
    _rule("no such mailbox", _NAMED, r"5\d\d 5\.(1\.([0-6]|10)|2\.[12])\b", _FOR_RECIPIENT),
    _rule("content", _NAMED, r"5(23|\d\d 5\.(2\.3|3\.4|6\.\d+|7\.(0|9|350))\b)", _FOR_CONTENT),
    _rule(
        "our standing",
        _NAMED,
        rf"5(\d\d 5\.(1\.[78]|7\.(2[3-9]|3[0-2]|40|[5-7]\d\d))\b|.*{_OUR_FAULT})",
        _FOR_SENDER,
    ),
    _rule("content, in words", _NAMED, rf"5.*{_FAULT_OF_CONTENT}", _FOR_CONTENT),
    _rule("our SMTP", {Phase.DATA, Phase.DOT}, r"5(0[0-4]|55)", _FOR_SENDER),
    _rule("rejection", _NAMED, r"5", _FOR_RECIPIENT),
)


def classify(phase: Phase, reply_code: int | None, text: str) -> Outcome:
    """Return what a reply in a phase means; pass None where no reply could be read.

    A reply that the phase does not allow (a 2yz to DATA, say) is no answer either (RFC 5321 §4.2).
    """
    code = enhanced_status_code(text)
    if phase is Phase.DOT and reply_code is not None and 200 <= reply_code < 300:
        # Nearly every message ends here.
        return Accepted(reply_code=reply_code, enhanced_status_code=code, diagnostic=tidy(text))
    reply = f"{reply_code or 'none'} {code or '-'} {text[:MAX_READ]}"
    rule = next(rule for rule in _RULES if phase in rule.phases and rule.reply.match(reply))
    return rule.outcome(reply_code=reply_code, enhanced_status_code=code, diagnostic=tidy(text))

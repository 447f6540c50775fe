"""Tell from an answer why a message was not taken, and whether its address will ever take one.

Servers say the reason in the words of their operators, in an enhanced status code (RFC 3463), in
both, or in words and a code that contradict each other. So the rules are ordered: what concerns
the sender or the moment comes before what concerns the address, because "5.1.1" stands in refusals
for spam as well. A reply code alone (550) says nothing about why.
"""

import re
from typing import NamedTuple

from tracking.bounces import rules
from tracking.models import Category

# The codes that may suppress an address at once, and those only: no such mailbox, no such domain,
# no valid address, moved without telling where to, and 5.1.10: null MX (RFC 7505) or, from
# Exchange, no such recipient.
STRICT = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
_TEXT = 2_000  # characters that are looked at

_REPLY = re.compile(r"(?<![\w.:-])([45]\d\d)(?=[ \-:,;<#]|$)")
_ENHANCED = re.compile(r"(?<![\w.])([45]\.\d{1,3}\.\d{1,3})(?!\d|\.\d)")
# At its place in an answer rather than anywhere.
_PLACED = re.compile(r"(?<![\w.])[45]\d\d[ -]{1,2}\(?#?([45]\.\d{1,3}\.\d{1,3})(?!\d|\.\d)")
_ADDRESS = re.compile(r"<?(?<![^\s<>,;:()\"'])[^\s<>@,;:()\"']{1,64}@[^\s<>,;:()\"']{1,255}>?")
_URL = re.compile(r"https?://([^\s/?#<>\"']{1,200})[^\s<>\"']{0,500}")
_CONTINUED = re.compile(r"[\r\n]+\s{0,20}[45]\d\d-(?:[45]\.\d{1,3}\.\d{1,3})?")

_LATER = re.compile(rules.LATER)

# Of words that say nothing, by what the code begins with.
_CLASSES = (
    ("5.7.", Category.POLICY_REPUTATION),
    ("5.6.", Category.POLICY_CONTENT),
    ("5.1.", Category.INVALID_ADDRESS),
    ("5.3.", Category.TRANSIENT),
    ("5.4.", Category.TRANSIENT),
    ("4.", Category.TRANSIENT),
)


class Codes(NamedTuple):
    """The codes in an answer."""

    reply_code: int | None
    enhanced: str  # "" for none


def codes(text: str) -> Codes:
    """Return the reply code and the enhanced status code that stand in a text."""
    text = text[:_TEXT]
    reply = _REPLY.search(text)
    enhanced = _PLACED.search(text) or _ENHANCED.search(text)
    return Codes(int(reply[1]) if reply else None, _plain(enhanced[1]) if enhanced else "")


def classify(
    reply_code: int | None, enhanced: str, text: str, *, is_derived: bool = False
) -> tuple[Category, bool]:
    """Return why a message was refused, and whether that is for good (hard).

    :param enhanced: as the report says it; a code within the text goes before it
    :param text: what the server wrote, in whatever language; 2,000 characters of it count
    :param is_derived: the enhanced code may be the reporter's guess from the reply code: it is
        believed only where the words agree (Sendmail makes 5.1.1 of every 550 to RCPT)
    """
    found = codes(text)
    code = found.enhanced or _plain(enhanced)
    reply = reply_code or found.reply_code
    words = _words(text)
    category = _by_rules(code, words) or _by_class(code, reply)
    return category, (
        category in {Category.INVALID_ADDRESS, Category.INVALID_DOMAIN}
        and code in STRICT
        and not (reply and reply < 500)
        and not _LATER.search(words)
        and (bool(found.enhanced) or not is_derived or _agree(words))
    )


def _plain(code: str) -> str:
    """Return an enhanced code without leading zeros; "" for what is none, or no failure."""
    found = _ENHANCED.search(code)
    return ".".join(str(int(number)) for number in found[1].split(".")) if found else ""


def _words(text: str) -> str:
    """Return the text in lower case, on one line, without addresses and with bare hosts for URLs.

    A local part is no reason ("blocked@…"), and neither is the path of a page that explains it.
    """
    text = _CONTINUED.sub(" ", text[:_TEXT])
    text = _ADDRESS.sub(" ", _URL.sub(r"\1", text))
    return " ".join(text.split()).lower().replace("\u2019", "'")


def _by_rules(code: str, words: str) -> Category | None:
    return next((rule.category for rule in rules.RULES if rule.matches(code, words)), None)


def _by_class(code: str, reply: int | None) -> Category:
    for start, category in _CLASSES:
        if code.startswith(start):
            return category
    return Category.TRANSIENT if reply and reply < 500 and not code else Category.UNKNOWN


def _agree(words: str) -> bool:
    """Return whether the words say that it is the address."""
    return rules.ADDRESS.matches("", words) or rules.DOMAIN.matches("", words)

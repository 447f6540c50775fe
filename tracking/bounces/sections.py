"""Find what a notice for people says about each of several recipients."""

import re
from collections.abc import Iterable

from tracking.bounces.addresses import addresses

DIAGNOSTIC = 2_000  # characters
_LINE = 1_000  # characters
_LINES = 400
_END = re.compile(r"\s*(?:$|[-=*_]{3})")
_CODE = re.compile(r"(?<![\d.:-])[45]\d\d(?:[ :-]|$)|(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])")


def sections(notice: str, known: Iterable[str]) -> dict[str, str]:
    """Return, by address in lower case, the lines from where it stands up to where another does."""
    lines: dict[str, list[str]] = {address.lower(): [] for address in known}
    current: list[str] = []
    for line in _lines(notice):
        named = [a for each in addresses(line) if (a := each.lower()) in lines]
        current = named or current
        for address in current:
            lines[address].append(line)
    return {address: "\n".join(found).strip() for address, found in lines.items()}


def diagnostic(section: str) -> str:
    """Return the lines from the first one with a code in it up to an empty one or a rule."""
    lines = _lines(section)
    start = next((n for n, line in enumerate(lines) if _CODE.search(line)), len(lines))
    end = next((n for n in range(start, len(lines)) if _END.match(lines[n])), len(lines))
    return "\n".join(line.strip() for line in lines[start:end])[:DIAGNOSTIC]


def _lines(text: str) -> list[str]:
    return [line[:_LINE] for line in text.split("\n", _LINES)[:_LINES]]

"""Languages by their tags (BCP 47): which content a reader gets, and which way it is written."""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.core import get_global

# Those that somebody writes letters in today.
_RIGHT_TO_LEFT = frozenset(
    {"adlm", "arab", "aran", "armi", "gara", "hebr", "mand", "mend", "nkoo", "rohg", "samr"}
    | {"syrc", "thaa", "yezi"}
)
_SCRIPT = re.compile(r"[a-z]{2,3}(?:-[a-z]{3}){0,3}-([a-z]{4})(?![^-])")
_REGION = re.compile(r"[a-z]{2,3}(?:-[a-z]{3}){0,3}-([a-z]{2})(?![^-])")


def lookup(language: str, available: Collection[str]) -> str | None:
    """Return the tag of `available` that fits a reader best (RFC 4647 3.4), or None.

    What is more special than the reader's language does not fit: `pt` is not served `pt-BR`.

    :param available: tags in lower case.
    """
    subtags = language.lower().replace("_", "-").split("-")
    while subtags:
        tag = "-".join(subtags)
        if tag in available:
            return tag
        subtags.pop()
        while subtags and len(subtags[-1]) == 1:  # `x` and other singletons say nothing alone
            subtags.pop()
    return None


def chosen(language: str, tags: Sequence[str]) -> int:
    """Return the place of the text that a reader gets, among those of these languages.

    :param tags: the first one's is what all get whom no other fits; it may be unknown, so empty.
    """
    places = {tag.lower(): place for place, tag in reversed([*enumerate(tags)])}
    return places[lookup(language, places) or tags[0].lower()]


def is_right_to_left(language: str) -> bool:
    """Whether text in this language begins at the right; one that is unknown does not."""
    return _script(language.lower().replace("_", "-")) in _RIGHT_TO_LEFT


def _script(tag: str) -> str:
    """Return the script that a tag names, or in which its language is written there (CLDR)."""
    if named := _SCRIPT.match(tag):
        return named[1]
    language, region = tag.partition("-")[0], _REGION.match(tag)
    language = get_global("language_aliases").get(language, language).partition("_")[0]
    likely = get_global("likely_subtags")
    found = likely.get(f"{language}_{region[1].upper()}" if region else "") or likely.get(language)
    return found.split("_")[1].lower() if found else ""


@lru_cache(maxsize=256)
def locale_of(language: str) -> Locale:
    """Return how a language writes dates and numbers; English where nobody knows."""
    subtags = language.replace("_", "-").split("-")
    for count in range(len(subtags), 0, -1):
        try:
            return Locale.parse("-".join(subtags[:count]), sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")

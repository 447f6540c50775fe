"""Languages by their tags (BCP 47): which content a reader gets, and which way it is written."""

from collections.abc import Collection, Sequence
from functools import lru_cache

from babel import Locale, UnknownLocaleError

# Of scripts, by the subtag that names one, or by the language that is written in it as a rule.
_RIGHT_TO_LEFT_SCRIPTS = frozenset({"adlm", "arab", "hebr", "mand", "nkoo", "rohg", "syrc", "thaa"})
_RIGHT_TO_LEFT = frozenset(
    {"ar", "arc", "az-ir", "bal", "bgn", "ckb", "dv", "fa", "glk", "he", "iw", "ji", "ks", "lrc"}
    | {"mzn", "nqo", "pnb", "prs", "ps", "sd", "skr", "syr", "ug", "ur", "yi"}
)
_SCRIPT_LENGTH = 4


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
    subtags = language.lower().split("-")
    scripts = [each for each in subtags[1:3] if len(each) == _SCRIPT_LENGTH and each.isalpha()]
    if scripts:
        return scripts[0] in _RIGHT_TO_LEFT_SCRIPTS
    return lookup(language, _RIGHT_TO_LEFT) is not None


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

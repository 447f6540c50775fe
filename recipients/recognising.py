"""Sentences of ours that rows keep in English, beside answers of servers, and people read later.

A column of the ledger, or why a run waits, holds what a server said or what we say ourselves, as
commands, logs and programs have it. Whoever reads it on a page gets what is ours in their own
language: it is known by the form that it was made of.
"""

import re
from dataclasses import dataclass

from django.utils.translation import override

from recipients.translatable import Translatable

_PLACE = re.compile(r"%\\\((\w+)\\\)([sr])")  # as `re.escape` writes %(name)s
_FOUND = {"s": r"(?P<\1>.*)", "r": r"'(?P<\1>.*)'"}
_SHORT = {"(?P<label>.*)": "(?P<label>[^;:]*)", "(?P<count>.*)": r"(?P<count>\S*)"}


@dataclass(frozen=True, slots=True)
class _Form:
    text: str
    pattern: re.Pattern[str]
    is_ours: str


_FORMS: dict[str, _Form] = {}


def kept(text: str, *, is_ours: str = "") -> str:
    """Note a form of the sentences that rows keep, and return it.

    `LATE = kept("due at %(at)s UTC")` is one. What stands in a place is such a sentence itself, or
    anything; in `%(label)s`, a label of ours. It is noted when its module is loaded, which is with
    the addresses of the pages at the latest.

    :param is_ours: the place which holds another sentence of ours. Where it does not, neither is
        the whole one: so much would fit what a server says.
    """
    escaped = re.escape(text).replace("%%", "%")
    pattern = _PLACE.sub(lambda at: at.expand(_FOUND[at[2]]), escaped)
    for wide, narrow in _SHORT.items():
        pattern = pattern.replace(wide, narrow)
    _FORMS[text] = _Form(text, re.compile(pattern, re.DOTALL), is_ours)
    return text


def english(text: object) -> str:
    """Return a text of ours as rows keep it, whoever asks."""
    with override("en"):
        return str(text)


def known(said: str) -> Translatable | str:
    """Return an English sentence as one that can be translated; one of no form of ours as it is."""
    if said in _FORMS:
        return Translatable(said)
    # First those around another sentence: its own form would take all of them for its last part.
    for form in sorted(_FORMS.values(), key=lambda form: not form.is_ours):
        if found := form.pattern.fullmatch(said):
            parts = {name: _part(name, said) for name, said in found.groupdict().items()}
            if not form.is_ours or isinstance(parts[form.is_ours], Translatable):
                return Translatable(form.text, parts)
    return said


def _part(name: str, said: str) -> Translatable | str:
    return Translatable(said) if name == "label" else known(said)


def read(said: str) -> str:
    """Say an English sentence in the language of the reader."""
    return str(known(said))

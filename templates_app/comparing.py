"""What changed from one version of a template to another, line by line and word by word."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from templates_app.drafts import Draft, Written

Kind = Literal["same", "removed", "added", "skipped"]

_AROUND = 3  # lines shown before and after a change
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_LONGEST = 2_000  # characters of a line whose words are compared
_MANY = 2_000  # lines
_MOST_PAIRS = 2_000_000  # of words that are held against each other; takes a second or two
_PARTS = ("subject", "preheader", "source", "text")


@dataclass(frozen=True, slots=True)
class Word:
    """A run of characters, and whether it is in this line alone."""

    text: str
    is_changed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is shown; `before` and `after` are its numbers, None where it is not."""

    kind: Kind
    before: int | None
    after: int | None
    words: tuple[Word, ...] = ()

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class Change:
    """What is different in one part of one language."""

    part: str  # subject, preheader, source, text, kind, layout, link_parameters, is_raw, language
    language: str
    lines: tuple[Line, ...]


@dataclass(slots=True)
class _Budget:
    """Keeps those who look at a page from waiting for minutes."""

    pairs: int = _MOST_PAIRS

    def affords(self, pairs: int) -> bool:
        self.pairs -= pairs
        return self.pairs >= 0


def compare(old: Draft, new: Draft) -> list[Change]:
    """List the parts that differ, the settings of the template first, then each language."""
    budget = _Budget()
    changes = [
        _change(part, "", str(getattr(old, part)), str(getattr(new, part)), budget)
        for part in ("kind", "layout", "link_parameters")
    ]
    changes.append(_change("is_raw", "", _yes_or_no(old.is_raw), _yes_or_no(new.is_raw), budget))
    changes.append(_change("language", "", _language(old), _language(new), budget))
    before, after = _by_language(old), _by_language(new)
    for key in dict.fromkeys([*before, *after]):
        one, other = before.get(key), after.get(key)
        language = (other or one or Written("", "")).language
        changes += [
            _change(part, language, getattr(one, part, ""), getattr(other, part, ""), budget)
            for part in _PARTS
        ]
    return [change for change in changes if change.lines]


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _language(draft: Draft) -> str:
    return draft.written[0].language


def _by_language(draft: Draft) -> dict[str | None, Written]:
    """Return the texts by their language, the fallback as None: it is compared with itself."""
    fallback, *others = draft.written
    return {None: fallback} | {each.language: each for each in others}


def _change(part: str, language: str, before: str, after: str, budget: _Budget) -> Change:
    lines = _lines(before.splitlines(), after.splitlines(), budget) if before != after else ()
    return Change(part, language, tuple(lines))


def _lines(before: list[str], after: list[str], budget: _Budget) -> Iterator[Line]:
    # Lines that are everywhere make long texts slow to compare.
    is_long = max(len(before), len(after)) > _MANY
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=is_long)
    last = 0
    for group in matcher.get_grouped_opcodes(_AROUND):
        start = group[0][1]
        if start > last:
            yield Line("skipped", last + 1, None)
        for kind, one, two, three, four in group:
            if kind == "equal":
                yield from _same(before[one:two], one, three)
            else:
                yield from _replaced(before[one:two], after[three:four], one, three, budget)
        last = group[-1][2]
    if last < len(before):
        yield Line("skipped", last + 1, None)


def _same(lines: list[str], before: int, after: int) -> Iterator[Line]:
    for shift, text in enumerate(lines, 1):
        yield Line("same", before + shift, after + shift, (Word(text),))


def _replaced(
    old: list[str], new: list[str], before: int, after: int, budget: _Budget
) -> Iterator[Line]:
    pairs = [_words(one, other, budget) for one, other in zip(old, new, strict=False)]
    for shift, text in enumerate(old, 1):
        words = pairs[shift - 1][0] if shift <= len(pairs) else (Word(text, True),)
        yield Line("removed", before + shift, None, words)
    for shift, text in enumerate(new, 1):
        words = pairs[shift - 1][1] if shift <= len(pairs) else (Word(text, True),)
        yield Line("added", None, after + shift, words)


def _words(old: str, new: str, budget: _Budget) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    whole = (Word(old, True),), (Word(new, True),)
    if max(len(old), len(new)) > _LONGEST:
        return whole
    one, other = _WORDS.findall(old), _WORDS.findall(new)
    if not budget.affords(len(one) * len(other)):
        return whole
    removed, added = list[Word](), list[Word]()
    matcher = difflib.SequenceMatcher(None, one, other)  # of many words, without the usual ones
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        is_changed = kind != "equal"
        removed += [Word("".join(one[start:end]), is_changed)] if end > start else []
        added += (
            [Word("".join(other[new_start:new_end]), is_changed)] if new_end > new_start else []
        )
    return tuple(removed), tuple(added)

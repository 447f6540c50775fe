"""What a condition asks of single fields, as far as it says so simply.

`city == 'Nome' and not vip` does; of `points | int > 3` nothing is known, which is always right:
who is found by what is known is then asked by the engine itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from minijinja import eval_expr

_SIGNS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_JOINS = frozenset({"and", "or"})


@dataclass(frozen=True, slots=True)
class Test:
    """What one field must be: `==`, `<`, `<=`, `>`, `>=`, `in` (has the value in it), "" (true)."""

    __test__ = False  # pytest's, by the name

    field: str
    sign: str = ""
    value: str | float | None = None
    is_denied: bool = False

    def denied(self) -> "Test":
        return replace(self, is_denied=not self.is_denied)


def tests_of(word: str, words: Sequence[str], *, holds: bool) -> tuple[Test, ...]:
    """Return what is so of fields where a condition, or a loop, is entered, or (`holds`) is not.

    :param word: if, elif or for
    :param words: those behind it
    """
    if word == "for":
        words = words[words.index("in") + 1 :] if "in" in words else ()
        words = [] if "if" in words else words[:1]
    joins = {each for each in words if each in _JOINS}
    if len(joins) > 1 or joins - {"and" if holds else "or"} or {"(", "if"} & {*words}:
        return ()
    parts = [list(part) for is_join, part in groupby(words, _JOINS.__contains__) if not is_join]
    return tuple(test if holds else test.denied() for part in parts for test in _test(part))


def _test(words: Sequence[str]) -> Iterator[Test]:
    match words:
        case ["not", *rest] if rest[:1] != ["not"]:
            yield from (test.denied() for test in _test(rest))
        case [name] if _is_name(name):
            yield Test(name)
        case [name, "is", "defined"] if _is_name(name):
            yield Test(name)
        case [name, "is", "undefined"] | [name, "is", "not", "defined"] if _is_name(name):
            yield Test(name).denied()
        case [name, sign, literal] if _is_name(name) and sign in _SIGNS and _is_literal(literal):
            test = Test(name, "==" if sign == "!=" else sign, eval_expr(literal))
            yield test.denied() if sign == "!=" else test
        case [literal, "in", name, *rest] if _holds(literal, name, rest):
            yield Test(name, "in", eval_expr(literal))
        case [literal, "not", "in", name, *rest] if _holds(literal, name, rest):
            yield Test(name, "in", eval_expr(literal)).denied()


def _holds(literal: str, name: str, rest: Sequence[str]) -> bool:
    return literal[0] in "\"'" and _is_name(name) and rest[:2] in ([], ["|", "split"])


def _is_name(word: str) -> bool:
    return word.isidentifier() and word.lower() not in {"true", "false", "none", "not"}


def _is_literal(word: str) -> bool:
    return word[0] in "\"'" or word.isdecimal() or word.replace(".", "", 1).isdecimal()

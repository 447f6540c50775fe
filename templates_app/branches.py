"""Find readers who get each variant of what a template says: each condition, loop and default.

The engine itself says which way a rendering takes: a mark is put at the beginning of each branch,
and what is rendered has the marks of the branches that it went through.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.utils.translation import gettext as _
from minijinja import eval_expr

from templates_app.conditions import Test, tests_of
from templates_app.grammar import Step, steps
from templates_app.rendering import Compiled, NotPlain, compile_content

_Who = TypeVar("_Who")

_MARK = "\ue100{}\ue101"
_MARKS = re.compile("\ue100([0-9]+)\ue101")
_MOST_BRANCHES = 200
_MOST_TRIES = 3_000
_MISSING = object()
_DATES = frozenset({"date", "datetime", "time"})
_NUMBERS = frozenset({"currency", "float", "int", "money", "number", "percent", "plural", "round"})


@dataclass(frozen=True, slots=True)
class Branch:
    """One way through a template."""

    title: str
    names: tuple[str, ...]
    """The fields that decide on it."""
    tests: tuple[Test, ...] = ()
    """What is so of single fields of all who get it."""


@dataclass(frozen=True, slots=True)
class Sample(Generic[_Who]):
    """Somebody who gets a branch: known (`who`), invented (`values`), or found by nobody."""

    branch: Branch
    who: _Who | None = None
    values: Mapping[str, Any] | None = None

    @property
    def is_found(self) -> bool:
        return self.who is not None or self.values is not None


@dataclass(slots=True)
class _Block:
    title: str
    names: set[str]
    is_loop: bool
    entered: tuple[Test, ...]  # what is so in the branch that is read
    passed: tuple[Test, ...]  # what is so behind all branches until now
    has_else: bool = False


class Ways:
    """The ways through the content for one language.

    :raises RenderError: it is no template.
    """

    def __init__(self, *, subject: str, html: str, text: str, language: str = "") -> None:
        self.branches: list[Branch] = []
        self._numbers: dict[str, int] = {}
        self._steps: list[Step] = []
        self._origins: dict[str, set[str]] = {}
        marked = [self._marked(part) for part in (subject, html, text)]
        self._compiled: Compiled = compile_content(
            subject=marked[0], html=marked[1], text=marked[2], language=language
        )

    @property
    def reads(self) -> list[str]:
        """Return the names of all that it reads, by name."""
        return sorted(self._fields({name for step in self._steps for name in step.fields}))

    def taken(self, context: Mapping[str, Any]) -> set[int]:
        """Return the numbers of the branches that somebody gets; of none if nothing is rendered."""
        try:
            rendered = self._compiled.render(context)
        except (NotPlain, ValueError):
            return set()
        whole = f"{rendered.subject}{rendered.html}{rendered.text}"
        return {int(number) for number in _MARKS.findall(whole)}

    def samples(
        self,
        readers: Iterable[tuple[_Who, Mapping[str, Any]]],
        base: Mapping[str, Any],
        search: Callable[[Branch], Iterable[tuple[_Who, Mapping[str, Any]]]] = lambda _branch: (),
    ) -> list[Sample[_Who]]:
        """Find somebody for each branch: the first of the readers who gets it, else invent values.

        :param base: a value for each field that the template reads.
        :param search: finds more readers, who may get a branch that none of the first gets.
        """
        known: dict[int, _Who] = {}
        self._look(readers, known, wanted=len(self.branches))
        for number, branch in enumerate(self.branches):
            if number not in known:
                self._look(search(branch), known, wanted=len(known) + 1)
        values = self._invented(set(range(len(self.branches))) - known.keys(), base)
        return [
            Sample(branch, known.get(number), values.get(number))
            for number, branch in enumerate(self.branches)
        ]

    def _look(
        self,
        readers: Iterable[tuple[_Who, Mapping[str, Any]]],
        known: dict[int, _Who],
        *,
        wanted: int,
    ) -> None:
        """Note who gets which branch, until somebody is known for so many of them."""
        for who, context in readers:
            for number in self.taken(context):
                known.setdefault(number, who)
            if len(known) >= wanted:
                break

    def shaped(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values, with lists and groups where the template reads such."""
        return {name: self._candidates(name, value)[0] for name, value in base.items()}

    def _invented(self, wanted: set[int], base: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        shaped = self.shaped(base)
        left = _MOST_TRIES
        for number in sorted(wanted):
            for values in self._tries(self.branches[number], shaped):
                if number in found or not left:
                    break
                left -= 1
                for taken in self.taken(values):
                    found.setdefault(taken, values)
        return found

    def _tries(self, branch: Branch, base: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        names = [name for name in branch.names if name in base]
        options = [self._candidates(name, base[name]) for name in names]
        for chosen in itertools.product(*options):
            values = {**base, **dict(zip(names, chosen, strict=True))}
            yield {name: value for name, value in values.items() if value is not _MISSING}

    def _candidates(self, name: str, value: Any) -> list[Any]:
        """Return what a field may hold to decide a condition, what is usual first."""
        about = self._about(name)
        loops = [step for step in self._steps if step.word == "for" and name in step.fields]
        attributes = [key for step in about for owner, key in step.attributes if owner == name]
        if loops:
            return self._lists({target for step in loops for target in step.targets}, value)
        if attributes:
            return [{key: _usual(key, about, "Sample") for key in attributes}, _MISSING]
        behind = [step for step in self._steps if name in self._fields({*step.fields})]
        return [_usual(name, about, value), *_values_near(behind), _MISSING]

    def _lists(self, targets: set[str], value: Any) -> list[Any]:
        about = [step for target in targets for step in self._about(target)]
        keys = {key for step in about for owner, key in step.attributes if owner in targets}
        usual = {key: _usual(key, about, "Sample") for key in sorted(keys)}
        item = usual or _usual("", about, str(value))
        near = _values_near(about)
        others = [{**item, key: other} for key in sorted(keys) for other in near] if keys else near
        return [[item] * 3, [item], [], *([other] for other in others), _MISSING]

    def _about(self, name: str) -> list[Step]:
        return [step for step in self._steps if name in step.fields]

    # --- putting the marks ---------------------------------------------------------------------

    def _marked(self, source: str) -> str:
        """Return the source with a mark at the beginning of each of its branches."""
        pieces, end, blocks = list[str](), 0, list[_Block]()
        for step in steps(source):
            self._steps.append(step)
            self._remember(step)
            before, after = self._marks_at(step, _title(source, step), blocks)
            pieces += [source[end : step.start], before, source[step.start : step.end], after]
            end = step.end
        return "".join([*pieces, source[end:]])

    def _marks_at(self, step: Step, title: str, blocks: list[_Block]) -> tuple[str, str]:
        match step.word:
            case "if" | "for":
                before = self._defaults(step, blocks)
                entered, passed = (
                    tests_of(step.word, step.words, holds=holds) for holds in (True, False)
                )
                is_loop = step.word == "for"
                blocks.append(_Block(title, set(step.fields), is_loop, entered, passed))
                return before, self._mark(title, blocks)
            case "elif" if blocks:
                blocks[-1].names |= set(step.fields)
                blocks[-1].entered = blocks[-1].passed + tests_of("elif", step.words, holds=True)
                blocks[-1].passed += tests_of("elif", step.words, holds=False)
                return "", self._mark(title, blocks)
            case "else" if blocks:
                blocks[-1].has_else, blocks[-1].entered = True, blocks[-1].passed
                return "", self._mark(_otherwise(blocks[-1]), blocks)
            case "endif" | "endfor" if blocks:
                blocks[-1].entered = blocks[-1].passed
                mark = self._mark(_otherwise(blocks[-1]), blocks) if not blocks[-1].has_else else ""
                blocks.pop()
                return mark and f"{{% else %}}{mark}", ""
        return self._defaults(step, blocks), ""

    def _defaults(self, step: Step, blocks: list[_Block]) -> str:
        return "".join(
            f"{{% if {name} is defined and {name} != '' %}}"
            + self._mark(_("%(name)s has a value") % {"name": name}, blocks, Test(name))
            + "{% else %}"
            + self._mark(
                _("%(name)s has no value: its default") % {"name": name},
                blocks,
                Test(name).denied(),
            )
            + "{% endif %}"
            for name in step.defaults
        )

    def _mark(self, title: str, blocks: list[_Block], *tests: Test) -> str:
        """Return the mark of a branch; the same question in the same place is the same branch."""
        within = title
        for block in reversed(blocks[:-1]):
            within = _("%(branch)s in %(block)s") % {"branch": within, "block": block.title}
        if within not in self._numbers:
            if len(self.branches) == _MOST_BRANCHES:
                return ""
            self._numbers[within] = len(self.branches)
            names = {test.field for test in tests}.union(*(block.names for block in blocks))
            tests += tuple(test for block in blocks for test in block.entered)
            of_fields = (test for test in tests if self._fields({test.field}) == {test.field})
            branch = Branch(within, tuple(sorted(self._fields(names))), tuple(of_fields))
            self.branches.append(branch)
        return _MARK.format(self._numbers[within])

    def _remember(self, step: Step) -> None:
        for target in step.targets:
            self._origins.setdefault(target, set()).update(step.fields)

    def _fields(self, names: set[str]) -> set[str]:
        """Return the recipients' fields behind names that a loop or a `set` defined."""
        seen = set(names)
        while more := set().union(*(self._origins.get(name, set()) for name in seen)) - seen:
            seen |= more
        return {name for name in seen if name not in self._origins and name != "loop"}


def _title(source: str, step: Step) -> str:
    return " ".join(source[step.start : step.end].split())


def _otherwise(block: _Block) -> str:
    if block.is_loop:
        return _("nothing in %(block)s") % {"block": block.title}
    return _("otherwise, after %(block)s") % {"block": block.title}


def _usual(name: str, about: Iterable[Step], value: Any) -> Any:
    """Return a value that the filters take through which a field, or one of its keys, goes."""
    filters = {
        each
        for step in about
        if name in step.fields or name in dict(step.attributes).values() or not name
        for each in step.filters
    }
    if type(value) is str and filters & _DATES:
        return "2026-12-04T18:30:00"
    return 1234.5 if type(value) is str and filters & _NUMBERS else value


def _values_near(about: Iterable[Step]) -> list[Any]:
    """Return the literals that a field is compared with, and numbers at both sides of them."""
    near = dict[Any, None]()
    for literal in (text for step in about for text in step.literals):
        value = eval_expr(literal)  # Python would refuse 007, and texts of several lines
        near[value] = None
        if isinstance(value, int | float):
            near |= {value - 1: None, value + 1: None}
    return [*near]

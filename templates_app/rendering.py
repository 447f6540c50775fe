"""Compile a template once, render it for each recipient: plain values in, text out.

The engine is minijinja (Jinja syntax, Rust). It calls the methods of any Python object that it is
given, so it is given none: see `plain`. What an author may write is in `templates_app.grammar`.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from minijinja import Environment, TemplateError, pass_state

from templates_app import grammar
from templates_app.filters import (
    NO_VALUE,
    TOO_LARGE,
    BadArgument,
    filters_of,
    gettext_noop,
    is_divisible,
)
from templates_app.marks import Marks
from templates_app.plaintext import html_to_text

Part: TypeAlias = Literal["subject", "html", "text", "fields"]
Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"

# What a template reads beside the recipient's own fields. An import may not make a field of one
# of these names: it would hide, or be hidden by, the value that Godwit sets.
RESERVED_NAMES = frozenset(
    {
        "email", "language", "time_zone", "unsubscribe_url", "preferences_url", "view_url",
        "campaign_name", "list_name", "sender_name", "sender_address",
    }
)  # fmt: skip

# The engine escapes what a template of such a name prints: HTML alone.
_MARKED: dict[Part, str] = {part: f"marked.{part}" for part in get_args(Part)}
_LIMITS: dict[str, int] = {"subject": 2_000, "html": 512 * 1024, "text": 512 * 1024}
_FIELDS_LIMIT = 64 * 1024  # characters of all the fields of one recipient
_DEPTH_LIMIT = 5
_FUEL = 20_000  # steps; a newsletter with 50 products takes 1,500
_FUEL_PER_TAG = 10
_LOOPED_CHARACTERS = 32 * 1024 * 1024
_JOINED_STEPS = 100_000  # a tag copies its first text as often as it joins another to it
_TAGS_UNCOUNTED = 100
_HINTS = 50  # to look for a name that is nearly the same takes its time
_INTEGERS = range(-(2**63), 2**63)
_SCALARS = frozenset({str, int, float, bool, type(None)})
BAD_ARGUMENTS = gettext_noop(
    "a filter has too few or too many arguments, or a value that it cannot take"
)
TOO_MANY_STEPS = gettext_noop("it takes too many steps; loop over fewer items")
WITHOUT_VALUE = gettext_noop(
    "the field %(name)r has no value; write {{ %(field)s | default('there') }} if it may be missing"
)
TOO_MANY_CHARACTERS = gettext_noop("more than %(most)s characters in all fields")
ON_A_LINE = gettext_noop("%(where)s, line %(line)s: %(message)s")
IN_A_PART = gettext_noop("%(where)s: %(message)s")
# Beside these, in a message: subject, html and text are what the parts are called.
_PARTS = {"fields": gettext_lazy("fields"), "subject": gettext_lazy("subject")}
# What may not stand in a header (recipients.headers, whose rule this is, is not ours to import):
# found here before anybody is mailed, and there in each message, with the recipient's fields.
_ENDS_A_HEADER = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class RenderError(ValueError):
    """A template cannot be compiled or rendered; `is_for_all`: whoever it is rendered for."""

    def __init__(
        self,
        part: Part,
        line: int | None,
        reason: str,
        *,
        is_for_all: bool = False,
        tag: str = "",
    ) -> None:
        super().__init__(part, line, reason)
        self.part, self.line, self.reason, self.is_for_all = part, line, reason, is_for_all
        self.tag = tag  # in which it failed, where that is known

    def __str__(self) -> str:
        return _located(self.part, self.line, self.reason)


@dataclass(frozen=True, slots=True)
class Problem:
    """What an author must change, and where."""

    part: Part
    line: int | None
    message: str
    unknown: str = ""  # the name that nobody has, where that is the problem

    def __str__(self) -> str:
        return _located(self.part, self.line, self.message)


@dataclass(slots=True)
class Rendered:
    """The content for one recipient; there is no HTML for a message of text alone.

    The parts come in pieces; those that all recipients get are the same objects each time.
    """

    subject: str
    html_pieces: list[str]
    text_pieces: list[str]

    @property
    def html(self) -> str:
        return "".join(self.html_pieces)

    @property
    def text(self) -> str:
        return "".join(self.text_pieces)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template ready to render, in any thread."""

    _environment: Environment
    _outlines: dict[Part, grammar.Outline]
    _marks: dict[Part, Marks]
    _sources: dict[Part, str]

    def render(self, context: Mapping[str, Plain]) -> Rendered:
        """Render all parts for one recipient.

        :raises RenderError: a field has no value, or the result is too large.
        :raises NotPlain: the context holds something else than plain values.
        """
        values = _plain_fields(context)
        subject = "".join(self._pieces("subject", values)).strip()
        return Rendered(subject, self._pieces("html", values), self._pieces("text", values))

    def reads(self, name: str) -> bool:
        """Whether any part prints or asks for this name."""
        return any(each.text == name for part in self._outlines.values() for each in part.names)

    def printed(self) -> frozenset[str]:
        """Return the names that are printed as they are: no default, no condition around them."""
        names = (name for outline in self._outlines.values() for name in outline.names)
        return frozenset(name.text for name in names if not name.optional)

    def _pieces(self, part: Part, values: dict[str, Any]) -> list[str]:
        try:
            result = self._environment.render_template(_MARKED[part], **values)
        except (TemplateError, TypeError, ValueError):
            self._explain(part, values)
            raise
        if part == "html":
            # The engine escapes the slash as well. The two mean the same in HTML, but links that
            # are written so look hidden to filters; in a field it would be &amp;#x2f; by now.
            result = result.replace("&#x2f;", "/")
        pieces = self._marks[part].pieces(result)
        if sum(map(len, pieces)) > _LIMITS[part]:
            raise RenderError(part, None, _(TOO_LARGE))
        return pieces

    def _explain(self, part: Part, values: dict[str, Any]) -> None:
        """Render without marks, to say what is wrong on which of the author's lines."""
        try:
            self._environment.render_template(part, **values)
        except TemplateError as error:
            reason = self._reason(part, error, values)
            raise RenderError(part, error.line, reason, tag=self._tag_of(part, error)) from None
        except TypeError as error:  # from a filter of ours, called with what it cannot take
            tag = self._failing_alone(part, str(error), values)
            raise RenderError(part, None, _(BAD_ARGUMENTS), is_for_all=True, tag=tag) from None
        except ValueError as error:
            is_for_all = isinstance(error, BadArgument)
            tag = self._failing_alone(part, str(error), values)
            line, reason = self._said(part, error, values)
            raise RenderError(part, line, reason, is_for_all=is_for_all, tag=tag) from None

    def _failing_alone(self, part: Part, said: str, values: Mapping[str, Any]) -> str:
        """Return the tag that fails so by itself: of a filter of ours the engine knows no place."""
        source = self._sources[part]
        for start, end in grammar.blocks(source):
            try:
                self._environment.render_str(source[start:end], **values)
            except (TypeError, ValueError) as error:
                if str(error) == said:
                    return source[start:end]
            except TemplateError:
                continue  # the half of a statement, or what a loop defines
        return ""

    def _tag_of(self, part: Part, error: TemplateError) -> str:
        """Return the tag in which an error is, whose place the engine counts in bytes."""
        if error.range is None:
            return ""
        source = self._sources[part]
        place = len(source.encode()[: error.range[0]].decode(errors="replace"))
        found = grammar.blocks(source)
        return next((source[start:end] for start, end in found if start <= place < end), "")

    def _reason(self, part: Part, error: TemplateError, values: Mapping[str, Any]) -> str:
        if error.kind != "OutOfFuel":  # whatever the engine says that it cannot do with nothing
            for name in self._missing(part, values):
                if name.line == error.line:
                    return _without_value(name.text)
        return _(NO_VALUE) if error.kind == "UndefinedError" else _in_words(error)

    def _said(
        self, part: Part, error: ValueError, values: Mapping[str, Any]
    ) -> tuple[int | None, str]:
        """Return the line and the words of a filter, which does not know where it stands."""
        missing = self._missing(part, values)
        if str(error) == _(NO_VALUE) and len({name.text for name in missing}) == 1:
            return missing[0].line, _without_value(missing[0].text)
        return None, str(error)

    def _missing(self, part: Part, values: Mapping[str, Any]) -> list[grammar.Name]:
        names = self._outlines[part].names
        return [name for name in names if name.text not in values and not name.optional]


class NotPlain(TypeError):
    """A value that a template may not see: anything but text, numbers, None, lists and dicts."""


class _Record:
    """A dict as templates see it: its keys, and not one method."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def __getitem__(self, key: str) -> Any:
        return self._fields[key]

    def __contains__(self, key: str) -> bool:
        return key in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:  # also of one in a list
        return ", ".join(self._fields)


def plain(value: object, *, depth: int = _DEPTH_LIMIT) -> Any:
    """Return a value in the form in which the engine may have it, of exact built-in types.

    Lists become tuples and dicts records: neither has a method that a template could call.

    :raises NotPlain: any other type, also a subclass: `__html__` would switch off escaping.
    """
    kind = type(value)
    if kind in _SCALARS and (kind is not int or value in _INTEGERS):
        return value
    if kind is list and depth:
        return tuple(plain(item, depth=depth - 1) for item in value)  # type: ignore[attr-defined]
    if kind is dict and depth:
        items = value.items()  # type: ignore[attr-defined]
        return _Record({_plain_key(key): plain(item, depth=depth - 1) for key, item in items})
    raise NotPlain(f"a template may not see a value of type {kind.__name__}")


def compile_content(*, subject: str, html: str, text: str, language: str = "") -> Compiled:
    """Compile a template; an absent text part is made from the HTML.

    :param language: of the content (BCP 47): dates and numbers are written as it does.
    :raises RenderError: the first thing that is wrong with the syntax.
    """
    environment = _environment(language)
    outlines, marks = {}, {}
    sources = _sources(subject, html, text)
    for part, source in sources.items():
        outlines[part], problems = _read(environment, part, source)
        for problem in problems:
            raise RenderError(problem.part, problem.line, problem.message)
        marks[part] = Marks(source)
        environment.add_template(_MARKED[part], marks[part].source)
    _bound(environment, outlines.values())
    return Compiled(environment, outlines, marks, sources)


def check_content(*, subject: str, html: str, text: str, known: Collection[str]) -> list[Problem]:
    """List what is wrong with a template: syntax, and fields that nobody has.

    :param known: the names of the recipients' own fields; the reserved names are known anyway.
    """
    known = RESERVED_NAMES.union(known)
    environment = _environment()
    problems = [] if subject.strip() else [Problem("subject", None, _("it is empty"))]
    if found := _ENDS_A_HEADER.search(subject.strip()):
        message = _("the character U+%(code)s may not stand in a subject; remove it") % {
            "code": f"{ord(found[0]):04X}"
        }
        problems.append(Problem("subject", None, message))
    for part, source in _sources(subject, html, text).items():
        if part == "text" and not text and problems:
            break  # it is made from the HTML: the same problems again, on lines nobody wrote
        outline, faults = _read(environment, part, source)
        problems += faults or _unknown_fields(part, outline, known)
    return problems


def _sources(subject: str, html: str, text: str) -> dict[Part, str]:
    return {"subject": subject, "html": html, "text": text or html_to_text(html)}


def _environment(language: str = "") -> Environment:
    environment = Environment(
        filters=filters_of(language),
        tests={"divisibleby": is_divisible},
        debug=False,
        pycompat=False,
    )
    # Of minijinja's kinds of strictness this is the one that lets `{% if name %}` ask for a field
    # that may be missing; to print one is an error. The package's stub does not list the word.
    environment.undefined_behavior = "semi_strict"  # type: ignore[assignment]
    for name in environment.globals:
        environment.remove_global(name)
    return environment


def _bound(environment: Environment, outlines: Collection[grammar.Outline]) -> None:
    longest = max(outline.loop_characters for outline in outlines)
    steps = min(_FUEL, 4 * _LOOPED_CHARACTERS // (longest or 1))  # one turn takes at least four
    steps = min(steps, _JOINED_STEPS // (max(outline.joins for outline in outlines) or 1))
    environment.fuel = steps + _FUEL_PER_TAG * sum(outline.tags for outline in outlines)
    # The count takes 0.6 µs for each value printed: only where there can be many.
    if any(outline.loop_characters or outline.tags > _TAGS_UNCOUNTED for outline in outlines):
        environment.finalizer = _count_output


def _read(
    environment: Environment, part: Part, source: str
) -> tuple[grammar.Outline, list[Problem]]:
    """Load a template into the engine; return what it reads, and what is wrong with it."""
    nothing = grammar.Outline()
    if len(source) > _LIMITS[part]:
        most = number_format(_LIMITS[part], force_grouping=True)
        message = _("more than %(most)s characters") % {"most": most}
        return nothing, [Problem(part, None, message)]
    outline = grammar.outline(source)
    if outline.too_deep:
        return nothing, [Problem(part, outline.too_deep.line, outline.too_deep.message)]
    try:
        environment.add_template(part, source)
    except TemplateError as error:
        return nothing, [Problem(part, error.line, _in_words(error))]
    except UnicodeEncodeError as error:
        line = source.count("\n", 0, error.start) + 1
        message = _("half a character, U+%(code)s; remove it") % {
            "code": f"{ord(source[error.start]):04X}"
        }
        return nothing, [Problem(part, line, message)]
    return outline, [Problem(part, each.line, each.message) for each in outline.faults]


def _unknown_fields(part: Part, outline: grammar.Outline, known: frozenset[str]) -> list[Problem]:
    names = [name for name in outline.names if not name.optional and name.text not in known]
    places = dict.fromkeys((name.text, name.line) for name in names)
    return [
        Problem(part, line, _unknown(text, known if number < _HINTS else ()), text)
        for number, (text, line) in enumerate(places)
    ]


def _unknown(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    text = _(
        "unknown field %(name)r: write {{ %(field)s | default('there') }} if it may be missing"
    )
    if near:
        text = _(
            "unknown field %(name)r: did you mean %(near)r? write "
            "{{ %(field)s | default('there') }} if it may be missing"
        )
    return text % {"name": name, "field": name, "near": near[0] if near else ""}


def _without_value(name: str) -> str:
    return _(WITHOUT_VALUE) % {"name": name, "field": name}


def _located(part: Part, line: int | None, text: str) -> str:
    said = {"where": _PARTS.get(part, part), "line": line, "message": text}
    if line:
        return _(ON_A_LINE) % said
    return _(IN_A_PART) % said


def _in_words(error: TemplateError) -> str:
    if error.kind == "OutOfFuel":
        return _(TOO_MANY_STEPS)
    return error.detail or str(error.kind)


def _plain_fields(context: Mapping[str, Plain]) -> dict[str, Any]:
    """Leave out None, which would be printed as a word, so that it counts as missing."""
    values: dict[str, Any] = {}
    size = 0
    for name, value in context.items():
        if type(value) is str:
            size += len(value)
            values[name] = value
        elif value is not None:
            values[name] = plain(value)
            size += len(str(value))
    if size > _FIELDS_LIMIT:
        most = number_format(_FIELDS_LIMIT, force_grouping=True)
        reason = _(TOO_MANY_CHARACTERS) % {"most": most}
        raise RenderError("fields", None, reason)
    return values


def _plain_key(key: object) -> str:
    if type(key) is not str:
        raise NotPlain(f"a template may not see a key of type {type(key).__name__}")
    return key


@pass_state
def _count_output(state: Any, value: object) -> object:
    """Stop a loop that prints too much before it has been printed."""
    size = state.get_temp("size", 0) + len(str(value))
    if size > _LIMITS["html"]:
        raise ValueError(_(TOO_LARGE))
    state.set_temp("size", size)
    return NotImplemented

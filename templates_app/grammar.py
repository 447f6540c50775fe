"""What an author may write in a template: a part of Jinja in which no value grows without bound.

minijinja's fuel counts steps, not bytes: forty lines of `{% set a = a ~ a %}`, one `"x" * 10**9`
or two nested lists of lists fill the memory and abort the whole process. Instead of chasing each
such form, everything is refused that is not on a short list: no function and no method is called,
nothing is multiplied, a variable is set to no more than a field, a literal or a filter's result.
"""

import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

FILTERS = frozenset(
    {
        "address",
        "capitalize",
        "css",
        "d",
        "date",
        "default",
        "e",
        "escape",
        "first",
        "float",
        "int",
        "join",
        "last",
        "length",
        "lower",
        "money",
        "number",
        "percent",
        "plural",
        "replace",
        "round",
        "rows",
        "split",
        "time",
        "title",
        "trim",
        "truncate",
        "upper",
        "urlencode",
    }
)
TESTS = frozenset(
    {
        "defined",
        "divisibleby",
        "endingwith",
        "even",
        "in",
        "none",
        "number",
        "odd",
        "startingwith",
        "string",
        "undefined",
    }
)
_STATEMENTS = frozenset({"if", "elif", "else", "endif", "for", "endfor", "set"})
_WORDS = frozenset(
    {"and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"}
)
_REFUSED = {
    "call": gettext_lazy(
        "functions and methods cannot be called; use a filter, such as {{ name | upper }}"
    ),
    "product": gettext_lazy("nothing can be multiplied; put the product into a field"),
    "map": gettext_lazy("{ } cannot be written here; put the values into fields"),
}
_SIGNS = {"*": "product", "**": "product", "{": "map", "}": "map", ",": "comma", "|": "pipe"}
_SIGNS |= {".": "dot", ")": "close", "]": "close"}
_JOINING = frozenset({"~", "+"})
_VALUES = frozenset({"field", "attribute", "text", "number", "close"})

_JOINS_IN_TAG = 50
_MOST_FAULTS = 50  # to look for a name that is nearly the same takes its time
_TOKENS_IN_TAG = 500
_LEVELS = 100
_LOOP_CHARACTERS = 32 * 1024

_OPEN = re.compile(r"\{[{%#]")
_CLOSE = re.compile(r"[-+]?[}%]\}")
_CLOSE_AFTER_SPACE = re.compile(r"\s*[-+]?[}%]\}")
_RAW = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_ENDRAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>\d[\d_.eE]*)
    |(?P<name>[^\W\d]\w*)|(?P<sign>//|\*\*|[=!<>]=|[-+*/%~|.,:()\[\]<>={}!]))""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that an author may not write, and the line of it."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Name:
    """One place where a field is read."""

    text: str
    line: int
    optional: bool
    """A default, or a condition around it, takes care of a recipient without the field."""


@dataclass(slots=True)
class Outline:
    """What a template reads, and what it may not do."""

    names: list[Name] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    tags: int = 0
    loop_characters: int = 0
    """The length of the longest loop, which says how much one step may print."""
    joins: int = 0
    """The most that one tag joins, which says how much one step may copy."""
    too_deep: Fault | None = None
    """Why the engine must not read it: what is nested without end takes its stack, all of it."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # text, number, name, sign or end
    text: str
    line: int
    role: str
    """What it is by its place: filter, test, field, call, list … or nothing of note."""


@dataclass(frozen=True, slots=True)
class _Tag:
    """`{{ … }}` (without a word) or `{% word … %}`."""

    word: str
    tokens: list[_Token]
    start: int
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """A tag, as those see it who follow the ways through a template."""

    word: str
    start: int
    end: int
    fields: tuple[str, ...]
    """What it reads, also from a loop or a `set` around it."""
    attributes: tuple[tuple[str, str], ...]
    """Such as `("product", "price")`."""
    defaults: tuple[str, ...]
    """The fields that have a default here."""
    targets: tuple[str, ...]
    """What a `for` or a `set` defines."""
    literals: tuple[str, ...]
    """Texts and numbers, as they are written."""
    filters: tuple[str, ...]
    words: tuple[str, ...]
    """All that stands in it behind its first word, signs as well."""


@dataclass(slots=True)
class _Frame:
    """An open `if` with the names that it tests, or an open `for` with those that it defines."""

    start: int
    levels: int = 1  # one more for each `elif`, which the engine takes for an `if` inside the last
    tests: set[str] = field(default_factory=set)
    defines: set[str] = field(default_factory=set)


def outline(source: str) -> Outline:
    """Read a template; one that is not syntactically right is read somehow."""
    result, frames = Outline(), [_Frame(0)]
    for tag in _tags(source):
        result.tags += 1
        result.joins = max(result.joins, _joins(tag))
        faults = itertools.chain(_faults_of_statement(tag), _faults_of_expression(tag))
        result.faults += itertools.islice(faults, _MOST_FAULTS - len(result.faults))
        if tag.word == "endfor" and (length := tag.start - frames[-1].start):
            result.loop_characters = max(result.loop_characters, length)
            result.faults += _faults_of_loop(tag, length)
        result.names += _names(tag, frames)
        if len(tag.tokens) > _TOKENS_IN_TAG:
            message = _("more than %(most)s words and signs in one tag") % {"most": _TOKENS_IN_TAG}
            result.too_deep = Fault(tag.line, message)
        elif sum(frame.levels for frame in frames) > _LEVELS:
            message = _("more than %(most)s if, elif and for inside one another") % {
                "most": _LEVELS
            }
            result.too_deep = Fault(tag.line, message)
        if result.too_deep:
            break
    return result


def blocks(source: str) -> Iterator[tuple[int, int]]:
    """Yield where each tag, comment and raw block begins and ends."""
    position = 0
    while opened := _OPEN.search(source, position):
        end = _end_of_block(source, opened)
        yield opened.start(), end
        position = end


def steps(source: str) -> Iterator[Step]:
    """Yield each tag of a template that `outline` found no fault in."""
    ends = dict(blocks(source))
    for tag in _tags(source):
        tokens = tag.tokens
        targets = _targets(tag) | {token.text for token in tokens if token.role == "target"}
        fields = [
            (token.text, tokens[at + 1], tokens[at + 2])
            for at, token in enumerate(tokens)
            if token.role == "field" and token.text not in targets
        ]
        yield Step(
            tag.word,
            tag.start,
            ends[tag.start],
            tuple(name for name, _, _ in fields),
            tuple((name, after.text) for name, _, after in fields if after.role == "attribute"),
            tuple(
                name
                for name, sign, after in fields
                if sign.role == "pipe" and after.text in {"default", "d"}
            ),
            tuple(sorted(targets)),
            tuple(token.text for token in tokens if token.kind in {"text", "number"}),
            tuple(token.text for token in tokens if token.role == "filter"),
            tuple(token.text for token in tokens if token.kind != "end"),
        )


def _end_of_block(source: str, opened: re.Match[str]) -> int:
    if opened[0] == "{#":
        found = source.find("#}", opened.end())
        return found + 2 if found >= 0 else len(source)
    if raw := _RAW.match(source, opened.start()):
        closed = _ENDRAW.search(source, raw.end())
        return closed.end() if closed else len(source)
    position = opened.end()
    while token := _token(source, position):
        position = token.end()
    close = _CLOSE_AFTER_SPACE.match(source, position)
    return close.end() if close else len(source)


def _token(source: str, position: int) -> re.Match[str] | None:
    token = _TOKEN.match(source, position)
    if token and token["sign"] and _CLOSE.match(source, token.start("sign")):
        return None
    return token


def _tags(source: str) -> Iterator[_Tag]:
    line, counted = 1, 0
    for start, end in blocks(source):
        line, counted = line + source.count("\n", counted, start), start
        if source.startswith("{#", start) or _RAW.match(source, start):
            continue
        position = start + 3 if source[start + 2 : start + 3] in {"-", "+"} else start + 2
        word = ""
        if source.startswith("{%", start) and (first := _token(source, position)):
            word, position = first["name"] or "", first.end()
        line, counted = line + source.count("\n", counted, position), position
        yield _Tag(word, _tokens(source, position, end, line), start, line)


def _tokens(source: str, position: int, end: int, line: int) -> list[_Token]:
    """Split up to the end of the tag; two empty tokens follow, to look ahead into."""
    tokens: list[_Token] = []
    counted = position
    while position < end and (found := _token(source, position)):
        kind, position = str(found.lastgroup), found.end()
        following = _token(source, position)
        role = _role(kind, found[kind], tokens, following["sign"] if following else "")
        line, counted = line + source.count("\n", counted, found.start(kind)), found.start(kind)
        tokens.append(_Token(kind, found[kind], line, role))
    return [*tokens, _Token("end", "", 0, ""), _Token("end", "", 0, "")]


def _role(kind: str, text: str, before: list[_Token], following: str | None) -> str:
    last = before[-1] if before else _Token("end", "", 0, "")
    if kind == "name":
        return _role_of_name(text, [token.text for token in before[-2:]], following)
    if kind != "sign":
        return kind
    if text == "(":
        is_call = "call" if last.role in _VALUES else "group"
        return "arguments" if last.role in {"filter", "test"} else is_call
    if text == "[":
        return "index" if last.role in _VALUES else "list"
    return _SIGNS.get(text, "")


def _role_of_name(text: str, before: list[str], following: str | None) -> str:
    if before[-1:] == ["|"]:
        return "filter"
    if before[-1:] == ["."]:
        return "attribute"
    if text != "not" and (before[-1:] == ["is"] or before == ["is", "not"]):
        return "test"
    if text in _WORDS:
        return "word"
    return "target" if following == "=" else "field"


def _faults_of_statement(tag: _Tag) -> Iterator[Fault]:
    if tag.word and tag.word not in _STATEMENTS:
        yield Fault(
            tag.line,
            _("{%% %(tag)s %%} is not allowed; there are if, for and set") % {"tag": tag.word},
        )
    if _joins(tag) > _JOINS_IN_TAG:
        yield Fault(tag.line, _("more than %(most)s texts are joined") % {"most": _JOINS_IN_TAG})
    if tag.word == "set" and tag.tokens[0].role != "target":
        yield Fault(tag.line, _("set takes one name and one value: {% set name = value %}"))
    if tag.word == "set" and _joins(tag):
        yield Fault(tag.line, _("set cannot join or add; do it where it is printed: {{ a ~ b }}"))


def _joins(tag: _Tag) -> int:
    return sum(token.text in _JOINING for token in tag.tokens if token.kind == "sign")


def _faults_of_loop(tag: _Tag, length: int) -> Iterator[Fault]:
    if length > _LOOP_CHARACTERS:
        text = _("the loop has %(length)s characters; %(most)s at most")
        most = number_format(_LOOP_CHARACTERS, force_grouping=True)
        said = text % {"length": number_format(length, force_grouping=True), "most": most}
        yield Fault(tag.line, said)


def _faults_of_expression(tag: _Tag) -> Iterator[Fault]:
    """Check each token by its role and by the innermost bracket that is open."""
    brackets, in_targets = [""], tag.word == "for"
    for token in tag.tokens:
        in_targets = in_targets and token.text != "in"
        if message := _refusal(token, inside="targets" if in_targets else brackets[-1]):
            yield Fault(token.line, message)
        if token.role in {"arguments", "group", "index", "list", "call"}:
            brackets.append(token.role)
        elif token.role == "close" and len(brackets) > 1:
            brackets.pop()


def _refusal(token: _Token, *, inside: str) -> str:
    if token.role == "filter" and token.text not in FILTERS:
        return _unknown_filter(token.text)
    if token.role == "test" and token.text not in TESTS:
        return _unknown_test(token.text)
    if token.role == "comma" and inside not in {"arguments", "list", "targets"}:
        return _("a comma may stand in a filter's arguments or in a list only")
    if inside == "list" and token.role in {"field", "group", "list"}:
        return _("a list may hold texts and numbers only")
    return str(_REFUSED.get(token.role, ""))


def _unknown_filter(name: str) -> str:
    if near := difflib.get_close_matches(name, FILTERS, n=1):
        text = _("unknown filter %(name)r; did you mean %(near)r?")
        return text % {"name": name, "near": near[0]}
    text = _("unknown filter %(name)r; there are %(known)s")
    return text % {"name": name, "known": ", ".join(sorted(FILTERS))}


def _unknown_test(name: str) -> str:
    if near := difflib.get_close_matches(name, TESTS, n=1):
        text = _("unknown test %(name)r; did you mean %(near)r?")
        return text % {"name": name, "near": near[0]}
    text = _("unknown test %(name)r; there are %(known)s")
    return text % {"name": name, "known": ", ".join(sorted(TESTS))}


def _names(tag: _Tag, frames: list[_Frame]) -> list[Name]:
    """List the fields that a tag reads, and keep the open blocks up to date."""
    if tag.word in {"endif", "endfor"} and len(frames) > 1:
        frames.pop()
    tested, targets = _tested(tag), _targets(tag)
    guarded = tested.union(*(frame.tests for frame in frames))
    own = targets.union(*(frame.defines for frame in frames))
    names = [
        Name(token.text, token.line, token.text in guarded or _has_default(tag.tokens, at))
        for at, token in enumerate(tag.tokens)
        if token.role == "field" and token.text not in own
    ]
    if tag.word == "if":
        frames.append(_Frame(tag.start, tests=tested))
    elif tag.word == "for":
        frames.append(_Frame(tag.start, defines=targets | {"loop"}))
    elif tag.word == "elif":
        frames[-1].tests |= tested
        frames[-1].levels += 1
    elif tag.word == "set":
        _scope(frames).defines.add(tag.tokens[0].text)
    return names


def _scope(frames: list[_Frame]) -> _Frame:
    """Return the frame that keeps what is set: an `if` has no variables of its own."""
    return next((frame for frame in reversed(frames) if "loop" in frame.defines), frames[0])


def _targets(tag: _Tag) -> set[str]:
    if tag.word != "for":
        return set()
    before_in = itertools.takewhile(lambda token: token.text != "in", tag.tokens)
    return {token.text for token in before_in if token.role == "field"}


def _has_default(tokens: list[_Token], at: int) -> bool:
    return tokens[at + 1].role == "pipe" and tokens[at + 2].text in {"default", "d"}


def _tested(tag: _Tag) -> set[str]:
    """Return the names that a tag asks for without failing where they are missing."""
    before = ["if" if tag.word in {"if", "elif"} else "", *(token.text for token in tag.tokens)]
    return {
        token.text
        for at, token in enumerate(tag.tokens)
        if token.role == "field" and _asks(before[at], tag.tokens[at + 1 : at + 4])
    }


def _asks(before: str, following: list[_Token]) -> bool:
    after = [token.text for token in following]
    if after[0] == "is":
        return bool({"defined", "undefined"} & set(after))
    asked = before in {"if", "not", "and", "or"} and after[0] in {"", "and", "or", "else", ")"}
    return asked or after[0] in {"and", "or"}

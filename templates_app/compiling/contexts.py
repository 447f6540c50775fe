"""Where tags may stand in HTML, so that what was checked is what each recipient gets.

`<a title="{% if no %}">{% endif %}" onclick="…">` is harmless to whoever reads it with its tags,
and a handler to whoever gets it without what the condition leaves out.
"""

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from templates_app.compiling.markup import Token, edited
from templates_app.compiling.problems import Problem
from templates_app.compiling.protection import Protection, Tag
from templates_app.schemes import has_good_scheme, is_program

_OPENS = {"if": "endif", "for": "endfor", "raw": "endraw"}
_BRANCHES = frozenset({"elif", "else"})
_TEXTS = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'', re.DOTALL)
_SPACE = re.compile(r"[\x00-\x20]+")
_ADDRESSES = frozenset({"href", "src", "background", "srcset"})
_LEADING = _ADDRESSES | {"action", "cite", "data", "formaction", "poster", "xlink:href"}
_OWN = re.compile(r"\{\{[-+]?\s*(?:unsubscribe|preferences|view)_url\s*[-+]?\}\}")
_BEGUN = re.compile(r"[:/?#]")


def check_contexts(html: str, protection: Protection) -> list[Problem]:
    """List the tags that would change what the HTML around them is.

    :param html: with words for all tags.
    """
    problems: list[Problem] = []
    between: list[Tag] = []
    for _shift, token in protection.everywhere(html):
        if token.kind == "start":
            problems += _between_attributes(token, protection)
    for token in protection.tokens(html):
        for inside, text in _contexts(html, token):
            found = [protection.tag(mark) for mark in protection.marks(text)]
            if inside == "text":
                between += found
            else:
                problems += unbalanced(found)
            if inside in _ADDRESSES:
                problems += _addresses(text, protection)
    problems += unbalanced(between)
    return _once(problems)


def quoted(html: str, protection: Protection) -> str:
    """Put quotes around values that have a tag in them: a field may hold a space."""
    edits = [
        (shift + attribute.start, shift + attribute.end, f'"{attribute.value}"')
        for shift, token in protection.everywhere(html)
        for attribute in token.attributes
        if not attribute.is_quoted and protection.is_in(attribute.value)
    ]
    return edited(html, edits)


def guard_addresses(html: str, protection: Protection) -> Iterator[Problem]:
    """Have the tags that write the beginning of an address print no more than one of a page.

    What a recipient typed in must not run. Where the author wrote the beginning, and for names of
    ours, there is nothing to look at: such links cost nothing. What cannot be guarded is yielded.

    :param html: with words for all tags.
    """
    for _shift, token in protection.everywhere(html):
        for attribute in token.attributes if token.kind == "start" else ():
            if attribute.name in _LEADING:
                yield from _guard(attribute.value, protection)


def _guard(value: str, protection: Protection) -> Iterator[Problem]:
    position, is_begun, last = 0, False, None
    always: bool | None = None  # begun before the first condition, so in all branches
    for mark in protection.marks(value):
        tag = protection.tag(mark)
        yield from _scheme_after(last, value[position : mark.start()], is_begun)
        is_begun = is_begun or bool(_BEGUN.search(value, position, mark.start()))
        position = mark.end()
        if tag.word:
            always = is_begun if always is None else always
            is_begun = always
        elif _OWN.fullmatch(tag.source):
            is_begun = True
        elif not is_begun:
            protection.guard(mark, "address")
            last = tag
    yield from _scheme_after(last, value[position:], is_begun)


def _scheme_after(tag: Tag | None, literal: str, is_begun: bool) -> Iterator[Problem]:
    """Refuse what makes a scheme of a field: `{{ field }}:…`."""
    if tag and not is_begun and is_program(literal):
        yield tag.problem(_("an address begins with https://, written out, or with a whole field"))


def _contexts(html: str, token: Token) -> Iterator[tuple[str, str]]:
    if token.kind in {"start", "end"}:
        yield from ((attribute.name, attribute.value) for attribute in token.attributes)
    else:
        yield token.kind, html[token.start : token.end]


def _between_attributes(token: Token, protection: Protection) -> Iterator[Problem]:
    names = [token.name, *(attribute.name for attribute in token.attributes)]
    for name in names:
        for mark in protection.marks(name):
            tag = protection.tag(mark)
            yield tag.problem(
                _(
                    "%(tag)s may stand in the value of an attribute, not in or between attributes; "
                    'write class="{%% if a %%}b{%% endif %%}"'
                )
                % {"tag": _short(tag)}
            )


def unbalanced(tags: list[Tag]) -> Iterator[Problem]:
    """Yield the statements that do not begin and end in the same text or value."""
    opened: list[Tag] = []
    for tag in tags:
        if tag.word in _OPENS:
            opened.append(tag)
        elif tag.word in _OPENS.values() or tag.word in _BRANCHES:
            if not opened or (tag.word not in _BRANCHES and _OPENS[opened[-1].word] != tag.word):
                yield tag.problem(
                    _(
                        "%(tag)s ends what began elsewhere; begin and end it in the same text, or "
                        "in the same value of an attribute"
                    )
                    % {"tag": _short(tag)}
                )
            elif tag.word not in _BRANCHES:
                opened.pop()
    for tag in opened:
        yield tag.problem(
            _(
                "%(tag)s does not end where it began; begin and end it in the same text, or in the "
                "same value of an attribute"
            )
            % {"tag": _short(tag)}
        )


def _addresses(value: str, protection: Protection) -> Iterator[Problem]:
    """Refuse tags that write the beginning of an address, if not as that of a page."""
    if has_good_scheme(value):
        return
    for mark in protection.marks(value):
        tag = protection.tag(mark)
        for text in _texts(tag):
            if is_program(text):
                yield tag.problem(_("an address begins with https://, written out"))


def forged_addresses(protection: Protection) -> Iterator[Problem]:
    """Refuse texts of statements that make a program of an address: `{% set u = "…" %}`."""
    for tag in protection.tags:
        if tag.word == "set" and any(map(is_program, _texts(tag))):
            yield tag.problem(_("an address of a program may not stand here; write https://…"))


def _texts(tag: Tag) -> Iterator[str]:
    for found in _TEXTS.finditer(tag.source):
        yield _SPACE.sub("", found[1] or found[2] or "")


def _short(tag: Tag) -> str:
    return tag.source if len(tag.source) <= 40 else f"{tag.source[:37]}…"


def _once(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))

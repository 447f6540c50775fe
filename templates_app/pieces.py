"""What people do with snippets and layouts, which many templates use."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from templates_app.compiling import (
    Compilation,
    CompiledContent,
    Library,
    Piece,
    Problem,
    compile_draft,
    included,
    piece_problems,
)
from templates_app.drafts import Draft, Written, draft_of
from templates_app.locks import changing_pieces
from templates_app.models import EmailTemplate, Kind, Layout, Snippet
from templates_app.services import Refused, library, rehearsed, sound

_TRIED = 20  # contents that are rendered in a process of its own, of all that use a piece


@transaction.atomic
def save(piece: Snippet | Layout, *, known: Collection[str], may_write_raw: bool = False) -> None:
    """Save a snippet or layout, new or changed, if all templates that use it are still sound.

    :param may_write_raw: whether whoever saves it may write HTML that is not sanitised.
    :raises Refused: naming the templates that the change would break.
    """
    changing_pieces()
    check(piece, known=known, may_write_raw=may_write_raw)
    piece.save()


def check(piece: Snippet | Layout, *, known: Collection[str], may_write_raw: bool = False) -> None:
    """Refuse a piece that has a fault, or that breaks a template which uses it.

    :param known: the names of recipients' fields; any name is taken where there is none yet.
    :param may_write_raw: as in saving it.
    :raises Refused:
    """
    before = library()
    old = type(piece).objects.filter(pk=piece.pk).first()
    is_snippet = isinstance(piece, Snippet)
    present = before.snippets if is_snippet else before.layouts
    others = {name: each for name, each in present.items() if not old or name != old.name}
    _check_values(piece, piece.name in others)
    new = Piece(Kind(piece.kind), piece.source)
    changed = {**others, piece.name: new}
    if old and not is_snippet:
        changed[old.name] = new  # templates keep their layout when its name changes
    after = replace(before, snippets=changed) if is_snippet else replace(before, layouts=changed)
    sound(_alone(piece, new, after, known))
    users = used_by(old) if old else []
    _check_raw(piece, users, may_write_raw)
    _check_users(users, before, after, known)


def _alone(
    piece: Snippet | Layout, new: Piece, after: Library, known: Collection[str]
) -> Compilation:
    """Return what is wrong with a piece by itself, whoever uses it."""
    if isinstance(piece, Layout):
        letter = Draft(Kind.MARKDOWN, (Written(subject="-", source="-"),), layout=piece.name)
        return compile_draft(letter, library=after, known=known or None)
    found = piece_problems(_snippet(piece.name), new, after, known=known or None)
    return Compilation(problems=found)


@transaction.atomic
def delete(piece: Snippet | Layout) -> None:
    """Delete a snippet or layout that nothing uses.

    :raises Refused: naming what uses it.
    """
    changing_pieces()
    if users := users_of(piece):
        text = _("layout %(name)r is used by %(users)s; choose another there")
        if isinstance(piece, Snippet):
            text = _("snippet %(name)r is used by %(users)s; take it out first")
        raise Refused(text % {"name": piece.name, "users": ", ".join(users)})
    piece.delete()


def users_of(piece: Snippet | Layout) -> list[str]:
    """Name all that uses it: snippets and layouts that name it themselves, then templates."""
    others: list[str] = []
    if isinstance(piece, Snippet):
        snippets = Snippet.objects.exclude(name=piece.name).order_by("name")
        others += [_snippet(each.name) for each in snippets if _names(each, piece)]
        layouts = Layout.objects.order_by("name")
        others += [_layout(each.name) for each in layouts if _names(each, piece)]
    return [*others, *map(str, used_by(piece))]


def _snippet(name: str) -> str:
    return _("snippet %(name)r") % {"name": name}


def _layout(name: str) -> str:
    return _("layout %(name)r") % {"name": name}


def used_by(piece: Snippet | Layout) -> list[EmailTemplate]:
    """Return the templates that use it, also through other snippets and layouts, by name."""
    names, layouts = set[str](), set[str]()
    if isinstance(piece, Snippet):
        names = _with_users(piece.name)
        layouts = {
            each.name for each in Layout.objects.all() if names.intersection(included(each.source))
        }
    else:
        layouts = {piece.name}
    templates = EmailTemplate.objects.order_by("name").select_related("layout")
    return [
        template
        for template in templates.prefetch_related("variants")
        if (template.layout and template.layout.name in layouts)
        or any(names.intersection(included(source)) for source in _sources(template))
    ]


def _check_values(piece: Snippet | Layout, is_taken: bool) -> None:
    if is_taken:
        text = _("there is one called %(name)r already; choose another name")
        raise Refused(text % {"name": piece.name})
    try:
        piece.clean_fields()
    except ValidationError as error:
        faults = error.message_dict.items()
        found = [Problem(part, None, " ".join(said)) for part, said in faults]
        raise Refused("; ".join(map(str, found)), found) from None


def _check_raw(
    piece: Snippet | Layout, users: Sequence[EmailTemplate], may_write_raw: bool
) -> None:
    """Refuse HTML that nobody sanitises from who may not write it, by way of others' templates."""
    raw = [str(each) for each in users if each.is_raw]
    if raw and not may_write_raw:
        text = _(
            "%(name)s is used by %(users)s, whose HTML is not sanitised; ask somebody who "
            "may write such HTML to change it (an import has to be told to keep HTML exactly as "
            "written), or save it under another name"
        )
        raise Refused(text % {"name": piece, "users": ", ".join(raw)})


def _check_users(
    users: Sequence[EmailTemplate], before: Library, after: Library, known: Collection[str]
) -> None:
    """Refuse a change by which a template would get a fault that it does not have."""
    drafts = tuple((str(each), draft_of(each)) for each in users)
    _check_drafts(drafts, _as_values(before), _as_values(after), frozenset(known))


_Values = tuple[tuple[tuple[str, Piece], ...], tuple[tuple[str, Piece], ...]]


def _as_values(library: Library) -> _Values:
    return tuple(library.snippets.items()), tuple(library.layouts.items())


# A form looks, and then saves the same; what is refused is looked at again. A newsletter takes some
# 20 ms, and hundreds may use a footer: each is compiled once, and a few are tried.
@lru_cache(maxsize=4)
def _check_drafts(
    drafts: tuple[tuple[str, Draft], ...], before: _Values, after: _Values, known: frozenset[str]
) -> None:
    now, then = (_with_values(values) for values in (before, after))
    broken, found, contents = [], list[Problem](), list[CompiledContent]()
    for name, draft in drafts:
        compilation = compile_draft(draft, library=then, known=known or None)
        new = compilation.problems and _new(compilation, draft, now, known)
        if new:
            broken.append(f"{name} ({'; '.join(map(str, new))})")
            found += new
        elif len(contents) < _TRIED:
            contents += compilation.contents
    if broken:
        raise Refused(_("this would break %(users)s") % {"users": ", ".join(broken)}, found)
    sound(Compilation(problems=list(rehearsed(tuple(contents)))))


def _with_values(values: _Values) -> Library:
    snippets, layouts = values
    return replace(library(), snippets=dict(snippets), layouts=dict(layouts))


def _new(then: Compilation, draft: Draft, before: Library, known: frozenset[str]) -> list[Problem]:
    """Return the problems that the template does not have already."""
    now = compile_draft(draft, library=before, known=known or None)
    old = {(each.part, each.language, each.message) for each in now.problems}
    return [each for each in then.problems if (each.part, each.language, each.message) not in old]


def _names(piece: Snippet | Layout, snippet: Snippet) -> bool:
    return snippet.name in included(piece.source)


def _with_users(name: str) -> set[str]:
    """Return the name with those of all snippets that lead to it."""
    named = {each.name: included(each.source) for each in Snippet.objects.all()}
    names, size = {name}, 0
    while len(names) > size:
        size = len(names)
        names |= {each for each, inner in named.items() if names.intersection(inner)}
    return names


def _sources(template: EmailTemplate) -> list[str]:
    return draft_of(template, list(template.variants.all())).sources

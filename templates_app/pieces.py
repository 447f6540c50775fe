"""What people do with snippets and layouts, which many templates use."""

from collections.abc import Collection, Sequence

from django.core.exceptions import ValidationError

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
from templates_app.models import EmailTemplate, Kind, Layout, Snippet
from templates_app.services import Refused, library, rehearsed, sound


def save_snippet(snippet: Snippet, *, known: Collection[str]) -> None:
    """Save a snippet, new or changed, if all templates that use it are still sound.

    :raises Refused: naming the templates that the change would break.
    """
    before = library()
    old = Snippet.objects.filter(pk=snippet.pk).first()
    names = [name for name in before.snippets if old is None or name != old.name]
    _check_values(snippet, snippet.name in names)
    piece = Piece(Kind(snippet.kind), snippet.source)
    kept = {name: before.snippets[name] for name in names}
    after = Library({**kept, snippet.name: piece}, before.layouts, before.media)
    _check_piece(f"snippet {snippet.name!r}", piece, after, known)
    _check_users(used_by(old) if old else [], before, after, known)
    snippet.save()


def save_layout(layout: Layout, *, known: Collection[str]) -> None:
    """Save a layout, new or changed, if all templates that use it are still sound.

    :raises Refused: naming the templates that the change would break.
    """
    before = library()
    old = Layout.objects.filter(pk=layout.pk).first()
    names = [name for name in before.layouts if old is None or name != old.name]
    _check_values(layout, layout.name in names)
    piece = Piece(Kind(layout.kind), layout.source)
    kept = {name: before.layouts[name] for name in names}
    after = Library(before.snippets, {**kept, layout.name: piece}, before.media)
    trial = Draft(Kind.MARKDOWN, (Written(subject="-", source="-"),), layout=layout.name)
    sound(compile_draft(trial, library=after, known=known or None))
    _check_users(used_by(old) if old and old.name == layout.name else [], before, after, known)
    layout.save()


def delete_snippet(snippet: Snippet) -> None:
    """Delete a snippet that nothing uses.

    :raises Refused: naming what uses it.
    """
    if users := [*_users_of(snippet.name), *map(str, used_by(snippet))]:
        raise Refused(f"snippet {snippet.name!r} is used by {', '.join(users)}; take it out first")
    snippet.delete()


def delete_layout(layout: Layout) -> None:
    """Delete a layout that no template uses.

    :raises Refused: naming the templates.
    """
    if users := [str(each) for each in used_by(layout)]:
        raise Refused(f"layout {layout.name!r} is used by {', '.join(users)}; choose another there")
    layout.delete()


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
        raise Refused(f"there is one called {piece.name!r} already; choose another name")
    try:
        piece.clean_fields()
    except ValidationError as error:
        faults = error.message_dict.items()
        found = [Problem(part, None, " ".join(said)) for part, said in faults]
        raise Refused("; ".join(map(str, found)), found) from None


def _check_piece(name: str, piece: Piece, within: Library, known: Collection[str]) -> None:
    sound(Compilation(problems=piece_problems(name, piece, within, known=known or None)))


def _check_users(
    users: Sequence[EmailTemplate], before: Library, after: Library, known: Collection[str]
) -> None:
    """Refuse a change by which a template would get a fault that it does not have."""
    broken, found, contents = [], list[Problem](), list[CompiledContent]()
    for template in users:
        draft = draft_of(template)
        now = compile_draft(draft, library=before, known=known or None)
        then = compile_draft(draft, library=after, known=known or None)
        old = {(each.part, each.language, each.message) for each in now.problems}
        new = [
            each for each in then.problems if (each.part, each.language, each.message) not in old
        ]
        contents += then.contents
        if new:
            broken.append(f"{template} ({'; '.join(map(str, new))})")
            found += new
    if broken:
        raise Refused(f"this would break {', '.join(broken)}", found)
    sound(Compilation(problems=list(rehearsed(tuple(contents)))))


def _users_of(name: str) -> list[str]:
    """Return the snippets and layouts that name a snippet themselves."""
    snippets = [
        f"snippet {each.name!r}"
        for each in Snippet.objects.exclude(name=name)
        if name in included(each.source)
    ]
    layouts = [
        f"layout {each.name!r}" for each in Layout.objects.all() if name in included(each.source)
    ]
    return [*snippets, *layouts]


def _with_users(name: str) -> set[str]:
    """Return the name with those of all snippets that lead to it."""
    named = {each.name: included(each.source) for each in Snippet.objects.all()}
    names, size = {name}, 0
    while len(names) > size:
        size = len(names)
        names |= {each for each, inner in named.items() if names.intersection(inner)}
    return names


def _sources(template: EmailTemplate) -> list[str]:
    written = [template, *template.variants.all()]
    return [text for each in written for text in (each.source, each.text)]

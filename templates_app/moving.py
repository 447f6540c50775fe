"""A template with all that it uses: out of this installation as one file, and into another."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from io import BytesIO

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from templates_app import pieces
from templates_app.bundle import MOST_BYTES, Bundle, pack, rewritten
from templates_app.compiling import included
from templates_app.compiling.expanding import with_names
from templates_app.compiling.library import Library, Piece
from templates_app.compiling.media import named, with_paths
from templates_app.drafts import draft_of
from templates_app.locks import changing_pieces
from templates_app.media import Refused as FileRefused
from templates_app.media import library as files
from templates_app.media import storing
from templates_app.media.names import clean_folder, clean_name
from templates_app.models import (
    EmailTemplate,
    Layout,
    MediaFile,
    Snippet,
    TemplateVariant,
)
from templates_app.services import Refused, library, save_template


class Clash(StrEnum):
    """What becomes of snippets, layouts and files that are here under the same name."""

    REFUSE = "refuse"
    MINE = "mine"
    THEIRS = "theirs"
    RENAME = "rename"


SANITISED = gettext_lazy(
    "Where it comes from its HTML was kept exactly as written; here what mail may not have is left "
    "out, until somebody who may write such HTML chooses to keep it"
)


@dataclass(frozen=True, slots=True)
class Imported:
    """A template that came in: what it is called, and what came with it."""

    template: EmailTemplate
    renamed: dict[str, str]
    """From the names that pieces had to those that they have here."""
    is_sanitised: bool
    """Whether its HTML was kept exactly as written where it comes from, and is not here."""


# --- out ------------------------------------------------------------------------------------------


def export_template(template: EmailTemplate) -> bytes:
    """Return the template as it is now, with the snippets, the layout and the files that it uses.

    :raises Refused: it uses something that is not there, or more than one file may have.
    """
    draft = draft_of(template)
    known = library()
    layouts = {draft.layout: known.layouts[draft.layout]} if draft.layout else {}
    sources = [*draft.sources, *_sources(layouts)]
    snippets = _used_snippets(sources, known)
    sources += _sources(snippets)
    paths = dict.fromkeys(path for source in sources for path in named(source))
    data = pack(Bundle(template.name, draft, snippets, layouts, dict(map(_file, paths))))
    if len(data) > MOST_BYTES:
        raise Refused(
            _("with its files it has more than %(megabytes)s MB; use less")
            % {"megabytes": MOST_BYTES // 1_000_000}
        )
    return data


def _sources(of: dict[str, Piece]) -> list[str]:
    return [piece.source for piece in of.values()]


def _used_snippets(sources: list[str], known: Library) -> dict[str, Piece]:
    used: dict[str, Piece] = {}
    waiting = [name for source in sources for name in included(source)]
    while waiting:
        name = waiting.pop()
        if name in used:
            continue
        if name not in known.snippets:
            raise Refused(
                _("it uses the snippet %(name)r, which is not there; create it, or take it out")
                % {"name": name}
            )
        used[name] = known.snippets[name]
        waiting += included(used[name].source)
    return used


def _file(path: str) -> tuple[str, bytes]:
    try:
        file = files.find(path)
        return file.path, storing.read(file.blob)
    except (OSError, storing.Damaged) as error:
        raise Refused(f"{path}: {storing.in_words(error)}") from None
    except FileRefused as refusal:
        raise Refused(f"{path}: {refusal}") from None


# --- in -------------------------------------------------------------------------------------------


def clashes(bundle: Bundle) -> list[str]:
    """Return what is here under a name of the bundle, and is not the same."""
    return [str(_CALLED[what]) % {"name": name} for what, name in _clashing(bundle)]


_CALLED = {
    "snippet": gettext_lazy("snippet %(name)r"),
    "layout": gettext_lazy("layout %(name)r"),
    "file": gettext_lazy("file %(name)r"),
}


def import_template(
    bundle: Bundle,
    *,
    name: str = "",
    clash: Clash = Clash.REFUSE,
    by: str = "",
    keep_raw: bool = False,
) -> Imported:
    """Save a template that was exported, with all that it uses, or nothing of it.

    The names of fields are not checked: whether recipients have them is asked when a campaign with
    it is scheduled.

    :param name: in place of the one that it had.
    :param keep_raw: whether HTML that is kept exactly as written where it comes from stays so, and
        pieces that templates with such HTML use may be replaced: for those who may write such HTML
        and trust who wrote this. Else it is sanitised.
    :raises Refused: something of that name is here, a source has a fault, a file may not be kept.
    """
    bundle = replace(bundle, name=name.strip() or bundle.name)
    if EmailTemplate.objects.filter(name=bundle.name).exists():
        raise Refused(
            _("there is a template %(name)r already; choose another name") % {"name": bundle.name}
        )
    if clash == Clash.REFUSE and (found := clashes(bundle)):
        raise Refused(
            _(
                "%(names)s: here already, with other content; keep yours, take theirs, or have "
                "theirs renamed"
            )
            % {"names": ", ".join(found)}
        )
    renamed = dict[str, str]()
    if clash == Clash.RENAME:
        bundle, renamed = _renamed(bundle)
    with ExitStack() as kept:
        contents = [
            (path, kept.enter_context(_stored(path, content)))
            for path, content in bundle.files.items()
            if _is_wanted(path, content, clash)
        ]
        template = _save(bundle, contents, by=by, clash=clash, keep_raw=keep_raw)
    return Imported(template, renamed, is_sanitised=bundle.draft.is_raw and not keep_raw)


@transaction.atomic(durable=True)
def _save(
    bundle: Bundle,
    contents: Sequence[tuple[str, files.Stored]],
    *,
    by: str,
    clash: Clash,
    keep_raw: bool,
) -> EmailTemplate:
    if contents:
        changing_pieces()  # before the files, as whoever deletes one does
    for path, content in contents:
        _save_file(path, content, by=by, clash=clash)
    for name in _inner_first(bundle.snippets):
        _save_piece(Snippet, name, bundle.snippets[name], clash, keep_raw=keep_raw)
    for name, piece in bundle.layouts.items():
        _save_piece(Layout, name, piece, clash, keep_raw=keep_raw)
    draft = bundle.draft
    fallback, *others = draft.written
    template = EmailTemplate(
        name=bundle.name,
        kind=draft.kind,
        layout=_layout(draft.layout),
        link_parameters=draft.link_parameters,
        is_raw=draft.is_raw and keep_raw,
        **fallback.columns(),
    )
    save_template(
        template,
        variants=[TemplateVariant(**each.columns()) for each in others],
        known=(),
        by=by,
        may_write_raw=keep_raw,
    )
    return template


def _layout(name: str) -> Layout | None:
    if not name:
        return None
    if layout := Layout.objects.filter(name=name).first():
        return layout
    raise Refused(
        _("it uses the layout %(name)r, which is neither here nor in the file") % {"name": name}
    )


def _save_piece(
    model: type[Snippet] | type[Layout], name: str, piece: Piece, clash: Clash, *, keep_raw: bool
) -> None:
    row = model.objects.filter(name=name).first()
    if row and (clash != Clash.THEIRS or _same_piece(row, piece)):
        return
    row = row or model(name=name)
    row.kind, row.source = piece.kind, piece.source
    pieces.save(row, known=(), may_write_raw=keep_raw)


def _is_wanted(path: str, content: bytes, clash: Clash) -> bool:
    """Whether a file is to come into the library, and not there already."""
    here = _here(path)
    return here is None or (clash == Clash.THEIRS and not _same_file(here, content))


@contextmanager
def _stored(path: str, content: bytes) -> Iterator[files.Stored]:
    """Have a file in the storage as long as the import goes, and then where it got a name."""
    folder, name = _place(path)
    try:
        if "/".join(filter(None, (clean_folder(folder), clean_name(name)))) != path:
            raise Refused(_("%(path)r is no name of a file in the library") % {"path": path[:80]})
        with files.stored(BytesIO(content), name=name) as found:
            yield found
    except FileRefused as refusal:
        raise Refused(str(refusal)) from None


def _save_file(path: str, content: files.Stored, *, by: str, clash: Clash) -> None:
    folder, name = _place(path)
    try:
        if clash == Clash.THEIRS and (here := _here(path)):
            files.point(here, content, by=by)
        else:
            files.create(content, folder=folder, name=name, by=by)
    except FileRefused as refusal:
        raise Refused(str(refusal)) from None


def _place(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name


def _inner_first(snippets: dict[str, Piece]) -> list[str]:
    """Return the names in an order in which each comes after those that it names."""
    ordered: list[str] = []
    waiting = sorted(snippets)
    while waiting:
        ready = [
            name
            for name in waiting
            if not set(included(snippets[name].source)).intersection(waiting)
        ]
        # None is, where they name each other in a circle: to save the first says so.
        ordered += ready or waiting
        waiting = [name for name in waiting if name not in ordered]
    return ordered


# --- what is here already -------------------------------------------------------------------------


def _clashing(bundle: Bundle) -> Iterator[tuple[str, str]]:
    for snippet in Snippet.objects.filter(name__in=bundle.snippets).order_by("name"):
        if not _same_piece(snippet, bundle.snippets[snippet.name]):
            yield "snippet", snippet.name
    for layout in Layout.objects.filter(name__in=bundle.layouts).order_by("name"):
        if not _same_piece(layout, bundle.layouts[layout.name]):
            yield "layout", layout.name
    for path, content in bundle.files.items():
        if (file := _here(path)) and not _same_file(file, content):
            yield "file", path


def _same_piece(row: Snippet | Layout, piece: Piece) -> bool:
    return (row.kind, row.source) == (piece.kind, piece.source)


def _same_file(file: MediaFile, content: bytes) -> bool:
    return file.blob.digest == sha256(content).hexdigest()


def _here(path: str) -> MediaFile | None:
    try:
        return files.find(path)
    except FileRefused:
        return None


def _renamed(bundle: Bundle) -> tuple[Bundle, dict[str, str]]:
    """Return the bundle without clashes, and the new names of what clashed.

    A snippet that names a renamed one is another one by that, and may clash itself.
    """
    renamed: dict[str, str] = {}
    while found := list(_clashing(bundle)):
        snippets = {name: _free(name, Snippet, "-") for what, name in found if what == "snippet"}
        layouts = {name: _free(name, Layout, " ") for what, name in found if what == "layout"}
        paths = {name: _free_path(name) for what, name in found if what == "file"}
        bundle = _with_names(bundle, snippets, layouts, paths)
        renamed |= snippets | layouts | paths
    return bundle, renamed


def _with_names(
    bundle: Bundle, snippets: dict[str, str], layouts: dict[str, str], paths: dict[str, str]
) -> Bundle:
    bundle = rewritten(bundle, lambda source: with_paths(with_names(source, snippets), paths))
    layout = bundle.draft.layout
    return replace(
        bundle,
        draft=replace(bundle.draft, layout=layouts.get(layout, layout)),
        snippets={snippets.get(name, name): each for name, each in bundle.snippets.items()},
        layouts={layouts.get(name, name): each for name, each in bundle.layouts.items()},
        files={paths.get(path, path): each for path, each in bundle.files.items()},
    )


def _free(name: str, model: type[Snippet] | type[Layout], gap: str) -> str:
    taken = set(model.objects.filter(name__startswith=name).values_list("name", flat=True))
    return _first_free(lambda number: f"{name}{gap}{number}", lambda each: each in taken)


def _free_path(path: str) -> str:
    stem, _, extension = path.rpartition(".")
    return _first_free(
        lambda number: f"{stem}-{number}.{extension}", lambda each: bool(_here(each))
    )


def _first_free(candidate: Callable[[int], str], is_taken: Callable[[str], bool]) -> str:
    number = 2
    while is_taken(candidate(number)):
        number += 1
    return candidate(number)

"""The composer: a template as blocks, which buttons add, move, copy and remove."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from campaigns.previewing import field_tags, own_tags
from campaigns.views.templates import drafting
from campaigns.views.templates.frame import found, is_number, may_edit, page
from templates_app.blocks import Block, BlockKind, Document, NoBody, compose, parse
from templates_app.drafts import draft_of
from templates_app.forms import known_fields, may_write_raw
from templates_app.models import EmailTemplate, Kind, MediaFile
from templates_app.services import Refused, fingerprint, save_template

MOST = 200  # blocks of a template
_LONGEST = 200_000  # characters of a field
_NAMES = {kind.value for kind in BlockKind}

KINDS: dict[BlockKind, str | Promise] = {
    BlockKind.HEADING: gettext_lazy("Heading"),
    BlockKind.TEXT: gettext_lazy("Text"),
    BlockKind.BUTTON: gettext_lazy("Button"),
    BlockKind.IMAGE: gettext_lazy("Image"),
    BlockKind.COLUMNS: gettext_lazy("Two columns"),
    BlockKind.DIVIDER: gettext_lazy("Divider"),
    BlockKind.RAW: gettext_lazy("MJML as it is"),
}
_INLINE = gettext_lazy("**bold**, *italic*, [words](https://…), {{ field }}.")
_PARAGRAPHS = gettext_lazy("An empty line begins a new paragraph.")
# Of each kind: name of the field, label, hint, rows (0: one line).
_FIELDS: dict[BlockKind, tuple[tuple[str, str | Promise, str | Promise, int], ...]] = {
    BlockKind.HEADING: (("text", gettext_lazy("Heading"), _INLINE, 0),),
    BlockKind.TEXT: (("text", gettext_lazy("Text"), _INLINE, 6),),
    BlockKind.BUTTON: (
        ("text", gettext_lazy("Words on it"), "", 0),
        ("url", gettext_lazy("Where it leads"), "https://…", 0),
    ),
    BlockKind.IMAGE: (
        ("source", gettext_lazy("Image"), gettext_lazy("media:Folder/name.png, or https://…"), 0),
        ("alt", gettext_lazy("What it shows, for who does not see it"), "", 0),
        ("url", gettext_lazy("Where it leads, if anywhere"), "https://…", 0),
    ),
    BlockKind.COLUMNS: (
        ("text", gettext_lazy("On the left"), _PARAGRAPHS, 5),
        ("right", gettext_lazy("On the right"), _PARAGRAPHS, 5),
    ),
    BlockKind.DIVIDER: (),
    BlockKind.RAW: (("text", "MJML", "", 6),),
}


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str | Promise
    hint: str | Promise
    rows: int
    value: str


@dataclass(frozen=True, slots=True)
class Row:
    """A block as the page shows it; `focus` is the button, or `field`, that is next."""

    number: int
    kind: BlockKind
    title: str | Promise
    fields: list[Field]
    focus: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
def template_blocks(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a template as blocks (GET); change them, or save (POST)."""
    template = found(pk)
    if template.kind != Kind.MJML:
        problem = _("Only a template that is written in MJML has blocks.")
        return page(request, "blocks", template, here="blocks", problem=problem)
    try:
        document = parse(template.source)
    except NoBody as error:
        return page(request, "blocks", template, here="blocks", problem=str(error))
    if request.method != "POST":
        return _page(request, template, document)
    blocks = read(request.POST)
    verb, _dash, number = request.POST.get("do", "").partition("-")
    if verb == "save":
        return _save(request, template, replace(document, blocks=tuple(blocks)))
    blocks, focus = changed(blocks, verb, number)
    return _page(request, template, replace(document, blocks=tuple(blocks)), focus=focus)


def read(post: QueryDict) -> list[Block]:
    """Return the blocks that a form says, in their order."""
    count = post.get("count", "")
    blocks = []
    for number in range(min(int(count), MOST) if is_number(count) else 0):
        kind = post.get(f"{number}-kind", "")
        if kind in _NAMES:
            names = ("text", "right", "url", "source", "alt")
            values = {name: _typed(post, f"{number}-{name}") for name in names}
            blocks.append(Block(BlockKind(kind), **values))
    return blocks


def _typed(post: QueryDict, name: str) -> str:
    return post.get(name, "")[:_LONGEST].replace("\r\n", "\n").replace("\r", "\n")


def changed(blocks: Sequence[Block], verb: str, what: str) -> tuple[list[Block], tuple[int, str]]:
    """Return the blocks after a button was pressed, and what is to have the focus then."""
    result = list(blocks)
    if verb == "add" and what in _NAMES and len(result) < MOST:
        result.append(Block(BlockKind(what)))
        return result, (len(result) - 1, "field")
    if not is_number(what) or int(what) >= len(result):
        return result, (-1, "")
    return _CHANGES.get(verb, _stay)(result, int(what))


_Change = Callable[[list[Block], int], tuple[list[Block], tuple[int, str]]]


def _stay(blocks: list[Block], number: int) -> tuple[list[Block], tuple[int, str]]:
    return blocks, (number, "field")


def _up(blocks: list[Block], number: int) -> tuple[list[Block], tuple[int, str]]:
    to = max(number - 1, 0)
    blocks.insert(to, blocks.pop(number))
    return blocks, (to, "up")


def _down(blocks: list[Block], number: int) -> tuple[list[Block], tuple[int, str]]:
    to = min(number + 1, len(blocks) - 1)
    blocks.insert(to, blocks.pop(number))
    return blocks, (to, "down")


def _copy(blocks: list[Block], number: int) -> tuple[list[Block], tuple[int, str]]:
    if len(blocks) < MOST:
        blocks.insert(number + 1, blocks[number])
    return blocks, (min(number + 1, len(blocks) - 1), "field")


def _remove(blocks: list[Block], number: int) -> tuple[list[Block], tuple[int, str]]:
    del blocks[number]
    return blocks, (min(number, len(blocks) - 1), "remove")


_CHANGES: dict[str, _Change] = {"up": _up, "down": _down, "copy": _copy, "remove": _remove}


def _save(request: HttpRequest, template: EmailTemplate, document: Document) -> HttpResponse:
    template.source = compose(document)
    try:
        version = save_template(
            template,
            known=known_fields(),
            by=request.user.get_username(),
            may_write_raw=may_write_raw(request),
            seen=request.POST.get("seen", ""),
        )
    except Refused as refusal:
        return _page(request, template, document, refused=refusal.problems, status=422)
    messages.success(
        request,
        _("%(template)s is saved as version %(number)s.")
        % {"template": template, "number": version.number},
    )
    return redirect(request.path)


def _page(
    request: HttpRequest,
    template: EmailTemplate,
    document: Document,
    *,
    focus: tuple[int, str] = (-1, ""),
    refused: Sequence[Any] = (),
    status: int = 200,
) -> HttpResponse:
    saved = found(template.pk)
    template.source = compose(document) if request.method == "POST" else saved.source
    seen = request.POST.get("seen", "") if not refused else ""
    rows = [
        _row(number, block, focus[1] if number == focus[0] else "")
        for number, block in enumerate(document.blocks)
    ]
    return page(
        request,
        "blocks",
        template,
        here="blocks",
        status=status,
        rows=rows,
        kinds=[(kind.value, title) for kind, title in KINDS.items()],
        refused=refused,
        seen=seen or fingerprint(saved),
        live=drafting.live(request, draft_of(template), is_saved=request.method != "POST"),
        is_changed=template.source != saved.source,
        disabled=not may_edit(request, template),
        tags=[*field_tags(), *own_tags()],
        files=MediaFile.objects.filter(blob__content_type__startswith="image/").order_by(
            "folder", "name"
        ),
    )


def _row(number: int, block: Block, focus: str) -> Row:
    fields = [
        Field(f"{number}-{name}", label, hint, rows, getattr(block, name))
        for name, label, hint, rows in _FIELDS[block.kind]
    ]
    if focus == "field" and not fields:
        focus = "remove"
    return Row(number, block.kind, KINDS[block.kind], fields, focus)

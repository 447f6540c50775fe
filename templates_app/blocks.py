"""A template as ordered blocks: MJML in, MJML out, and whatever is no block stays as it is.

The MJML is the truth. A block is recognised where compiling it gives exactly the text that stands
there; all else is a raw block. What is composed can be opened again, also after it was edited.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from html import escape, unescape

from django.utils.translation import gettext as _
from markdown_it import MarkdownIt


class BlockKind(StrEnum):
    HEADING = "heading"
    TEXT = "text"
    BUTTON = "button"
    IMAGE = "image"
    COLUMNS = "columns"
    DIVIDER = "divider"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Block:
    """One block; which fields count, its kind says."""

    kind: BlockKind
    text: str = ""
    """Markdown of a line or of paragraphs; of a button its plain label, of a raw block its MJML."""
    right: str = ""
    """Of columns: the text of the second."""
    url: str = ""
    source: str = ""
    """Of an image: `media:…`, or an address."""
    alt: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """MJML around its blocks: all up to the beginning of its body, and all from its end."""

    before: str
    blocks: tuple[Block, ...]
    after: str


class NoBody(ValueError):
    """The source has no body that blocks could stand in."""


BLANK = Document(
    """<mjml>
  <mj-head>
    <mj-attributes>
      <mj-all font-family="-apple-system, 'Segoe UI', Roboto, Arial, sans-serif" />
      <mj-text color="#1b2326" font-size="16px" line-height="25px" />
      <mj-section background-color="#ffffff" padding="0 16px" />
    </mj-attributes>
  </mj-head>
  <mj-body background-color="#efede8">""",
    (),
    """</mj-body>
</mjml>
""",
)

_OPENS = re.compile(r"<mj-body\b(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_CLOSES = "</mj-body>"


def parse(source: str) -> Document:
    """Take MJML apart.

    :raises NoBody:
    """
    opened = _OPENS.search(source)
    end = source.rfind(_CLOSES)
    if opened is None or end < opened.end() or opened[0].endswith("/>"):
        raise NoBody(_("It has no <mj-body> that is opened and closed."))
    inner = source[opened.end() : end]
    return Document(source[: opened.end()], tuple(map(_block, _chunks(inner))), source[end:])


def compose(document: Document) -> str:
    """Put MJML together; blanks between blocks are ours, nothing else is."""
    lines = [mjml_of(block) for block in document.blocks]
    body = "".join(f"\n    {line}" for line in lines if line)
    return f"{document.before}{body}\n  {document.after}"


# --- from MJML --------------------------------------------------------------------------------

_TAG = r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}"
_TOKEN = re.compile(
    rf"<!--.*?-->|{_TAG}"
    rf"|<(?P<end>/?)(?P<name>mj-[\w-]+)(?:\"[^\"]*\"|'[^']*'|{_TAG}|[^<>\"'])*?(?P<empty>/?)>",
    re.DOTALL,
)
_COMMENTS = re.compile(r"(?:\s*<!--(?:(?!-->).)*-->)*\s*\Z", re.DOTALL)


def _chunks(inner: str) -> Iterator[str]:
    """Yield the elements of a body, and what stands between them; a comment goes with the next."""
    start, depth, lead = 0, 0, ""
    for token in _TOKEN.finditer(inner):
        if not token["name"]:
            continue
        if depth == 0 and not token["end"]:
            gap = inner[start : token.start()]
            comments = _COMMENTS.search(gap)
            cut = comments.start() if comments else len(gap)
            if gap[:cut].strip():
                yield gap[:cut].strip()
            lead, start = gap[cut:].lstrip(), token.start()
        depth += -1 if token["end"] else 0 if token["empty"] else 1
        if depth < 0:
            depth = 0
            continue
        if depth == 0:
            yield lead + inner[start : token.end()]
            start, lead = token.end(), ""
    if rest := (lead + inner[start:]).strip():
        yield rest


def _block(chunk: str) -> Block:
    for kind, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(chunk):
            block = _READ[kind](found)
            if mjml_of(block) == chunk:
                return block
    return Block(BlockKind.RAW, text=chunk)


# --- to MJML ----------------------------------------------------------------------------------

_SECTION = '<mj-section css-class="{kind}"><mj-column>{inside}</mj-column></mj-section>'
_HEADING = '<mj-text font-size="28px" line-height="36px" font-weight="bold">{}</mj-text>'
_TEXT = "<mj-text>{}</mj-text>"
_BUTTON = '<mj-button href="{}">{}</mj-button>'
_IMAGE = '<mj-image src="{}" alt="{}" />'
_LINKED = '<mj-image src="{}" alt="{}" href="{}" />'
_DIVIDER = "<mj-divider />"
_COLUMNS = (
    '<mj-section css-class="columns"><mj-column width="50%">{}</mj-column>'
    '<mj-column width="50%">{}</mj-column></mj-section>'
)


def mjml_of(block: Block) -> str:
    """Return the MJML of one block; of one that says nothing, none."""
    match block.kind:
        case BlockKind.RAW:
            return block.text.strip()
        case BlockKind.COLUMNS:
            return _COLUMNS.format(_paragraphs(block.text), _paragraphs(block.right))
        case BlockKind.HEADING:
            inside = _HEADING.format(_inline(" ".join(block.text.split())))
        case BlockKind.TEXT:
            inside = _paragraphs(block.text)
        case BlockKind.BUTTON:
            label = _plain(" ".join(block.text.split()))
            inside = _BUTTON.format(_plain(block.url), label)
        case BlockKind.IMAGE:
            values = [_plain(each) for each in (block.source, block.alt, block.url)]
            inside = (_LINKED if block.url.strip() else _IMAGE).format(*values)
        case BlockKind.DIVIDER:
            inside = _DIVIDER
    return _SECTION.format(kind=block.kind.value, inside=inside)


def _between(template: str) -> str:
    """Return a pattern of what a template of MJML gives, with a group for each of its places."""
    return "(.*?)".join(re.escape(part) for part in template.split("{}"))


def _within(kind: BlockKind, template: str) -> re.Pattern[str]:
    start, end = _SECTION.format(kind=kind.value, inside="\0").split("\0")
    return re.compile(f"{re.escape(start)}{_between(template)}{re.escape(end)}", re.DOTALL)


_PATTERNS = {
    "heading": _within(BlockKind.HEADING, _HEADING),
    "text": _within(BlockKind.TEXT, "{}"),
    "button": _within(BlockKind.BUTTON, _BUTTON),
    "linked": _within(BlockKind.IMAGE, _LINKED),
    "image": _within(BlockKind.IMAGE, _IMAGE),
    "divider": _within(BlockKind.DIVIDER, _DIVIDER),
    "columns": re.compile(_between(_COLUMNS), re.DOTALL),
}
_READ = {
    "heading": lambda found: Block(BlockKind.HEADING, text=_markdown(found[1])),
    "text": lambda found: Block(BlockKind.TEXT, text=_markdown_of_paragraphs(found[1])),
    "button": lambda found: Block(
        BlockKind.BUTTON, text=unescape(found[2]), url=unescape(found[1])
    ),
    "linked": lambda found: Block(
        BlockKind.IMAGE,
        source=unescape(found[1]),
        alt=unescape(found[2]),
        url=unescape(found[3]),
    ),
    "image": lambda found: Block(
        BlockKind.IMAGE, source=unescape(found[1]), alt=unescape(found[2])
    ),
    "divider": lambda found: Block(BlockKind.DIVIDER),
    "columns": lambda found: Block(
        BlockKind.COLUMNS,
        text=_markdown_of_paragraphs(found[1]),
        right=_markdown_of_paragraphs(found[2]),
    ),
}

# --- text: bold, italic, links, new lines, and the fields of readers ---------------------------

_ENGINE = MarkdownIt("zero", {"html": False, "breaks": True}).enable(
    ["emphasis", "link", "newline", "escape"]
)
_FIELDS = re.compile(_TAG, re.DOTALL)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")
_SPECIAL = re.compile(r"([\\*_\[\]!`])")
_HTML = re.compile(r"</?strong>|</?em>|<a href=\"([^\"]*)\">|</a>|<br />\n?")
_PLACE = re.compile("\ue000(\\d+)\ue001")


def _paragraphs(text: str) -> str:
    paragraphs = [each for each in _PARAGRAPHS.split(text.strip()) if each.strip()]
    return "".join(_TEXT.format(_inline(each.strip())) for each in paragraphs)


def _inline(text: str) -> str:
    """Return the HTML of a text; what stands in `{{ … }}` and `{% … %}` stays as it is."""
    kept: list[str] = []

    def park(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\ue000{len(kept) - 1}\ue001"

    parked = _FIELDS.sub(park, text.replace("\ue000", "").replace("\ue001", ""))
    html = str(_ENGINE.renderInline(parked)).replace("<br>", "<br />")
    # In addresses the places of fields are percent-encoded.
    html = html.replace("%EE%80%80", "\ue000").replace("%EE%80%81", "\ue001")
    return _PLACE.sub(lambda place: kept[int(place[1])], html)


def _plain(text: str) -> str:
    """Return text without markup, for an attribute or a label; fields stay as they are."""
    parts = _FIELDS.split(text.strip())
    tags = [*_FIELDS.findall(text.strip()), ""]
    return "".join(f"{escape(part)}{tag}" for part, tag in zip(parts, tags, strict=True))


def _markdown_of_paragraphs(html: str) -> str:
    start, end = _TEXT.split("{}")
    inner = html.removeprefix(start).removesuffix(end)
    return "\n\n".join(_markdown(each) for each in inner.split(f"{end}{start}"))


def _markdown(html: str) -> str:
    """Return a text that `_inline` makes this HTML of, where there is one."""
    parts, href, position = [], "", 0
    for found in _HTML.finditer(html):
        parts.append(_escaped(html[position : found.start()]))
        position = found.end()
        tag = found[0]
        if found[1] is not None:
            href = unescape(found[1])
            parts.append("[")
        elif tag == "</a>":
            parts.append(f"](<{href}>)" if re.search(r"[\s()]", href) else f"]({href})")
        elif tag.startswith("<br"):
            parts.append("\n")
        else:
            parts.append("**" if "strong" in tag else "*")
    return "".join([*parts, _escaped(html[position:])])


def _escaped(html: str) -> str:
    """Return text so that it means itself; the fields in it stay as they are."""
    parts = _FIELDS.split(html)
    tags = [*_FIELDS.findall(html), ""]
    texts = (_SPECIAL.sub(r"\\\1", unescape(part)) for part in parts)
    return "".join(f"{text}{tag}" for text, tag in zip(texts, tags, strict=True))

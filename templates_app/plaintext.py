"""The text part of a message, made from the source of its HTML."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser

from templates_app.grammar import blocks

VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source"})
SKIPPED = frozenset({"head", "script", "style", "template", "title"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})
_LINES = frozenset(
    {"address", "article", "blockquote", "center", "dd", "div", "dl", "dt", "footer", "form"}
    | {"header", "li", "main", "ol", "pre", "section", "table", "tr", "ul"}
)
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)

# Private-use characters stand for the template's tags while the HTML is read: the parser would
# take `{% if a < b %}` apart, and percent signs and quotes in an href as well.
_MARK = re.compile("\ue000([0-9]+)\ue001")
_TAG = re.compile(r"<[a-zA-Z/!?]")
_LINE, _PARAGRAPH = "\ue002", "\ue003"
_OWN = re.compile("[\ue000-\ue003]")


def html_to_text(html: str) -> str:
    """Make a text part that says the same as the HTML, with its template tags kept.

    A link becomes `words <url>`, an image its alternative text, a list item a line with a dash.
    What is not shown (style, script, `display:none`) is left out, but for `{% … %}`: a condition
    that begins in one place ends in another.
    """
    marked, kept = set_aside(html)
    parser = _TextMaker(kept)
    parser.feed(marked)
    parser.close()
    text = _lay_out("".join(parser.pieces), kept)
    return put_back(text, _without_trimming(text, kept))


def set_aside(html: str) -> tuple[str, list[str]]:
    """Return HTML that a parser reads in one go, with marks for the template's tags; and the tags.

    What is open at the end is closed, or left out.
    """
    html = _OWN.sub("", html)
    kept: list[str] = []
    marked: list[str] = []
    end = 0
    for start, stop in blocks(html):
        marked += [html[end:start], f"\ue000{len(kept)}\ue001"]
        kept.append(html[start:stop])
        end = stop
    return _closed("".join(marked) + html[end:]), kept


def put_back(text: str, kept: Sequence[str]) -> str:
    """Return a text of `set_aside` with the template's tags in it again."""
    return _MARK.sub(lambda mark: kept[int(mark[1])], text)


def _closed(html: str) -> str:
    """Close, or leave out, what is open at the end: the parser would read on from each `<`."""
    if html.rfind("<!--") > html.rfind("-->"):
        html += "-->"
    last = html.rfind(">") + 1
    if unclosed := _TAG.search(html, last):
        kept = "".join(mark[0] for mark in _MARK.finditer(html, unclosed.start()))
        return f"{html[: unclosed.start()]}<!--{kept}-->"
    return html


class _TextMaker(HTMLParser):
    def __init__(self, kept: list[str]) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._kept = kept
        self._hidden: list[str] = []  # the hidden element and all that is open inside it
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        hides = tag in SKIPPED or "hidden" in values or _HIDDEN.search(values.get("style", ""))
        if (self._hidden or hides) and tag not in VOID:
            self._hidden.append(tag)
        elif not (self._hidden or hides):
            self._show(tag, values)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            while tag in self._hidden and self._hidden.pop() != tag:
                pass
        elif tag == "a" and self._links:
            self._close_link(*self._links.pop())
        else:
            self.pieces.append(_break(tag))

    def handle_data(self, data: str) -> None:
        if self._hidden:
            self._keep_statements(data)
        else:
            # Braces that come out of `&#123;` were not meant as a tag.
            self.pieces.append(re.sub(r"\{(?=[{%#])", "{ ", re.sub(r"\s+", " ", data)))

    def handle_comment(self, data: str) -> None:
        self._keep_statements(data)

    def _show(self, tag: str, values: dict[str, str]) -> None:
        if tag == "a":
            self._links.append((values.get("href", "").strip(), len(self.pieces)))
        elif tag == "img":
            self.pieces.append(values.get("alt", ""))
        elif tag == "li":
            self.pieces.append(f"{_LINE}- ")
        else:
            self.pieces.append(_break(tag))

    def _close_link(self, href: str, start: int) -> None:
        words = "".join(self.pieces[start:]).strip(f" {_LINE}{_PARAGRAPH}")
        if href and not href.startswith("#"):
            shown = f"{words} <{href}>" if words not in {"", href} else href
            self.pieces[start:] = [shown]

    def _keep_statements(self, data: str) -> None:
        marks = [mark for mark in _MARK.finditer(data) if _is_statement(mark, self._kept)]
        self.pieces += [mark[0] for mark in marks]


def _break(tag: str) -> str:
    if tag in _PARAGRAPHS:
        return _PARAGRAPH
    if tag == "hr":
        return f"{_LINE}{'-' * 40}{_LINE}"
    if tag in {"td", "th"}:
        return " "
    return {"br": "\n"}.get(tag, _LINE if tag in _LINES else "")


def _lay_out(text: str, kept: list[str]) -> str:
    """Turn breaks into line ends; a line of statements alone is joined to the next one."""
    text = re.sub(f"(^|{_LINE})- [ {_LINE}{_PARAGRAPH}]+", r"\1- ", text)
    text = re.sub(
        f" *[{_LINE}{_PARAGRAPH}][ {_LINE}{_PARAGRAPH}]*",
        lambda found: "\n\n" if _PARAGRAPH in found[0] else "\n",
        text,
    )
    text = re.sub(r" *\n *", "\n", re.sub(" +", " ", text))
    lines = [line if _is_silent(line, kept) else f"{line}\n" for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "".join(lines)).strip()


def _without_trimming(text: str, kept: list[str]) -> list[str]:
    """Return the tags without a `-` that would join the lines which the elements have made."""
    tags = list(kept)
    for mark in _MARK.finditer(text):
        tag = tags[int(mark[1])]
        if text.endswith(("\n", "- "), 0, mark.start()) and tag[2:3] == "-":
            tag = tag[:2] + tag[3:]
        if text.startswith("\n", mark.end()) and tag[-3:-2] == "-":
            tag = tag[:-3] + tag[-2:]
        tags[int(mark[1])] = tag
    return tags


def _is_silent(line: str, kept: list[str]) -> bool:
    if not line or _MARK.sub("", line).strip():
        return False
    return all(_is_statement(mark, kept) for mark in _MARK.finditer(line))


def _is_statement(mark: re.Match[str], kept: list[str]) -> bool:
    return kept[int(mark[1])].startswith("{%")

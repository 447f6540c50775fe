"""From Markdown to HTML in a layout."""

import re
from importlib.resources import files

from markdown_it import MarkdownIt

from templates_app.compiling.protection import Protection

LETTER = files("templates_app.compiling").joinpath("letter.html").read_text(encoding="utf-8")

_ENGINE = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
CONTENT = re.compile(r"\{\{[-+]?\s*content\s*[-+]?\}\}")


def markdown_to_html(marked: str, protection: Protection) -> str:
    """Return the HTML of a text with marks; a line of statements alone stays between blocks."""
    lines = [_line(line, protection) for line in marked.splitlines()]
    return str(_ENGINE.render("\n".join(lines))).strip()


def _line(line: str, protection: Protection) -> str:
    marks = list(protection.marks(line))
    rest = line
    for mark in marks:
        rest = rest.replace(mark[0], "", 1)
    if not marks or rest.strip() or not all(protection.tag(mark).word for mark in marks):
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return indent + "".join(f"<!--{mark[0]}-->" for mark in marks)

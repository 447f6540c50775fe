"""HTML of authors as a document that a page may frame: nothing runs in it, nothing leaves it."""

import html as entities
import re

# Before all that the author wrote, so that it holds for all of it. The frame's `sandbox` forbids
# scripts, forms and navigation; this says what it may load.
_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "img-src https: http: data:; style-src 'unsafe-inline'; font-src https: data:\">"
    '<meta name="referrer" content="no-referrer">'
    # A link would be followed inside the frame; into a new window it is not, by the sandbox.
    '<base target="_blank">'
)
_DOCTYPE = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)
_ASKS = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_DECLARES = re.compile(
    r"""((?:color-scheme\s*:\s*)|(?:["']color-scheme["']\s+content=["']))"""
    r"(?:light\s+dark|dark\s+light)",
    re.IGNORECASE,
)
_ALWAYS, _NEVER = "(min-width: 0px)", "(max-width: 0px)"


def framed(html: str, *, is_dark: bool = False) -> str:
    """Return what a frame shows: as a reader has it who prefers light, or dark, colours."""
    scheme = "dark" if is_dark else "light"
    html = _ASKS.sub(lambda asks: _ALWAYS if asks[1].lower() == scheme else _NEVER, html)
    html = _DECLARES.sub(rf"\g<1>{scheme}", html)
    doctype = _DOCTYPE.match(html)
    end = doctype.end() if doctype else 0
    return f"{html[:end]}{_POLICY}{html[end:]}"


_UNSEEN = re.compile(
    r"<!--.*?-->|<(style|script|title|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"<[^>]*>")
_FILLERS = re.compile("[\u034f\u00ad\u200b-\u200f\u2007\ufeff\xa0]+")
_INBOX = 140  # characters that inboxes show behind a subject, about


def inbox_line(html: str) -> str:
    """Return what an inbox shows behind the subject: the preheader, and then the body's words."""
    words = entities.unescape(_TAG.sub(" ", _UNSEEN.sub(" ", html)))
    line = " ".join(_FILLERS.sub(" ", words).split())
    return line if len(line) <= _INBOX else f"{line[: _INBOX - 1]}…"

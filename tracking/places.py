"""Where the links of a message stand in its HTML, and how they are led past the counter.

Pure. HTML is that of a version: compiled, with the tags of the template in it.
"""

import html as entities
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise
from urllib.parse import urlsplit

import idna
from django.utils.encoding import iri_to_uri

from templates_app.compiling.markup import Token, edited, everywhere, tokens
from templates_app.grammar import blocks, steps
from templates_app.rendering import Compiled, Plain, compile_content

_LABEL = 200  # characters
_OUR_PAGES = frozenset({"unsubscribe_url", "preferences_url", "view_url"})
_BEGINNING = re.compile(r"https?://[^/?#]+(?=[/?#]|\Z)", re.IGNORECASE)
# What a browser takes for a slash, or leaves out, or a header cannot have.
_UNFIT = re.compile(r"[\x00-\x1f\x7f\\]")
_HIDES = re.compile(r"display\s*:\s*none", re.IGNORECASE)


class Unfit(ValueError):
    """It is not the address of a page to which we would lead somebody."""


@dataclass(frozen=True, slots=True)
class Place:
    """A link that clicks can be counted of.

    `start` and `end` are those of the value of its attribute, in the HTML.
    """

    start: int
    end: int
    is_quoted: bool
    target: str
    """As a browser reads it, with the tags of the template in it."""
    label: str
    """What a reader sees of it."""
    is_for_outlook: bool
    """It stands in a comment that Outlook alone reads, often beside the same link for others."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is written into the HTML of messages that are measured, as a part of the template."""

    pixel: str
    """The address of the image that counts opens."""
    click: str
    """What the number of a link is appended to."""
    is_for_one: bool
    """They name the recipient, whose own values the targets of links may then have."""


def places(html: str) -> list[Place]:
    """Return the links to pages of the web, in their order.

    Left out are those whose host the author has not written out, with a tag in it or before it: a
    redirect to them would lead wherever a recipient's field says. So are those that read what a
    loop or a `set` defines, which is not known when somebody clicks, and our own pages.
    """
    masked = _masked(html)
    passing = {name for step in steps(html) for name in step.targets} | _OUR_PAGES | {"loop"}
    return [
        place
        for place in _links(html, masked)
        if _is_page(place.target) and not passing.intersection(_read(place.target))
    ]


def numbered_places(html: str) -> list[Place]:
    """Return the places that have a number; of links for Outlook, those that others do not have."""
    found = places(html)
    shown = {place.target for place in found if not place.is_for_outlook}
    own: set[str] = set()
    numbered = []
    for place in found:
        if not place.is_for_outlook or place.target not in shown | own:
            numbered.append(place)
            own.add(place.target)
    return numbered


def measured_html(html: str, numbers: Mapping[str, Sequence[int]], measured: Measured) -> str:
    """Return HTML whose links are counted, with the pixel; HTML that is empty stays so.

    A link for Outlook alone counts as the next one for others with the same target.

    :param numbers: of the places of each target, in their order; those beyond stay as they are.
    """
    if not html:
        return ""
    edits = [(_beginning(html),) * 2 + (_PIXEL.format(measured.pixel),)]
    seen: dict[str, int] = defaultdict(int)
    for place in places(html):
        known = numbers.get(place.target, ())
        at = min(seen[place.target], len(known) - 1) if place.is_for_outlook else seen[place.target]
        seen[place.target] += not place.is_for_outlook
        if at < len(known) and (measured.is_for_one or not is_personal(place.target)):
            address = f"{measured.click}{known[at]}"
            quoted = address if place.is_quoted else f'"{address}"'
            edits.append((place.start, place.end, quoted))
    return edited(html, edits)


# As a block: in a line of its own it would be as high as a line of text.
_PIXEL = '<img src="{}" width="1" height="1" alt="" style="display:block;width:1px;height:1px">'


def is_personal(target: str) -> bool:
    """Whether a target is another one for each recipient."""
    return next(blocks(target), None) is not None


def location(address: str) -> str:
    """Return the address of a page in the form that a `Location` has (RFC 9110 10.2.2), in ASCII.

    :raises Unfit: it has another scheme, no host or a strange one, a name before its host, or
        characters by which a browser could be led elsewhere.
    """
    if _UNFIT.search(address):
        raise Unfit(f"{address[:100]!r} has a character that no address has")
    try:
        url = urlsplit(address)
        host, port = url.hostname or "", url.port
        if not host.isascii():
            host = idna.encode(host, uts46=True).decode()
        _, _, behind = address.partition("//")
        uri = iri_to_uri(behind.removeprefix(url.netloc))
    except (idna.IDNAError, ValueError) as error:
        raise Unfit(f"{address[:100]!r} is no address") from error
    if url.scheme not in {"http", "https"} or "@" in url.netloc or not _HOST.fullmatch(host):
        raise Unfit(f"{address[:100]!r} is not the address of a page")
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    return f"{url.scheme}://{netloc}{uri}"


_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


def personal_location(target: str, values: Mapping[str, Plain], *, language: str) -> str:
    """Return where a link leads that is another one for each recipient.

    :param values: what the recipient's message is rendered from.
    :param language: of the content that it stands in.
    :raises Unfit: what comes out is not a page of the host that the author wrote.
    :raises RenderError: a field has no value any more.
    :raises NotPlain:
    """
    written = entities.unescape(_compiled(target, language).render(values).html)
    found = location(written)
    if urlsplit(found).netloc != urlsplit(location(_fixed(target))).netloc:
        raise Unfit(f"{written[:100]!r} leads to another host than the link")
    return found


def home_of(target: str) -> str:
    """Return the front page of the host that a link leads to."""
    url = urlsplit(location(_fixed(target)))
    return f"{url.scheme}://{url.netloc}/"


@lru_cache(maxsize=256)
def _compiled(target: str, language: str) -> Compiled:
    """Compile a target as it stood in the HTML, where values are escaped."""
    source = "".join(text if is_tag else entities.escape(text) for text, is_tag in _pieces(target))
    return compile_content(subject="-", html=source, text="-", language=language)


def _links(html: str, masked: str) -> Iterator[Place]:
    """Yield all links; in a comment for Outlook, its own shapes have `href` as well."""
    found = list(everywhere(masked))
    for at, (offset, token) in enumerate(found):
        is_for_outlook = offset > 0
        if token.kind != "start" or not (is_for_outlook or token.name in {"a", "area"}):
            continue
        # A browser reads the first one.
        for each in [one for one in token.attributes if one.name == "href"][:1]:
            start, end = each.start + offset, each.end + offset
            target = _read_by_browser(html[start:end])
            label = _label(html, found, at)
            yield Place(start, end, each.is_quoted, target, label, is_for_outlook)


def _label(html: str, found: Sequence[tuple[int, Token]], at: int) -> str:
    """Return the words of a link, or what stands for its image."""
    offset, link = found[at]
    words, images = [], [_value(html, offset, link, "alt")]
    for shift, token in islice(found, at + 1, None) if link.name != "area" else ():
        if token.name in {"a", link.name}:
            break
        if token.kind == "text" and shift == offset:
            words.append(html[token.start + shift : token.end + shift])
        elif token.name == "img":
            images.append(_value(html, shift, token, "alt"))
    shown = " ".join(entities.unescape(" ".join(words)).split())
    return (shown or " ".join(entities.unescape(" ".join(images)).split()))[:_LABEL]


def _value(html: str, offset: int, token: Token, name: str) -> str:
    found = (one for one in token.attributes if one.name == name)
    return next((html[one.start + offset : one.end + offset] for one in found), "")


def _is_page(target: str) -> bool:
    try:
        return bool(location(_fixed(target)))
    except Unfit:
        return False


def _fixed(target: str) -> str:
    """Return an address with a word in place of each tag, cut off where its host is not fixed."""
    first = next(blocks(target), (len(target), 0))[0]
    begun = _BEGINNING.match(target)
    if begun is None or begun.end() > first or (begun.end() == first != len(target)):
        return ""
    return "".join("x" if is_tag else text for text, is_tag in _pieces(target))


def _read(target: str) -> set[str]:
    return {name for step in steps(target) for name in step.fields}


def _read_by_browser(value: str) -> str:
    """Return the value of an attribute: references are written out, but not inside of tags."""
    value = value.strip()
    return "".join(text if is_tag else entities.unescape(text) for text, is_tag in _pieces(value))


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield a text in pieces, and whether each is a tag of the template."""
    ends = [0, *(end for block in blocks(text) for end in block), len(text)]
    for number, (start, end) in enumerate(pairwise(ends)):
        yield text[start:end], number % 2 == 1


def _masked(html: str) -> str:
    """Return the HTML with as many letters in place of each tag: what reads HTML would trip."""
    return "".join("x" * len(text) if is_tag else text for text, is_tag in _pieces(html))


def _beginning(html: str) -> int:
    """Return where the body begins to be seen: behind hidden words, which inboxes show."""
    masked = _masked(html)
    found = list(tokens(masked))
    begun = _body(found)
    at, depth = found[begun - 1].end if begun else 0, 0
    for token in found[begun:]:
        is_hidden = token.kind == "start" and bool(_HIDES.search(token.value("style")))
        if token.name == "div" and (depth or is_hidden):
            depth += {"start": 1, "end": -1}[token.kind]
            at = at if depth else token.end
        # Of text, the tags of the template as well: what follows may be left out.
        elif not depth and masked[token.start : token.end].strip():
            break
    return at


def _body(found: Sequence[Token]) -> int:
    """Return how many tokens stand before the content of the body."""
    for at, token in enumerate(found):
        if (token.kind, token.name) == ("start", "body"):
            return at + 1
    begun = 0
    for at, token in enumerate(found):
        if token.kind == "declaration" or (token.kind, token.name) in _AROUND_HEAD:
            begun = at + 1
        elif token.kind == "start" and token.name not in _IN_HEAD:
            break
    return begun


_AROUND_HEAD = frozenset({("start", "html"), ("end", "head")})
_IN_HEAD = frozenset({"head", "title", "meta", "style", "link", "base"})

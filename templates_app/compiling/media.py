"""Addresses of files of the library: `media:Logos/shore.png`."""

import html as entities
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from django.utils.translation import gettext as _

from templates_app.compiling.library import Unusable
from templates_app.compiling.markup import Token, edited, everywhere
from templates_app.compiling.protection import MARK, Protection

_ADDRESSES = frozenset({"action", "background", "cite", "data", "poster"})
_ADDRESS_ENDS = ("href", "src", "url")
_WHOLE = re.compile(r"\s*(media:(.*?))\s*", re.IGNORECASE | re.DOTALL)
_IN_LIST = re.compile(r"(?:^|,)\s*(media:([^\s,]+))", re.IGNORECASE)
# Their length is bounded: whoever writes many beginnings waits for no end.
_IN_CSS = re.compile(
    r"""url\(\s*(?:"\s*(media:([^"\n]{1,1000}))"|'\s*(media:([^'\n]{1,1000}))'"""
    r"""|(?P<quote>&quot;|&\#0?3[49];|&apos;)\s*(media:([^\n]{1,1000}?))(?P=quote)"""
    r"""|(media:([^"'()<>&\s]{1,1000})))""",
    re.IGNORECASE,
)
_IN_MARKDOWN = re.compile(
    r"""\](?:\(|:)\s*(?:<(media:([^<>\n]{1,1000}))>"""
    r"""|(media:((?:[^<>\s()]|\([^<>\s()]{0,300}\)){1,1000})))""",
    re.IGNORECASE,
)
_SAFE_IN_CSS = str.maketrans({"'": "%27", "(": "%28", ")": "%29"})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file is named: the span of `media:…`, and what stands behind the colon."""

    start: int
    end: int
    written: str
    is_css: bool = False

    @property
    def path(self) -> str:
        return unquote(entities.unescape(self.written)).strip()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the name of a file."""

    path: str
    message: str

    def offset(self, source: str) -> int | None:
        """Return where a marked source names the file, if it does."""
        longest = 12 * len(self.path)  # each character may be an entity, or percent-encoded
        for found in re.finditer("media:", source, re.IGNORECASE):
            said = source[found.end() : found.end() + longest + 1]
            if unquote(entities.unescape(said)).lstrip().startswith(self.path):
                return found.start()
        return None


def with_media(
    html: str, protection: Protection, find: Callable[[str], str | None]
) -> tuple[str, list[Fault]]:
    """Put the public addresses of the files in place of their names; tell what cannot be found.

    :param html: with words for all tags.
    """
    edits: dict[int, tuple[int, int, str]] = {}
    faults: dict[str, Fault] = {}
    for place in _places(html, protection.everywhere(html)):
        found = _found(place.path, find)
        if isinstance(found, Fault):
            faults[place.path] = found
        else:
            address = found.translate(_SAFE_IN_CSS) if place.is_css else entities.escape(found)
            edits[place.start] = (place.start, place.end, address)
    return edited(html, list(edits.values())), list(faults.values())


def _found(path: str, find: Callable[[str], str | None]) -> str | Fault:
    if re.search(MARK, path):
        return Fault(path, _("the name of a file may have no tag in it; write out each of them"))
    try:
        address = find(path)
    except Unusable as reason:
        return Fault(path, str(reason))
    missing = _(
        "there is no file %(path)r in the media library; upload it, or correct the path"
    ) % {"path": path}
    return address or Fault(path, missing)


def _places(html: str, read: Iterable[tuple[int, Token]]) -> Iterator[_Place]:
    for shift, token in read:
        for attribute in token.attributes if token.kind == "start" else ():
            for found, is_css in _in_attribute(attribute.name, attribute.value):
                yield _place(found, shift + attribute.start, is_css)
        if token.kind == "raw" and token.name == "style":
            for found in _IN_CSS.finditer(html, shift + token.start, shift + token.end):
                yield _place(found, 0, is_css=True)


def _in_attribute(name: str, value: str) -> Iterator[tuple[re.Match[str], bool]]:
    if name == "srcset":
        yield from ((found, False) for found in _IN_LIST.finditer(value))
    elif name in _ADDRESSES or name.endswith(_ADDRESS_ENDS):
        if found := _WHOLE.fullmatch(value):
            yield found, False
    elif name == "style":
        yield from ((found, True) for found in _IN_CSS.finditer(value))


def _place(found: re.Match[str], shift: int, is_css: bool) -> _Place:
    groups = [n for n in range(1, found.re.groups + 1) if found[n] is not None]
    whole = next(n for n in groups if found[n].lower().startswith("media:"))
    start, end = found.span(whole)
    return _Place(shift + start, shift + end, found[whole + 1], is_css)


def named(source: str) -> list[str]:
    """Return the paths of the files that a source of any kind names, in its order."""
    return [place.path for place in _in_source(source)]


def with_paths(source: str, paths: Mapping[str, str]) -> str:
    """Return the source with other paths for the files that it names, in whatever case."""
    spelt = {_folded(path): new for path, new in paths.items()}
    places = [(each, spelt.get(_folded(each.path))) for each in _in_source(source)]
    return edited(
        source, [(each.start, each.end, f"media:{quote(new)}") for each, new in places if new]
    )


def _in_source(source: str) -> list[_Place]:
    written = [_place(found, 0, is_css=False) for found in _IN_MARKDOWN.finditer(source)]
    places = {each.start: each for each in (*written, *_places(source, everywhere(source)))}
    return [places[start] for start in sorted(places)]


def _folded(path: str) -> str:
    """Return what is the same for all spellings of a path: the case of the name is free."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.lower()

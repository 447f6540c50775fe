"""Addresses of files of the library: `media:Logos/shore.png`."""

import html as entities
import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote, unquote

from templates_app.compiling.protection import MARK

_QUOTED = r"""(?<=["'])media:(?P<quoted>[^"'<>\n]+)(?=["'])"""
_IN_BRACKETS = r"""\(\s*(?:["']|&quot;|&#39;)?media:(?P<bracketed>[^"'()<>&\s]+)"""
_FILE = re.compile(f"{_QUOTED}|{_IN_BRACKETS}")


def missing(source: str, find: Callable[[str], str | None]) -> Iterator[tuple[int, str]]:
    """Yield the place and the fault of each address in a marked source that leads to no file."""
    for found in _FILE.finditer(source):
        path = _path(found)
        if re.search(MARK, path):
            yield found.start(), "the name of a file may have no tag in it; write out each of them"
        elif find(path) is None:
            yield found.start(), f"there is no file {path!r} in the media library; upload it"


def named(source: str) -> list[str]:
    """Return the paths of the files that a source names, in its order."""
    return [_path(found) for found in _FILE.finditer(source)]


def with_paths(source: str, paths: Mapping[str, str]) -> str:
    """Return the source with other paths for the files that it names, in whatever case."""
    spelt = {_folded(path): new for path, new in paths.items()}
    return _FILE.sub(lambda found: _moved(found, spelt), source)


def _folded(path: str) -> str:
    """Return what is the same for all spellings of a path: the case of the name is free."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.lower()


def _moved(found: re.Match[str], paths: Mapping[str, str]) -> str:
    new = paths.get(_folded(_path(found)))
    written = found["quoted"] or found["bracketed"]
    return found[0].replace(f"media:{written}", f"media:{quote(new)}") if new else found[0]


def with_media(html: str, find: Callable[[str], str | None]) -> str:
    """Put the public addresses of the files in place of their names."""
    return _FILE.sub(lambda found: _address(found, find), html)


def _address(found: re.Match[str], find: Callable[[str], str | None]) -> str:
    address = find(_path(found))
    written = f"media:{found['quoted'] or found['bracketed']}"
    return found[0].replace(written, entities.escape(address)) if address else found[0]


def _path(found: re.Match[str]) -> str:
    return unquote(entities.unescape(found["quoted"] or found["bracketed"])).strip()

"""Names of files and folders: what may stand in a header, in a path and on any disk."""

import re
import unicodedata

from django.utils.translation import gettext as _

from templates_app.media.refused import Refused

LONGEST_NAME = 100
LONGEST_FOLDER = 200

# Controls, separators, bidirectional marks (which show "exe.pdf" as "fdp.exe"), lone surrogates,
# what is invisible, and what a path or a shell gives a meaning to.
_TAKEN_OUT = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    r'\\:*?"<>|/]'
)
_BLANKS = re.compile(r"\s+")
_PARTS = re.compile(r"[/\\]")


def clean_name(name: str) -> str:
    """Return the last part of a path as a name of at most 100 characters, its extension kept.

    :raises Refused: nothing is left of it, or it has no extension.
    """
    base = _cleaned(_PARTS.split(name)[-1])
    stem, dot, extension = base.rpartition(".")
    stem = stem.strip(" .")
    if not (stem and dot and extension):
        text = _("%(name)s: a file needs a name with an extension, like logo.png")
        raise Refused(text % {"name": base or _("the file")})
    room = LONGEST_NAME - len(extension) - 1
    if room < 1:
        raise Refused(
            _("%(extension)s…: this is too long for an extension") % {"extension": extension[:20]}
        )
    return f"{stem[:room].rstrip(' .')}.{extension}"


def clean_folder(folder: str) -> str:
    """Return a path of folders such as `Logos/2026`, or nothing for the top.

    :raises Refused: it is longer than 200 characters.
    """
    parts = (_cleaned(part).strip(" .") for part in _PARTS.split(folder))
    path = "/".join(part for part in parts if part)
    if len(path) > LONGEST_FOLDER:
        raise Refused(
            _("a folder's path has %(most)s characters at most") % {"most": LONGEST_FOLDER}
        )
    return path


def _cleaned(part: str) -> str:
    composed = unicodedata.normalize("NFC", part)
    return _BLANKS.sub(" ", _TAKEN_OUT.sub("", composed)).strip()

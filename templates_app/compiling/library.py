"""What a template is put together from beside its own source, as plain values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from templates_app.models import Kind


class Unusable(Exception):
    """A file is there, and may not be in a message; the text says why."""


def no_media(path: str) -> None:
    """Find no file."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The source of a snippet or of a layout."""

    kind: Kind
    source: str


@dataclass(frozen=True, slots=True)
class Library:
    snippets: Mapping[str, Piece] = field(default_factory=dict)
    layouts: Mapping[str, Piece] = field(default_factory=dict)
    media: Callable[[str], str | None] = no_media
    """Returns the public address of a file such as `Logos/shore.png`, None where there is none.

    :raises Unusable: it may not be sent.
    """

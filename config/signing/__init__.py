"""Messages to workers that are signed, where an installation asks for it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Files:
    key: Path
    """With which this installation signs, in PEM."""
    certificate: Path
    """Of that key."""
    store: Path
    """A directory of the certificates whose signatures count."""

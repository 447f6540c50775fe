"""Files behind a message (RFC 2046 5.1.3), written once for all messages of a run."""

import re
from base64 import encodebytes
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import quote

# Visible ASCII and single spaces, nothing that a quoted string would escape; all else is encoded.
_PLAIN = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")
_SECTION = 60  # characters of a parameter in one line (RFC 2231 3)
_IN_A_LINE = 57  # bytes; base64 makes 76 characters of them
_PART = 2_000  # bytes of a part's header and boundary, more than it ever has


class File(NamedTuple):
    name: str
    content_type: str  # the whole value of Content-Type
    content: bytes


class Attached:
    """What makes a message one with attachments: `head`, its content in between, and `tail`.

    `tail` is its own relaxed form (RFC 6376 3.4.4): no tab, no two blanks, none at a line's end.
    """

    def __init__(self, files: Sequence[File]) -> None:
        parts = [_part(file) for file in files]
        digest = blake2b(digest_size=12)
        for part in parts:
            digest.update(part)
        # As in compose: "=_" is in no body. Alike in all messages of a run, so that the bytes are.
        boundary = b"=_m" + digest.hexdigest().encode()
        self._head = b'Content-Type: multipart/mixed;\r\n boundary="%b"\r\n' % boundary
        self._opening = b"--%b\r\n" % boundary
        self.tail = self._opening + self._opening.join(parts) + b"--%b--\r\n" % boundary

    def around(self, content_type: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Return the Content-Type of the whole, and its body up to where the tail begins."""
        return self._head, b"%b%b\r\n%b" % (self._opening, content_type, body)


def encoded_size(size: int) -> int:
    """Return how many bytes of a message a file of so many bytes takes."""
    return _PART + 4 * -(-size // 3) + 2 * -(-size // _IN_A_LINE)


def _part(file: File) -> bytes:
    head = (
        f"Content-Type: {file.content_type}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment{_file_name(file.name)}\r\n\r\n"
    )
    return head.encode("ascii") + encodebytes(file.content).replace(b"\n", b"\r\n")


def _file_name(name: str) -> str:
    """Write the parameter (RFC 2183 2.3), encoded and in sections where it must be (RFC 2231)."""
    if _PLAIN.fullmatch(name):
        return f';\r\n filename="{name}"'
    encoded = "utf-8''" + quote(name, safe="")
    # A section does not end within the three characters of one byte.
    sections = re.findall(rf"(?:%..|[^%]){{1,{_SECTION // 3}}}", encoded)
    if len(sections) == 1:
        return f";\r\n filename*={encoded}"
    return "".join(f";\r\n filename*{number}*={each}" for number, each in enumerate(sections))

"""JPEG and WebP files without what is no picture: each part of a file is kept or left out whole.

To encode a photo anew would take some of it away each time, and never give the same bytes.
"""

import re
from collections.abc import Iterator

_SCAN, _END, _JFIF = 0xDA, 0xD9, 0xE0
# Frames, tables and scans (ITU-T T.81 table B.1); 0xC8 is reserved.
_PICTURE = (frozenset(range(0xC0, 0xD0)) - {0xC8}) | {_SCAN, 0xDB, 0xDD}
_MARKER = re.compile(rb"\xff++([^\x00\xd0-\xd7])")
_SCAN_ENDS = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # by no stuffed byte, and no restart
_WITHOUT_THUMBNAIL = b"\0\x10JFIF\0"  # by its length
_MOST_PARTS = 2_000  # a decoder takes its time for each, also for an empty one
# Profiles of colours (ICC.1 B.4), and Adobe's note of how colours are meant.
_NOTES = {0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}

_CHUNKS = frozenset({b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L"})
_FRAME_HEAD = 16  # bytes of a frame before its own chunks (RFC 9649 2.7.1.1)
_EXIF_XMP = 0x0C  # flags that say there is some


def clean_jpeg(data: bytes) -> bytes:
    """Return the first picture of a JPEG file, without notes and without what follows it.

    :param data: what a decoder takes.
    :raises ValueError: it is not made as the standard says.
    """
    kept = (
        bytes((0xFF, marker)) + body for marker, body in _segments(data) if _is_kept(marker, body)
    )
    return b"\xff\xd8" + b"".join(kept) + bytes((0xFF, _END))


def scans(data: bytes) -> int:
    """Return in how many scans the first picture of a JPEG file comes.

    :raises ValueError: as `clean_jpeg`.
    """
    return sum(marker == _SCAN for marker, _ in _segments(data))


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and body, with its length, of each segment; of a scan also its picture."""
    place, parts = 2, 0
    while (found := _MARKER.match(data, place)) and found[1][0] != _END:
        parts += 1
        if parts > _MOST_PARTS:
            raise ValueError("no photo has so many parts")
        marker, start = found[1][0], found.end()
        place = start + int.from_bytes(data[start : start + 2])
        if marker == _SCAN:
            end = _SCAN_ENDS.search(data, place)
            place = end.start() if end else len(data)
        yield marker, data[start:place]
    if found is None:
        raise ValueError(f"there is no marker at byte {place}")


def _is_kept(marker: int, body: bytes) -> bool:
    if marker == _JFIF:
        return body.startswith(_WITHOUT_THUMBNAIL) and len(body) == len(_WITHOUT_THUMBNAIL) + 9
    return marker in _PICTURE or (marker in _NOTES and body.startswith(_NOTES[marker], 2))


def clean_webp(data: bytes) -> bytes:
    """Return a WebP file (RFC 9649) without notes, unknown chunks, and what follows it.

    :param data: what a decoder takes.
    """
    size = int.from_bytes(data[4:8], "little")
    chunks = b"".join(_clean_chunks(data[12 : 8 + size]))
    return b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WEBP" + chunks


def is_lossless(data: bytes) -> bool:
    """Whether the picture of a WebP file is in a lossless chunk (RFC 9649 2.6)."""
    return any(kind == b"VP8L" for kind, _ in _chunks(data[12:]))


def _clean_chunks(data: bytes) -> Iterator[bytes]:
    for kind, body in _chunks(data):
        if kind == b"VP8X":
            yield _chunk(kind, bytes((body[0] & ~_EXIF_XMP,)) + body[1:])
        elif kind == b"ANMF":
            frame = b"".join(_clean_chunks(body[_FRAME_HEAD:]))
            yield _chunk(kind, body[:_FRAME_HEAD] + frame)
        elif kind in _CHUNKS:
            yield _chunk(kind, body)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        yield data[place : place + 4], data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)

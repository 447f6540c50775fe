"""Files as people have them, and as attackers make them."""

import io
import zipfile
from typing import Any

from PIL import Image

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
ICS = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
CSV = "name;city\nZoë;Köln\n".encode()


def make_image(
    form: str = "PNG", size: tuple[int, int] = (40, 20), *, mode: str = "RGB", **options: Any
) -> bytes:
    target = io.BytesIO()
    Image.new(mode, size, "white").save(target, format=form, **options)
    return target.getvalue()


def make_zip(members: dict[str, bytes], **options: Any) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            # Without the time of now: the same files are the same bytes.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def make_office(main_part: str, **more: bytes) -> bytes:
    return make_zip({"[Content_Types].xml": b"<Types/>", main_part: b"<x/>", **more})

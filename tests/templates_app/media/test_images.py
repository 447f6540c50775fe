"""Images are looked through: damaged, huge and talkative ones do not come through as they are."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image, ImageChops

from templates_app.media.images import MOST_PIXELS, Size, rewrite
from templates_app.media.refused import Refused
from tests.templates_app.media.files import make_image

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
PLACE = b"Hanoi, at home"


def written(data: bytes, form: str) -> tuple[bytes, Size]:
    target = io.BytesIO()
    size = rewrite(io.BytesIO(data), target, content_type=TYPES[form])
    return target.getvalue(), size


def talkative(form: str, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = PLACE.decode()  # ImageDescription
    exif[0x0112] = orientation
    options: dict[str, Any] = {"exif": exif}
    if form in {"JPEG", "GIF"}:
        options["comment"] = PLACE
    if form in {"JPEG", "WEBP"}:
        options["xmp"] = b"<x:xmpmeta>" + PLACE + b"</x:xmpmeta>"
    return make_image(form, **options)


@pytest.mark.parametrize("form", TYPES)
def test_what_a_camera_noted_is_gone(form: str) -> None:
    data = talkative(form)
    assert PLACE in data

    kept, size = written(data, form)

    assert PLACE not in kept
    assert size == (40, 20)
    assert Image.open(io.BytesIO(kept)).format == form


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_what_was_noted_in_an_animation_is_gone(form: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = PLACE.decode()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green")]
    noted = {"comment": PLACE} if form == "GIF" else {"exif": exif}
    target = io.BytesIO()
    frames[0].save(target, form, save_all=True, append_images=frames[1:], **noted)
    assert PLACE in target.getvalue()

    kept, _ = written(target.getvalue(), form)

    assert PLACE not in kept


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("GIF", {}),
        ("JPEG", {"quality": 60, "exif": b"Exif\0\0" + PLACE}),
        ("JPEG", {"quality": 95, "progressive": True, "restart_marker_blocks": 2}),
        ("JPEG", {"mode": "CMYK"}),
        ("WEBP", {"quality": 60}),
        ("WEBP", {"mode": "RGBA", "quality": 60, "xmp": PLACE}),
        ("WEBP", {"save_all": True, "lossless": True}),
        ("WEBP", {"save_all": True, "quality": 60}),
    ],
)
def test_what_was_written_loses_nothing_when_it_is_written_again(
    form: str, options: dict[str, Any]
) -> None:
    mode = options.pop("mode", "RGB")
    frames = [photo(mode), photo(mode).transpose(Image.Transpose.ROTATE_180)]
    target = io.BytesIO()
    more = {"append_images": frames[1:]} if "save_all" in options else {}
    frames[0].save(target, form, **options, **more)

    once, _ = written(target.getvalue() + b"MZ and more", form)

    assert written(once, form)[0] == once
    before, after = (Image.open(io.BytesIO(one)) for one in (target.getvalue(), once))
    assert ImageChops.difference(before.convert("RGB"), after.convert("RGB")).getbbox() is None
    assert PLACE not in once
    assert b"MZ and more" not in once


def photo(mode: str) -> Image.Image:
    noise = Image.effect_noise((64, 48), 90)
    return Image.merge(
        mode, [noise, noise.transpose(Image.Transpose.ROTATE_180), *[noise] * 2][: len(mode)]
    )


def test_a_photo_without_an_end_is_refused() -> None:
    with pytest.raises(Refused, match="damaged"):
        written(make_image("JPEG")[:-2], "JPEG")


def test_an_image_that_a_camera_held_upright_stays_upright() -> None:
    kept, size = written(talkative("JPEG", orientation=6), "JPEG")

    assert size == (20, 40)
    assert Image.open(io.BytesIO(kept)).getexif() == {}


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"lossless": True, "icc_profile": b"x" * 131}),
    ],
)
def test_an_image_without_losses_has_none(form: str, options: dict[str, Any]) -> None:
    noise = Image.effect_noise((64, 48), 90)
    image = Image.merge("RGBA", [noise, noise, noise, noise.transpose(Image.Transpose.ROTATE_180)])
    target = io.BytesIO()
    image.save(target, format=form, **options, exact=True)

    kept, _ = written(target.getvalue(), form)

    # What cannot be seen at all may be another colour.
    before, after = (
        Image.alpha_composite(Image.new("RGBA", (64, 48), "white"), one)
        for one in (image, Image.open(io.BytesIO(kept)))
    )
    assert ImageChops.difference(before, after).getbbox(alpha_only=False) is None


def test_of_the_photos_in_a_file_of_a_telephone_the_first_is_kept() -> None:
    first, second = (Image.new("RGB", (16, 8), colour) for colour in ("red", "blue"))
    target = io.BytesIO()
    first.save(target, format="MPO", save_all=True, append_images=[second])

    kept, size = written(target.getvalue(), "JPEG")

    image: Any = Image.open(io.BytesIO(kept))
    assert (image.format, size) == ("JPEG", (16, 8))
    assert image.getpixel((3, 3))[0] > 200


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animation_stays_one(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    target = io.BytesIO()
    frames[0].save(
        target, format=form, save_all=True, append_images=frames[1:], duration=80, loop=0
    )

    kept, _ = written(target.getvalue(), form)

    image: Any = Image.open(io.BytesIO(kept))
    image.load()
    assert image.n_frames == 3
    assert image.info["duration"] == 80


@pytest.mark.parametrize("form", TYPES)
def test_an_image_that_breaks_off_is_refused(form: str) -> None:
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    target = io.BytesIO()
    noise.save(target, format=form)

    with pytest.raises(Refused, match="damaged"):
        written(target.getvalue()[: target.tell() // 2], form)


def test_an_image_that_would_fill_the_memory_is_refused_before_it_is_decoded() -> None:
    side = 20_000  # 400 megapixels that are a few bytes on the disk
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )

    with pytest.raises(Refused, match=r"damaged|20,000 by 20,000"):
        written(data, "PNG")


def test_a_photo_of_many_scans_is_refused_before_it_is_decoded() -> None:
    data = make_image("JPEG", (2_000, 2_000), progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]

    with pytest.raises(Refused, match="more than 100 scans"):
        written(data[:-2] + scan * 200 + b"\xff" * 3_000_000 + b"\xff\xd9", "JPEG")


def test_a_photo_of_endless_parts_is_refused_before_it_is_decoded() -> None:
    data = make_image("JPEG")

    with pytest.raises(Refused, match="damaged"):
        written(data[:2] + b"\xff\xfe\0\2" * 2_000 + data[2:], "JPEG")


def test_an_image_may_have_as_many_pixels_as_the_limit() -> None:
    height = MOST_PIXELS // 5_000
    fits, too_high = (make_image("PNG", (5_000, height + more), mode="1") for more in (0, 1))

    assert written(fits, "PNG")[1] == (5_000, height)
    with pytest.raises(Refused, match="megapixels"):
        written(too_high, "PNG")

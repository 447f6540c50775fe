"""Images as they are kept: whole, of a reasonable size, without where and when they were taken."""

from collections.abc import Callable, Mapping
from typing import IO, Any, NamedTuple

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, ImageSequence

from templates_app.media.containers import clean_jpeg, clean_webp, is_lossless, scans
from templates_app.media.refused import Refused

MOST_PIXELS = 25_000_000  # of all frames together; a decoder takes four bytes for each
MOST_FRAMES = 500
# Of a photo; programs write ten. Each goes over all of the pixels, and may have a few bytes alone.
MOST_SCANS = 100
_QUALITY = 90  # of a photo that has to be turned
# What an image looks like; all else (EXIF, XMP, comments) is left out.
_KEPT = frozenset(
    {"background", "disposal", "dpi", "duration", "gamma", "icc_profile", "loop", "transparency"}
)
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "JPEG": {"optimize": True, "quality": _QUALITY},
    "PNG": {},
    "GIF": {},
    "WEBP": {"quality": _QUALITY},
}
_CLEANERS: Mapping[str, Callable[[bytes], bytes]] = {"JPEG": clean_jpeg, "WEBP": clean_webp}
_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}


class Size(NamedTuple):
    """In pixels."""

    width: int
    height: int


def rewrite(source: IO[bytes], target: IO[bytes], *, content_type: str) -> Size:
    """Decode an image and write it without what cameras and programs noted in it.

    The same bytes give the same bytes, and what was written gives itself: nothing is lost by it,
    unless the image has to be turned.

    :raises Refused: damaged, or more than 25 megapixels.
    """
    form = _FORMATS[content_type]
    try:
        if form == "JPEG":
            _check_scans(source)
        source.seek(0)
        with Image.open(source, formats=[form]) as image:
            _check_size(image, form)
            return _write(image, source, target, form)
    except Refused:
        raise
    except Exception as error:
        # Decoders raise whatever they stumble over: OSError, SyntaxError, struct.error …
        raise Refused(_("the image is damaged; save it anew")) from error


def _check_scans(source: IO[bytes]) -> None:
    source.seek(0)
    if scans(source.read()) > MOST_SCANS:
        raise Refused(
            _("the photo comes in more than %(most)s scans; save it anew") % {"most": MOST_SCANS}
        )


def _check_size(image: Image.Image, form: str) -> None:
    frames = 1 if form == "JPEG" else getattr(image, "n_frames", 1)
    if frames > MOST_FRAMES or image.width * image.height * frames > MOST_PIXELS:
        text = _(
            "the image has %(width)s by %(height)s pixels; %(most)s megapixels at most, for a mail "
            "2,000 wide is plenty"
        )
        if frames > 1:
            text = _(
                "the image has %(width)s by %(height)s pixels and %(frames)s frames; %(most)s "
                "megapixels at most, for a mail 2,000 wide is plenty"
            )
        found = {"width": image.width, "height": image.height, "frames": frames}
        said = {name: number_format(each, force_grouping=True) for name, each in found.items()}
        raise Refused(text % (said | {"most": str(MOST_PIXELS // 1_000_000)}))


def _write(image: Image.Image, source: IO[bytes], target: IO[bytes], form: str) -> Size:
    # A photo may have others behind it, as telephones write them: the first one is kept.
    is_animated = form != "JPEG" and getattr(image, "is_animated", False)
    durations = _durations(image) if is_animated else []
    image.load()  # all of it: a file that breaks off is refused
    is_turned = not is_animated and _is_turned(image)
    if form in _CLEANERS and not is_turned:
        source.seek(0)
        target.write(_CLEANERS[form](source.read()))
        return Size(*image.size)
    options: dict[str, Any] = dict(_OPTIONS[form])
    if form == "WEBP":
        source.seek(0)
        options["lossless"] = is_lossless(source.read())
    if is_animated:
        options |= {"save_all": True, "duration": durations}
        options |= {"loop": image.info["loop"]} if "loop" in image.info else {}
    written = ImageOps.exif_transpose(image) if is_turned else image
    written.info = {name: value for name, value in image.info.items() if name in _KEPT}
    written.save(target, format=form, **options)
    return Size(*written.size)


def _is_turned(image: Image.Image) -> bool:
    orientation = 0x0112  # EXIF 2.3, 4.6.4
    return bool(image.getexif().get(orientation, 1) != 1)


def _durations(image: Image.Image) -> list[int]:
    """Return for how long each frame is shown, in milliseconds; all of them are decoded."""
    durations = []
    for frame in ImageSequence.Iterator(image):
        frame.load()
        durations.append(int(frame.info.get("duration", 0)))
    image.seek(0)
    return durations

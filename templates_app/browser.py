"""Take pictures of HTML of authors by Chromium, where it is installed.

Three walls: the document stands in a sandboxed frame, which runs no script and goes nowhere; its
policy lets it load nothing but what is in it; and the browser finds no host.
(`--blink-settings=scriptEnabled=false` would be a fourth, but with it no picture is written.)
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from html import escape
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from django.utils.translation import gettext as _
from PIL import Image

from templates_app.frames import framed

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_HEIGHT = 2400  # pixels; what is below is cut off
_LEAST, _STEP = 200, 20  # pixels of height
_SECONDS = 30  # one picture takes 1 or 2
_PAGE = """<!doctype html><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'">
<style>body {{ margin: 0 }} iframe {{ border: 0; display: block; background: {background}; \
color-scheme: {scheme}; width: {width}px; height: {height}px }}</style>
<iframe sandbox="" srcdoc="{html}"></iframe>
"""
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-sync",
    # Else it may write the picture before the frame is drawn, which another process would do.
    "--disable-features=IsolateSandboxedIframes",
    "--run-all-compositor-stages-before-draw",
    "--virtual-time-budget=1000",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


class NoPicture(Exception):
    """There is no picture; the text says why, and what to do."""


def find(program: str = "") -> str:
    """Return where Chromium is: what is set, or what PATH has.

    :raises NoPicture: there is none.
    """
    names = [program] if program else [*_NAMES]
    for name in names:
        if found := shutil.which(name):
            return found
    raise NoPicture(
        _(
            "%(program)s is not installed where the worker runs; install the package "
            "chromium, or set CHROMIUM to where it is"
        )
        % {"program": names[0]}
    )


def picture(
    html: str, *, width: int, program: str, is_dark: bool = False, seconds: float = _SECONDS
) -> bytes:
    """Return a PNG of a message as a window of this width shows it.

    Images that are not in the document (`data:`) are left out.

    :param width: pixels, 375 to 800.
    :raises NoPicture: Chromium failed, or took too long.
    """
    with TemporaryDirectory(prefix="godwit-picture-") as place:
        page, png = Path(place, "page.html"), Path(place, "picture.png")
        page.write_text(_document(html, width, is_dark), encoding="utf-8", errors="replace")
        flags = [*_FLAGS, f"--user-data-dir={place}/profile", f"--screenshot={png}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # Chromium's own does not work for root
        # The window of headless Chromium has 500 pixels at least.
        size = f"--window-size={max(width, 500)},{_HEIGHT}"
        _run([program, *flags, size, page.as_uri()], place, seconds)
        if not png.exists():
            raise NoPicture(_("Chromium wrote no picture; start it by hand to see why"))
        return _cropped(png, width)


def _document(html: str, width: int, is_dark: bool) -> str:
    return _PAGE.format(
        html=escape(framed(html, is_dark=is_dark)),
        background="#121212" if is_dark else "#fff",
        scheme="dark" if is_dark else "light",
        width=width,
        height=_HEIGHT,
    )


def _run(command: Sequence[str], place: str, seconds: float) -> None:
    environment = {"PATH": os.defpath, "HOME": place, "LANG": "C.UTF-8"}
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise NoPicture(
            _("Chromium took more than %(seconds)s seconds; try again")
            % {"seconds": f"{seconds:.0f}"}
        ) from None
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the browser with all that it started."""
    with suppress(ProcessLookupError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _cropped(png: Path, width: int) -> bytes:
    """Cut off the window beside the message, and what is of one colour below it."""
    with Image.open(png) as image:
        whole = image.convert("RGB").crop((0, 0, width, image.height))
    height = whole.height
    while height > _LEAST and whole.crop((0, height - _STEP, width, height)).getcolors(1):
        height -= _STEP
    out = BytesIO()
    whole.crop((0, 0, width, height)).save(out, "PNG", optimize=True)
    return out.getvalue()

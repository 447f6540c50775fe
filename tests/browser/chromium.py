"""Where the tests' browser comes from: the machine, Playwright's cache, or Playwright's site."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

from playwright.sync_api import Browser, BrowserType, Error

NAMES = ("chromium", "chromium-browser", "google-chrome")
COMMAND = "playwright install chromium-headless-shell"
INSTALL = [sys.executable, "-m", *COMMAND.split()]
SECONDS = 180  # about 100 MB are fetched
CONNECT_MS = 10_000  # of five attempts each: where nothing answers, it is over in a minute
# What a Chromium or Playwright say when they cannot be started on this machine at all.
UNFIT = ("error while loading shared libraries", "Host system is missing dependencies")


class Missing(Exception):
    """There is no browser; the text says why, and what can be done."""


def start(chromium: BrowserType, *, may_install: bool) -> Browser:
    """Start the machine's Chromium, else Playwright's, which is installed first where it may be.

    :raises Missing: there is none, or what it needs of the system is not there.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    try:
        return _launch(chromium, path)
    except Error as error:
        # Playwright is asked, because the path that it tells is that of another build.
        if path or "Executable doesn't exist" not in error.message:
            raise
    if not may_install:
        raise Missing(f"there is no Chromium: `make test` installs one, as .venv/bin/{COMMAND}")
    install(INSTALL, seconds=SECONDS)
    return _launch(chromium, None)


def _launch(chromium: BrowserType, path: str | None) -> Browser:
    try:
        # Debian's has pages drawn as by a graphics card, which takes twice as long where none is.
        return chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
    except Error as error:
        for line in error.message.splitlines():
            if any(words in line for words in UNFIT):
                raise Missing(f"Chromium does not start: {line.strip()}") from None
        raise


def install(command: Sequence[str], *, seconds: float) -> None:
    """Have Playwright fetch its Chromium.

    :raises Missing: it could not, or not in so many seconds.
    """
    process = subprocess.Popen(
        command,
        env={**os.environ, "PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": str(CONNECT_MS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # what it starts is ended with it
    )
    try:
        said, _nothing = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Missing(f"`{COMMAND}` was not done in {seconds:g} seconds") from None
    if process.returncode:
        raise Missing(f"`{COMMAND}` failed: {_reason(said)}")


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines()]
    errors = [line for line in lines if "Error:" in line or "error:" in line]
    return (errors or list(filter(None, lines)) or ["it said nothing"])[0]

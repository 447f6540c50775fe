"""Whether there is a browser, and what is said where there is none."""

import sys
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Playwright

from tests.browser import chromium
from tests.browser.chromium import Missing
from tests.live import wait_until


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a Chromium: return the directory where programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def has_ended(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def program(directory: Path, text: str) -> Path:
    file = directory / "chromium"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def test_where_none_may_be_installed_it_says_how(playwright: Playwright, bare: Path) -> None:
    with pytest.raises(Missing, match="playwright install chromium-headless-shell"):
        chromium.start(playwright.chromium, may_install=False)


def test_a_system_that_lacks_a_library_is_named_with_it(playwright: Playwright, bare: Path) -> None:
    said = "chromium: error while loading shared libraries: libnss3.so: cannot open"
    program(bare, f"echo '{said}' >&2; exit 127")

    with pytest.raises(Missing, match=r"Chromium does not start: .*libnss3\.so"):
        chromium.start(playwright.chromium, may_install=True)


def test_a_fault_of_the_browsers_own_is_no_reason_to_skip(
    playwright: Playwright, bare: Path
) -> None:
    program(bare, "exit 3")

    with pytest.raises(Exception, match=r"exitCode=3|exited|closed") as raised:
        chromium.start(playwright.chromium, may_install=True)

    assert not isinstance(raised.value, Missing)


def test_what_could_not_be_fetched_is_said_in_the_words_of_who_tried() -> None:
    said = "Downloading Chrome Headless Shell\nError: connect ECONNREFUSED 127.0.0.1:9\n    at TCP"

    with pytest.raises(Missing, match=r"failed: Error: connect ECONNREFUSED 127\.0\.0\.1:9$"):
        chromium.install(["/bin/sh", "-c", f"echo '{said}'; exit 1"], seconds=chromium.SECONDS)


def test_what_does_not_come_to_an_end_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    forever = ["/bin/sh", "-c", f"sleep 1000 & echo $! > {pid}; wait"]

    with pytest.raises(Missing, match=r"was not done in 0\.5 seconds"):
        chromium.install(forever, seconds=0.5)

    wait_until(lambda: has_ended(int(pid.read_text())), "what it started has ended")


def test_what_was_installed_is_no_trouble() -> None:
    chromium.install([sys.executable, "-c", "print('done')"], seconds=chromium.SECONDS)

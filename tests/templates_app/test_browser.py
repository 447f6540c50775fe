import socket
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from templates_app.browser import NoPicture, find, picture
from tests.live import wait_until

Program = Callable[[str], str]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Return a maker of programs that stand in the place of the browser."""

    def make(script: str) -> str:
        path = tmp_path / "browser"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def chromium() -> str:
    try:
        return find()
    except NoPicture:
        pytest.skip("Chromium is not there: apt-get install chromium")


def pixels(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB")


def test_a_browser_that_is_not_there_is_said_with_the_way_to_get_it() -> None:
    with pytest.raises(
        NoPicture, match=r"/no/where is not installed.*install the package chromium"
    ):
        find("/no/where")


def test_a_browser_that_writes_nothing_gives_no_picture(program: Program) -> None:
    with pytest.raises(NoPicture, match="wrote no picture"):
        picture("<p>Hi</p>", width=375, program=program("exit 0"))


def test_a_browser_that_hangs_is_ended_with_what_it_started(
    program: Program, tmp_path: Path
) -> None:
    hanging = program(f"sleep 600 & echo $! > {tmp_path}/child; wait")

    with pytest.raises(NoPicture, match="more than 1 seconds"):
        picture("<p>Hi</p>", width=375, program=hanging, seconds=0.7)

    child = (tmp_path / "child").read_text().strip()
    wait_until(lambda: has_ended(child), "what the browser has started is ended")


def has_ended(pid: str) -> bool:
    """Whether it is gone, or waits for its parent to look."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def test_the_browser_gets_no_setting_and_no_secret(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "secret")

    with pytest.raises(NoPicture):
        picture("", width=375, program=program(f"env > {tmp_path}/env"))

    assert "SECRET_KEY" not in (tmp_path / "env").read_text()


def test_a_picture_shows_the_message_in_its_width_and_colours(chromium: str) -> None:
    html = (
        "<style>body { background: #00ff00; margin: 0 } @media (prefers-color-scheme: dark)"
        "{ body { background: #0000ff } }</style><p>Hi</p>"
    )

    narrow = pixels(picture(html, width=375, program=chromium))
    dark = pixels(picture(html, width=800, is_dark=True, program=chromium))

    assert (narrow.width, narrow.getpixel((370, 100))) == (375, (0, 255, 0))
    assert (dark.width, dark.getpixel((790, 100))) == (800, (0, 0, 255))


def test_a_message_runs_nothing_loads_nothing_and_leads_nowhere(
    chromium: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("<body style='background: #ff0000'>secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        html = (
            f"<meta http-equiv=refresh content='0;url={secret.as_uri()}'>"
            f"<body style='background: #00ff00; margin: 0'><img src='{address}'>"
            f"<img src='{secret.as_uri()}'><iframe src='{secret.as_uri()}'></iframe>"
            f"<link rel=stylesheet href='{address}'><script>document.body.innerHTML="
            "'<p style=\"background:#ff0000;height:400px\">'</script>"
        )

        shown = pixels(picture(html, width=375, program=chromium))
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()

    colours = {colour for _, colour in shown.getcolors(1_000_000) or []}
    assert shown.getpixel((5, 190)) == (0, 255, 0)
    assert (255, 0, 0) not in colours

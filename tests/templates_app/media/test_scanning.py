"""What clamd says of files, on a real socket."""

import io
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from campaigns.tasks import scan_media
from templates_app.media import clamd as client
from templates_app.media import library, scanning
from templates_app.media.refused import Refused
from templates_app.models import MediaBlob, MediaFile, ScanState
from templates_app.services import Refused as TemplateRefused
from templates_app.services import create_template
from tests.clamd_server import EICAR, ScriptedClamd
from tests.factories import make_file, stored_in
from tests.templates_app.media.files import make_image

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("disk")]


def states() -> list[str]:
    return list(MediaBlob.objects.order_by("pk").values_list("scan", flat=True))


def test_malware_is_refused_by_name_and_nothing_is_stored(clamd: ScriptedClamd, disk: Path) -> None:
    with pytest.raises(Refused, match=r"a\.txt: the scanner found Win\.Test\.EICAR_HDB-1 in it"):
        make_file("a.txt", EICAR)

    assert not MediaBlob.objects.exists()
    assert not disk.exists()


def test_a_clean_file_is_called_clean(clamd: ScriptedClamd) -> None:
    make_file("a.txt", b"x" * 200_000)

    assert states() == ["clean"]
    assert clamd.scanned == [b"x" * 200_000]


def test_a_socket_in_the_file_system_does_as_well(tmp_path: Path) -> None:
    with ScriptedClamd(path=str(tmp_path / "clamd.ctl")) as server:
        assert client.scan(server.address, io.BytesIO(b"hello")) == ""
        assert client.scan(server.address, io.BytesIO(EICAR)) == "Win.Test.EICAR_HDB-1"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("INSTREAM size limit exceeded. ERROR", "size limit exceeded"),
        ("", "closed"),
        ("stream: Can't allocate memory ERROR", "memory"),
    ],
)
def test_what_is_no_verdict_is_an_error(clamd: ScriptedClamd, answer: str, said: str) -> None:
    clamd.answer = answer or None

    with pytest.raises((client.NoAnswer, client.NoVerdict), match=said):
        client.scan(clamd.address, io.BytesIO(b"hello"))


def test_a_scanner_that_says_nothing_is_not_waited_for_for_ever(clamd: ScriptedClamd) -> None:
    clamd.is_silent = True

    with pytest.raises(client.NoAnswer, match="timed out"):
        client.scan(clamd.address, io.BytesIO(b"hello"), timeout=0.05)


def test_a_file_is_stored_where_the_scanner_is_away_and_scanned_when_it_is_back(
    clamd: ScriptedClamd, settings: Settings
) -> None:
    settings.CLAMD = "127.0.0.1:1"
    make_file("a.txt", b"a")
    make_file("b.txt", b"b")
    assert states() == ["error", "error"]
    assert "ConnectionRefusedError" in MediaBlob.objects.first().scan_said  # type: ignore[union-attr]

    scan_media()
    assert states() == ["error", "error"]
    settings.CLAMD = clamd.address
    scan_media()

    assert states() == ["clean", "clean"]
    assert scanning.scan_waiting() == 0


def test_a_file_that_cannot_be_judged_keeps_no_other_one_waiting(
    clamd: ScriptedClamd, settings: Settings, disk: Path
) -> None:
    settings.CLAMD = ""
    make_file("lost.txt", b"lost")
    for path in stored_in(disk):
        path.unlink()
    make_file("large.txt", b"large")
    make_file("fine.txt", b"fine")
    settings.CLAMD = clamd.address
    clamd.most = 4

    assert scanning.scan_waiting() == 1
    assert scanning.scan_waiting() == 0

    assert states() == ["error", "error", "clean"]
    large = MediaFile.objects.get(name="large.txt").blob
    assert large.scan_said == "INSTREAM size limit exceeded. ERROR"
    assert "not seen it yet (INSTREAM size limit" in scanning.doubts([large])


@pytest.mark.parametrize("verdict", [ScanState.INFECTED, ScanState.CLEAN])
def test_a_scanner_that_is_away_takes_no_verdict_back(
    settings: Settings, verdict: ScanState
) -> None:
    make_file("a.txt", b"a")
    MediaBlob.objects.update(scan=verdict)
    settings.CLAMD = "127.0.0.1:1"

    make_file("b.txt", b"a")

    assert states() == [verdict]


def test_what_was_stored_without_a_scanner_is_scanned_once_there_is_one(
    settings: Settings, clamd: ScriptedClamd
) -> None:
    settings.CLAMD = ""
    make_file("a.txt", b"a")
    make_file("b.txt", EICAR)
    assert states() == ["off", "off"]
    assert scanning.scan_waiting() == 0

    settings.CLAMD = clamd.address
    scanning.scan_waiting()

    assert states() == ["clean", "infected"]
    assert MediaBlob.objects.get(scan="infected").scan_said == "Win.Test.EICAR_HDB-1"


def test_a_file_that_comes_again_is_looked_at_again(
    settings: Settings, clamd: ScriptedClamd
) -> None:
    settings.CLAMD = ""
    make_file("a.txt", b"a")
    settings.CLAMD = clamd.address

    make_file("b.txt", b"a")

    assert states() == ["clean"]


def test_a_template_cannot_show_what_is_infected() -> None:
    make_file("logo.png", make_image())
    MediaBlob.objects.update(scan=ScanState.INFECTED)

    with pytest.raises(Refused, match=r"logo\.png: the scanner found malware"):
        library.resolve("logo.png")
    with pytest.raises(
        TemplateRefused, match=r"source, line 2: logo\.png: the scanner found malware"
    ):
        create_template("T", subject="S", source="<p>\n<img src='media:logo.png'>", known=())


def test_a_file_whose_bytes_are_gone_is_an_error_and_not_clean(
    settings: Settings, clamd: ScriptedClamd, disk: Path
) -> None:
    settings.CLAMD = ""
    make_file("a.txt", b"a")
    for path in stored_in(disk):
        path.unlink()
    settings.CLAMD = clamd.address

    scanning.scan_waiting()

    assert states() == ["error"]

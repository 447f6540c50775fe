import pytest

from templates_app.media.names import clean_folder, clean_name
from templates_app.media.refused import Refused


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("../../etc/logo.png", "logo.png"),
        (r"C:\Users\ada\Plan.pdf", "Plan.pdf"),
        ("\u202efdp.exe.pdf", "fdp.exe.pdf"),
        ("a\r\nBcc: b.pdf", "aBcc b.pdf"),
        ("a\x00b\x0b.png", "ab.png"),
        ('<b>"?*|:.png', "b.png"),
        ("Zoe\u0308.pdf", "Zoë.pdf"),
        ("two  blanks\t.pdf", "two blanks.pdf"),
        (".. .hidden.png", "hidden.png"),
        ("zero\u200bwidth.png", "zerowidth.png"),
        ("lone\ud800.png", "lone.png"),
    ],
)
def test_what_has_no_business_in_a_name_is_taken_out(given: str, cleaned: str) -> None:
    assert clean_name(given) == cleaned


def test_a_long_name_keeps_its_extension() -> None:
    assert clean_name("日" * 200 + ".pdf") == "日" * 96 + ".pdf"
    assert clean_name("a" * 96 + ".pdf") == "a" * 96 + ".pdf"


@pytest.mark.parametrize("name", ["", "...", "noextension", ".png", "/", "a." + "x" * 99])
def test_a_name_without_stem_or_extension_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        clean_name(name)


def test_a_folder_is_a_path_without_tricks() -> None:
    assert clean_folder("/Logos//../ 2026 \\ Spring/") == "Logos/2026/Spring"
    assert clean_folder("") == ""


def test_a_folder_of_more_than_200_characters_is_refused() -> None:
    assert clean_folder("f" * 200) == "f" * 200

    with pytest.raises(Refused, match="200"):
        clean_folder("f" * 201)

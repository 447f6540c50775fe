"""What `make check` makes of what pip-audit says."""

import os
from pathlib import Path
from typing import Any

import pytest

from requirements import audit

ROOT = Path(__file__).resolve().parent.parent.parent
CLEAN = {"name": "redis", "version": "8.1", "vulns": []}
BAD = {
    "name": "django",
    "version": "5.2.0",
    "vulns": [{"id": "PYSEC-2025-1", "fix_versions": ["5.2.1", "6.0"]}],
}
UNKNOWN = {"name": "six", "skip_reason": "Dependency not found and could not be audited"}


def report(*packages: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(packages), "fixes": []}


def test_a_known_vulnerability_is_named_once_with_what_mends_it() -> None:
    said = audit.verdict([report(CLEAN, BAD), report(BAD, UNKNOWN)])

    assert said == ["django 5.2.0 has PYSEC-2025-1, mended in 5.2.1, 6.0"]


def test_nothing_is_said_of_packages_that_are_well() -> None:
    assert audit.verdict([report(CLEAN)]) == []


def test_a_package_of_which_nothing_is_known_is_not_taken_for_well() -> None:
    with pytest.raises(audit.NotAsked, match=r"there are no data of six$"):
        audit.verdict([report(CLEAN, UNKNOWN)])


@pytest.mark.parametrize(
    ("asked", "changed", "is_fresh"),
    [(100_000, 99_999, True), (100_000, 100_001, False), (13_600, 13_000, False)],
)
def test_it_is_asked_once_a_day_and_when_a_package_has_changed(
    tmp_path: Path, asked: int, changed: int, is_fresh: bool
) -> None:
    stamp, pins = tmp_path / "asked", tmp_path / "base.txt"
    for file, at in ((stamp, asked), (pins, changed)):
        file.touch()
        os.utime(file, (at, at))

    assert audit._is_fresh(stamp, pins, now=100_000) == is_fresh
    assert not audit._is_fresh(tmp_path / "none", pins, now=100_000)


def test_without_what_asks_a_line_says_so_and_the_check_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "TOOL", tmp_path / "audit")
    monkeypatch.setattr(audit, "ASKED", tmp_path / "audit" / "asked")
    monkeypatch.setattr(audit, "HERE", tmp_path)
    for name in (*audit.AUDITED, "audit.txt"):
        (tmp_path / name).write_text("no-such-package==1.0 --hash=sha256:00\n")

    assert audit.main() == 0
    assert capsys.readouterr().out == (
        "known vulnerabilities of packages: not asked, pip-audit could not be installed\n"
    )


def test_make_check_asks_and_make_lock_renews_what_asks() -> None:
    makefile = (ROOT / "Makefile").read_text()

    assert "requirements/audit.py" in makefile
    assert "for name in base production development documentation audit;" in makefile

"""What operators say at the console about recipients."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from recipients.models import Field, Import, MailingList, Recipient, Suppression, Tag
from tests.factories import make_recipient
from tests.recipients.importing.test_detect import sheet

pytestmark = pytest.mark.django_db

PEOPLE = "email,name\nada@example.org,Ada\nwrong,X\nbob@example.org,Bob\nADA@example.org,Again\n"


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    return path


def load(path: Path, *options: str) -> dict[str, int]:
    output = io.StringIO()
    call_command(
        "import_recipients", str(path), "--list", "Readers", "--json", *options, stdout=output
    )
    counts: dict[str, int] = json.loads(output.getvalue())
    return counts


def test_the_counts_are_printed_as_json(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = load(people)

    assert found == {
        "new": 2,
        "changed": 0,
        "unchanged": 0,
        "duplicates": 1,
        "invalid": 1,
        "suppressed": 0,
    }
    said = "line 3: 'wrong': there is no @; write it as name@example.org"
    assert capsys.readouterr().err == f"{people}: {said}\n"


def test_what_a_column_is_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("Who,Where,Notes\nada@example.org,Paris,tall\n")

    load(path, "--column", "1=email", "--column", "2=city", "--column", "3=")

    assert Recipient.objects.get().fields == {"city": "Paris"}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("3=city", "there is no column 3; it has 2"),
        ("2=unsubscribe_url", "has a name of Godwit's own"),
        ("0=city", "write the number of a column and its name"),
        ("city", "write the number of a column and its name"),
    ],
)
def test_a_column_that_cannot_be_so_is_refused(said: str, reason: str, people: Path) -> None:
    with pytest.raises(CommandError, match=reason):
        load(people, "--column", said)

    assert not Recipient.objects.exists()


def test_a_dry_run_changes_nothing_and_says_what_would_happen(
    people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people.write_text(f"{PEOPLE}x@gmail.con,X\ninfo@mailinator.com,Y\n")

    foretold = load(people, "--dry-run")
    left = [model.objects.count() for model in (Recipient, Field, Import, MailingList)]
    said = capsys.readouterr().err

    assert left == [0, 0, 0, 0]
    assert foretold == load(people)
    assert "gmail.con: is gmail.com meant? 1 addresses" in said
    assert "mailinator.com: throw-away mailboxes, 1 addresses" in said
    assert "info@: belongs to a function, 1 addresses" in said


def test_rejected_rows_are_written_to_a_file_that_can_be_mended_and_imported(
    people: Path, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects.csv"
    people.write_text("email,name\nwrong,\"=cmd|' /C calc'!A0\"\nada@example.org,Ada\n")
    load(people, "--rejects", str(rejects))

    rows = list(csv.reader(rejects.open()))
    rejects.write_text(rejects.read_text().replace(",wrong,", ",right@example.org,"))

    assert rows[0] == ["rejected_line", "rejected_because", "email", "name"]
    assert rows[1][2:] == ["wrong", "'=cmd|' /C calc'!A0"]
    assert load(rejects)["new"] == 1
    assert Recipient.objects.get(key="right@example.org").fields["name"] == "=cmd|' /C calc'!A0"


@pytest.mark.parametrize("kind", ["csv.gz", "xlsx", "utf-16", "semicolon"])
def test_a_file_is_read_whatever_program_wrote_it(kind: str, tmp_path: Path) -> None:
    text = "email;name\nada@example.org;Zoë\n"
    data: dict[str, bytes] = {
        "csv.gz": gzip.compress(text.encode()),
        "xlsx": sheet(["email", "name"], ["ada@example.org", "Zoë"]).getvalue(),
        "utf-16": text.encode("utf-16"),
        "semicolon": text.encode("cp1252"),
    }
    path = tmp_path / f"people.{kind}"
    path.write_bytes(data[kind])

    assert load(path)["new"] == 1
    assert Recipient.objects.get().fields == {"name": "Zoë"}


def test_encoding_delimiter_policy_tags_and_source_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes("email|name\nada@example.org|José\n".encode("mac-roman"))
    load(path, "--encoding", "mac-roman", "--delimiter", "bar", "--tag", "VIP", "--source", "fair")
    path.write_text("email|name\nada@example.org|Joe\n")

    again = load(path, "--policy", "leave")

    assert again["unchanged"] == 1
    assert Recipient.objects.get().fields == {"name": "José"}
    assert Tag.objects.get(name="VIP").recipients.count() == 1
    assert Import.objects.order_by("pk")[0].declaration == "fair"


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (b"", [], "it is empty"),
        (b"name\nAda\n", [], "no column is the address"),
        (b"email,2nd\na@example.org,x\n", [], "a name begins with a letter"),
        (b"email,name,Name\na@example.org,x,y\n", [], "two columns 'name'"),
        (b"PK\x03\x04nonsense", [], "no Excel file that can be read"),
        (b"email\na@example.org\n", ["--encoding", "klingon"], "invalid choice"),
        (b"email\na@example.org\n", ["--policy", "mix"], "invalid choice"),
        (b"email\na@example.org\n", ["--rejects", "/nowhere/x.csv"], "there is no directory"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    content: bytes, options: list[str], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(content)

    with pytest.raises(CommandError, match=reason):
        load(path, *options)

    assert not Import.objects.exists()


def test_only_the_first_hundred_bad_rows_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "people.csv"
    path.write_text("email\n" + "wrong\n" * 150)

    load(path)

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 101
    assert said[-1] == "and 50 more; --rejects FILE writes them all"


def test_one_or_a_file_is_suppressed_and_lifted_by_commands(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gone.txt"
    file.write_text("ada@example.org\nexample.net\n")
    call_command("suppress", "bob@example.org")
    call_command("suppress", file=file, reason="complaint", json=True)

    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"new": 2, "known": 0}
    with pytest.raises(CommandError, match="permission of its own; nothing was lifted"):
        call_command("unsuppress", file=file, why="test")
    call_command("unsuppress", file=file, why="test", even_complaints=True)
    assert Suppression.objects.get().key == "bob@example.org"
    with pytest.raises(CommandError, match="has no dot"):
        call_command("suppress", "nonsense")
    with pytest.raises(CommandError, match="No such file"):
        call_command("suppress", file=tmp_path / "none")


def test_commands_hand_out_and_erase(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    make_recipient()
    file = tmp_path / "ada.json"

    call_command("export_person", "Ada@example.org", json=str(file))
    for _ in range(2):
        call_command("erase_recipient", "Ada@example.org")

    assert json.loads(file.read_text())["identity"]["address"] == "ada@example.org"
    assert capsys.readouterr().out.splitlines()[1:] == [
        "erased",
        "was erased before; nothing new was found",
    ]
    with pytest.raises(CommandError, match="there is no @"):
        call_command("erase_recipient", "ada")

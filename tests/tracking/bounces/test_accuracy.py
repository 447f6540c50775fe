"""Measure against labels, by the command that the documentation shows."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.tracking.bounces.test_reading import message

LABELS = {
    "postfix-user-unknown": [("anna@b.example", True, "userunknown", "")],
    "qmail-no-mailbox": [("anna@b.example", False, "filtered", "")],
    "postfix-two-recipients": [
        ("anna@b.example", True, "userunknown", ""),
        ("BEN@b.example", False, "mailboxfull", ""),
    ],
    "yahoo-text": [("anna@b.example", True, "userunknown", "")],
    "gmail-delay-text": [("anna@b.example", False, "expired", "")],
    "postfix-delivered": [("anna@b.example", False, "delivered", "")],
    "arf-abuse": [("anna@b.example", False, "feedback", "abuse")],
    "arf-auth-failure": [("anna@b.example", False, "feedback", "auth-failure")],
    "vacation": [],
}


def labelled(directory: Path) -> Path:
    """Write the messages and their labels to a directory."""
    names = ("recipient", "hard", "reason", "feedback")
    rows = {
        f"{name}.eml": [dict(zip(names, row, strict=True)) for row in labels]
        for name, labels in LABELS.items()
    }
    (directory / "labels.json").write_text(json.dumps(rows))
    for name in LABELS:
        (directory / f"{name}.eml").write_bytes(message(name))
    return directory


def test_precision_and_recall_are_printed_by_class(tmp_path: Path) -> None:
    printed = io.StringIO()

    call_command("measure_bounces", labelled(tmp_path), "--mistakes", stdout=printed)

    assert [line.split() for line in printed.getvalue().splitlines()[1:5]] == [
        ["hard", "3", "3", "0.667", "0.667"],
        ["soft", "3", "2", "0.500", "0.333"],
        ["complaint", "1", "1", "1.000", "1.000"],
        ["not", "a", "bounce", "3", "4", "0.750", "1.000"],
    ]
    assert "for hard: precision 0.750, recall 1.000" in printed.getvalue()
    assert "soft ones read as hard: 1 of 3 (33.3 %)" in printed.getvalue()
    assert "still being tried: 1" in printed.getvalue()
    assert "soft read as hard: qmail-no-mailbox.eml: invalid_address" in printed.getvalue()
    assert "hard read as soft: yahoo-text.eml" in printed.getvalue()


def test_a_directory_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"labels\.json"):
        call_command("measure_bounces", tmp_path)

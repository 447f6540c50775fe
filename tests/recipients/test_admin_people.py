"""The console's verbs about people: suppressed, lifted, handed out, erased, merged, exported."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from recipients import exporting
from recipients.consent import subject
from recipients.models import (
    Export,
    ExportStatus,
    LiftedSuppression,
    Merge,
    Recipient,
    Suppression,
)
from tests.console import messages, staff, superuser, text
from tests.factories import make_list, make_recipient

pytestmark = pytest.mark.django_db

SUPPRESSIONS = "/admin/recipients/suppression/"
EXPORTS = "/admin/recipients/export/"


def entry(key: str | None = "ada@example.org", reason: str = "manual") -> Suppression:
    digest = None if key else subject("ada@example.org")
    return Suppression.objects.create(key=key, digest=digest, reason=reason)


def page(row: Any, verb: str) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{verb}/"


# --- suppression ------------------------------------------------------------------------------


def test_many_are_pasted_with_the_lines_that_cannot_be_read_named() -> None:
    console = superuser()
    lines = "Ada@Example.org\n\nexample.net\nada@example.org\n"

    refused = console.post(
        f"{SUPPRESSIONS}paste/", {"entries": f"{lines}a@b\n", "reason": "bounce"}
    )
    assert refused.status_code == 422
    assert "Nothing was added. line 5: the domain after the @ has no dot" in text(refused)
    assert not Suppression.objects.exists()
    told = {"entries": lines, "reason": "bounce", "source": "ada@example.org wrote"}
    assert "without an address" in text(console.post(f"{SUPPRESSIONS}paste/", told))
    added = console.post(
        f"{SUPPRESSIONS}paste/",
        {"entries": lines, "reason": "bounce", "source": "former provider"},
        follow=True,
    )

    assert messages(added) == ["2 added; 0 were there already."]
    first = Suppression.objects.get(key="ada@example.org")
    assert (first.reason, first.source) == ("bounce", "former provider; added by root")


@pytest.mark.parametrize(
    ("reason", "permissions", "lifted"),
    [
        ("manual", ["delete_suppression"], True),
        ("complaint", ["delete_suppression"], False),
        ("complaint", ["delete_suppression", "lift_complaint"], True),
        ("unsubscribed", ["delete_suppression", "lift_complaint"], False),
    ],
)
def test_staff_lift_what_their_permissions_allow(
    reason: str, permissions: list[str], lifted: bool
) -> None:
    row = entry(reason=reason)
    names = ["view_suppression", *permissions]
    console = staff(*(f"recipients.{name}" for name in names))

    answer = console.post(page(row, "lift"), {"why": "she wrote to us"})

    assert answer.status_code == (302 if lifted else 422)
    assert Suppression.objects.exists() != lifted
    assert [each.why for each in LiftedSuppression.objects.all()] == ["she wrote to us"] * lifted


def test_who_was_erased_is_shown_without_an_address_and_not_lifted() -> None:
    row = entry(None, "erased")
    console = superuser()

    listed = text(console.get(f"{SUPPRESSIONS}?q=Ada@example.org"))
    answer = console.post(page(row, "lift"), {"why": "please"})

    assert "Somebody who was erased" in listed
    assert "They asked to be forgotten" in text(answer)
    assert Suppression.objects.get() == row


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


# --- one person -------------------------------------------------------------------------------


def test_what_is_known_is_handed_out_as_a_file_and_that_is_noted() -> None:
    ada = make_recipient(lists=[make_list()], fields={"note": "=1+1"})
    console = superuser()

    as_json = console.post(page(ada, "hand-out"), {"form": "json"})
    as_csv = console.post(page(ada, "hand-out"), {"form": "csv"}).content.decode()

    known = json.loads(as_json.content)
    assert as_json["Content-Disposition"] == f'attachment; filename="recipient-{ada.pk}.json"'
    assert known["identity"]["address"] == "ada@example.org"
    assert (known["fields"], known["lists"][0]["list"]) == ({"note": "=1+1"}, "Readers")
    assert '"identity","1","address","ada@example.org"' in as_csv
    assert '"fields","1","note","\'=1+1"' in as_csv
    assert LogEntry.objects.count() == 2


def test_a_person_is_erased_when_the_address_is_typed_once_more() -> None:
    ada = make_recipient()
    console = superuser()

    shown = console.get(page(ada, "erase"))
    other = console.post(page(ada, "erase"), {"address": "bob@example.org"})
    assert (shown.status_code, other.status_code) == (200, 422)
    assert Recipient.objects.exists()
    done = console.post(page(ada, "erase"), {"address": "ADA@example.org"}, follow=True)

    assert messages(done) == ["Erased, and suppressed for good."]
    assert not Recipient.objects.exists()
    assert LogEntry.objects.get().object_repr == "erased"


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


def test_duplicates_are_listed_and_merged() -> None:
    ada = make_recipient("ada@example.org")
    make_recipient("ada+news@example.org")
    console = superuser()

    listed = console.get(reverse("admin:recipients_recipient_duplicates")).content.decode()
    link = f"{page(ada, 'merge')}?other=ada%2Bnews%40example.org"
    shown = console.get(link)
    unknown = console.post(page(ada, "merge"), {"other": "x@example.org", "policy": "fill"})
    console.post(page(ada, "merge"), {"other": "ada+news@example.org", "policy": "fill"})

    assert link in listed
    assert 'value="ada+news@example.org"' in shown.content.decode()
    assert "There is no recipient x@example.org" in text(unknown)
    assert (Recipient.objects.get(), Merge.objects.get().merged_by) == (ada, "root")


# --- exports ----------------------------------------------------------------------------------


def exported(console: Client) -> Export:
    """Have an export asked for and written."""
    console.post(f"{EXPORTS}add/", {"mailing_list": make_list().pk, "format": "csv"})
    export = Export.objects.get()
    exporting.write(export.pk, clock=timezone.now)
    export.refresh_from_db()
    return export


def test_an_export_is_fetched_by_who_asked_for_it_as_long_as_it_holds() -> None:
    make_recipient(lists=[make_list()])
    console = superuser()
    export = exported(console)
    colleague = staff("recipients.export_recipient")

    fetched = console.get(page(export, "file"))
    assert b"ada@example.org" in b"".join(fetched)
    assert fetched["Content-Disposition"].startswith("attachment")
    assert "list Readers" in text(colleague.get(EXPORTS))
    assert colleague.get(page(export, "file")).status_code == 404
    Export.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    late = console.get(page(export, "file"), follow=True)
    assert messages(late)[-1].startswith("There is no file any more")


def test_who_may_see_recipients_may_not_take_them_out() -> None:
    console = staff("recipients.view_recipient", "recipients.view_export")

    assert console.get(f"{EXPORTS}add/").status_code == 403
    assert console.get(EXPORTS).status_code == 200
    ada = make_recipient()
    assert [
        console.get(page(ada, verb)).status_code for verb in ("hand-out", "erase", "merge")
    ] == [403] * 3


def test_a_list_and_a_segment_are_not_exported_together() -> None:
    from_both = superuser().post(
        f"{EXPORTS}add/", {"mailing_list": make_list().pk, "segment": "1", "format": "csv"}
    )

    assert from_both.status_code == 200
    assert not Export.objects.filter(status=ExportStatus.WAITING).exists()

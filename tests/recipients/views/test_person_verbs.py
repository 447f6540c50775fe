"""What staff do with one person: handed out, erased, merged, off a list."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from config.accounts.models import AuditEntry
from recipients.models import ConsentEvent, Merge, Recipient, Subscription, Suppression
from tests.console import messages, staff, superuser, text
from tests.factories import make_list, make_recipient

pytestmark = pytest.mark.django_db


def page(row: Any, verb: str) -> str:
    return f"/recipients/{row.pk}/{verb}/"


def test_what_is_known_is_handed_out_as_a_file_and_that_is_noted() -> None:
    ada = make_recipient(lists=[make_list()], fields={"note": "=1+1"})
    browser = superuser()

    as_json = browser.post(page(ada, "hand-out"), {"form": "json"})
    as_csv = browser.post(page(ada, "hand-out"), {"form": "csv"}).content.decode()

    known = json.loads(as_json.content)
    assert as_json["Content-Disposition"] == f'attachment; filename="recipient-{ada.pk}.json"'
    assert known["identity"]["address"] == "ada@example.org"
    assert (known["fields"], known["lists"][0]["list"]) == ({"note": "=1+1"}, "Readers")
    assert '"identity","1","address","ada@example.org"' in as_csv
    assert '"fields","1","note","\'=1+1"' in as_csv
    of_ada = AuditEntry.objects.of("recipients.recipient", str(ada.pk))
    assert of_ada.filter(act="handed out").count() == 2


def test_a_person_is_erased_when_the_address_is_typed_once_more() -> None:
    ada = make_recipient()
    browser = superuser()

    shown = browser.get(page(ada, "erase"))
    other = browser.post(page(ada, "erase"), {"address": "bob@example.org"})
    assert (shown.status_code, other.status_code) == (200, 422)
    assert Recipient.objects.exists()
    done = browser.post(page(ada, "erase"), {"address": "ADA@example.org"}, follow=True)

    assert messages(done) == ["Erased, and suppressed for good."]
    assert not Recipient.objects.exists()
    [entry] = AuditEntry.objects.filter(kind="recipients.recipient", act="deleted")
    assert (entry.actor, entry.object_id, entry.name) == ("root", str(ada.pk), "")
    assert not LogEntry.objects.exists()


def test_duplicates_are_listed_and_merged() -> None:
    ada = make_recipient("ada@example.org")
    make_recipient("ada+news@example.org")
    browser = superuser()

    listed = browser.get("/recipients/duplicates/").content.decode()
    link = f"{page(ada, 'merge')}?other=ada%2Bnews%40example.org"
    shown = browser.get(link)
    unknown = browser.post(page(ada, "merge"), {"other": "x@example.org", "policy": "fill"})
    browser.post(page(ada, "merge"), {"other": "ada+news@example.org", "policy": "fill"})

    assert link in listed
    assert 'value="ada+news@example.org"' in shown.content.decode()
    assert "There is no recipient x@example.org" in text(unknown)
    assert (Recipient.objects.get(), Merge.objects.get().merged_by) == (ada, "root")


def test_who_may_see_recipients_may_do_nothing_with_them() -> None:
    ada = make_recipient()
    browser = staff("recipients.view_recipient")

    verbs = ("edit", "subscribe", "suppress", "hand-out", "erase", "merge", "consent")
    assert [browser.get(page(ada, verb)).status_code for verb in verbs] == [403] * len(verbs)


def test_off_a_list_is_not_erased_and_is_in_the_ledger() -> None:
    readers, others = make_list(), make_list("Others")
    ada = make_recipient(lists=[readers, others])
    browser = superuser()

    asked = browser.get(page(ada, f"lists/{readers.pk}/leave"))
    nothing = Subscription.objects.filter(state="unsubscribed").count()
    browser.post(page(ada, f"lists/{readers.pk}/leave"))

    assert (asked.status_code, nothing) == (200, 0)
    states = dict(Subscription.objects.values_list("mailing_list__name", "state"))
    assert states == {"Readers": "unsubscribed", "Others": "confirmed"}
    event = ConsentEvent.objects.get(action="withdrawn")
    assert (event.mailing_list_id, event.recipient_id) == (readers.pk, ada.pk)


def test_one_address_is_suppressed_by_who_may() -> None:
    ada = make_recipient()
    browser = superuser()

    wrong = browser.post(page(ada, "suppress"), {"reason": "manual", "source": "ada@x.org said"})
    browser.post(page(ada, "suppress"), {"reason": "manual", "source": "by phone"})

    assert wrong.status_code == 422
    said = Suppression.objects.get()
    assert (said.key, said.source.endswith(": by phone")) == ("ada@example.org", True)

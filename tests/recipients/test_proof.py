"""The proof of a person's consent: complete, in their own words, and not to be forged."""

from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from recipients import consent, signup
from recipients.addresses import parse_address
from recipients.admin.consent import staff_changes
from recipients.merging import merge
from recipients.models import (
    ConsentEvent,
    MailingList,
    Notice,
    Recipient,
    Subscription,
)
from recipients.proof import proof
from recipients.services import leave_everything
from tests.console import superuser
from tests.factories import make_form, make_list, make_recipient
from tests.recipients.test_consent import tamper

pytestmark = pytest.mark.django_db

ADA = "ada@example.org"
RECIPIENTS = "/admin/recipients/recipient/"


@pytest.fixture
def ada() -> Recipient:
    """Somebody who asked, confirmed, and left; another person is in the ledger, too."""
    form = make_form(wording="News of <birds>.")
    for address in (ADA, "bob@example.org"):
        wording = consent.keep_wording(form.wording)
        origin = consent.Origin("192.0.2.7", "Browser")
        asked = signup.Asked(parse_address(address), wording, {}, origin)
        signup.ask(form, asked, now=timezone.now())
    notice = Notice.objects.get(key=ADA)
    lists = [form.mailing_list_id]
    signup.confirm(notice, lists=lists, origin=consent.Origin(), now=timezone.now())
    leave_everything(notice.recipient, source="delivery 7", now=timezone.now())
    return Recipient.objects.get(key=ADA)


def events() -> list[tuple[str, str]]:
    return list(ConsentEvent.objects.order_by("id").values_list("action", "source"))


def test_a_proof_has_each_event_of_the_person_with_words_and_block(ada: Recipient) -> None:
    found = proof(ADA, now=timezone.now())

    assert [(fact.action, fact.about) for fact in found.facts] == [
        ("granted", "Birds"),
        ("confirmed", "Birds"),
        ("withdrawn", "any message"),
        ("withdrawn", "Birds"),
    ]
    assert [fact.wording for fact in found.facts] == ["News of <birds>."] * 2 + [""] * 2
    assert all(consent.has_block(fact.hash) for fact in found.facts)
    assert found.subject == consent.subject(ADA).hex()
    assert [each.reason for each in found.suppressions] == ["unsubscribed"]
    assert found.problems == []


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("UPDATE recipients_consentevent SET source = 'x' WHERE id = {event}", "are not those"),
        ("DELETE FROM recipients_consentevent WHERE id = {event}", "are not those"),
        ("DELETE FROM recipients_consentblock WHERE number = 2", "does not follow"),
        ("UPDATE recipients_consentblock SET hash = previous_hash WHERE number = 2", "not those"),
    ],
)
def test_a_ledger_that_was_changed_is_no_proof(sql: str, problem: str, ada: Recipient) -> None:
    event = ConsentEvent.objects.filter(action="confirmed").get()
    tamper(sql.format(event=event.pk))

    with pytest.raises(CommandError, match="was changed") as error:
        call_command("consent_proof", ADA)

    assert problem in str(error.value)


@pytest.mark.parametrize("asked", ["lovelace@example.com", ADA])
def test_a_proof_has_what_was_said_under_an_address_that_was_merged(
    asked: str, ada: Recipient
) -> None:
    kept = make_recipient("lovelace@example.com")
    merge(kept.pk, ada.pk, by="Eve", now=timezone.now())

    found = proof(asked, now=timezone.now())

    said = [(fact.action, fact.source) for fact in found.facts]
    assert [action for action, _ in said[:4]] == ["granted", "confirmed", "withdrawn", "withdrawn"]
    assert said[4:] == [("withdrawn", f"recipient {ada.pk} was merged into {kept.pk}")] * 2
    assert found.address == "lovelace@example.com"


def test_the_proof_of_somebody_who_was_erased_needs_their_address_alone(ada: Recipient) -> None:
    ada.delete()
    MailingList.objects.all().delete()

    found = proof(ADA, now=timezone.now())

    assert len(found.facts) == 4
    assert found.facts[0].about.endswith(", deleted")


def test_the_command_prints_the_proof(
    ada: Recipient, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    call_command("consent_proof", "Ada@Example.org")

    printed = capsys.readouterr().out
    assert f"ada@example.org, in the ledger {consent.subject(ADA).hex()}" in printed
    assert "granted: Birds, by form birds\n" in printed
    assert "  words: News of <birds>.\n" in printed
    assert "bob" not in printed


def test_the_command_writes_a_page_that_needs_nothing_else(ada: Recipient, tmp_path: Path) -> None:
    call_command("consent_proof", ADA, html=tmp_path / "ada.html")

    page = (tmp_path / "ada.html").read_text()
    assert "Consent of ada@example.org" in page
    assert "The ledger is unchanged" in page
    assert "News of &lt;birds&gt;." in page
    assert "@media print" in page
    assert "href=" not in page


@pytest.mark.parametrize(
    ("address", "said"),
    [("nobody@example.org", "nothing is known"), ("nonsense", "there is no @")],
)
def test_the_command_says_where_there_is_nothing_to_prove(address: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("consent_proof", address)


def test_a_page_that_cannot_be_written_is_said(ada: Recipient, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("consent_proof", ADA, html=tmp_path)


# --- in the console -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        (["view_recipient"], 403),
        (["view_consentevent"], 403),
        (["view_recipient", "view_consentevent"], 200),
    ],
)
def test_the_page_is_for_who_may_see_recipients_and_consent(
    permissions: list[str], status: int, ada: Recipient
) -> None:
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)

    assert client.get(f"/recipients/{ada.pk}/consent/").status_code == status
    assert Client().get(f"/recipients/{ada.pk}/consent/").status_code == 302


def test_the_page_of_a_recipient_leads_to_the_proof(ada: Recipient) -> None:
    page = superuser().get(f"{RECIPIENTS}{ada.pk}/change/").content.decode()

    assert f"/recipients/{ada.pk}/consent/" in page


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        (None, "confirmed", "imported"),
        ("unsubscribed", "confirmed", "imported"),
        ("pending", "confirmed", "imported"),
        (None, "pending", "granted"),
        ("unsubscribed", "pending", "granted"),
        ("confirmed", "pending", "withdrawn"),
        ("confirmed", "unsubscribed", "withdrawn"),
        ("confirmed", None, "withdrawn"),
        ("confirmed", "confirmed", None),
    ],
)
def test_what_staff_change_means_no_more_than_staff_can_say(
    before: str | None, after: str | None, action: str | None
) -> None:
    was, now = ({7: state} if state else {} for state in (before, after))

    said = [each.action for each in staff_changes(Recipient(pk=1, key=ADA), was, now, "staff 1")]

    assert said == ([action] if action else [])


def test_what_staff_change_of_a_subscription_is_in_the_ledger() -> None:
    readers, person = make_list(), make_recipient(ADA)
    console = superuser()
    row = {"recipient": person.pk, "mailing_list": readers.pk}

    def save(**typed: object) -> None:
        known = Subscription.objects.first()
        forms = {"TOTAL_FORMS": "1", "INITIAL_FORMS": "1" if known else "0"}
        inline = forms | {f"0-{name}": value for name, value in (row | typed).items()}
        inline["0-id"] = known.pk if known else ""
        data = {f"subscription_set-{name}": value for name, value in inline.items()}
        console.post(f"{RECIPIENTS}{person.pk}/change/", {"address": ADA, "fields": "{}"} | data)

    save(state="confirmed")
    save(state="unsubscribed")
    save(state="unsubscribed", DELETE="on")

    staff = f"staff {User.objects.get().pk}"
    assert events() == [("imported", staff), ("withdrawn", staff), ("withdrawn", staff)]
    assert not Subscription.objects.exists()

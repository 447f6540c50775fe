"""Lists that are limited to others, on the pages of staff: not seen, not named, not acted on."""

import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from recipients import exporting
from recipients.importing import jobs
from recipients.models import Export, Import, MailingList, Recipient, Subscription
from tests.console import staff, text
from tests.factories import make_list, make_recipient, make_segment

pytestmark = pytest.mark.django_db

MAY = (
    "add_import",
    "change_import",
    "change_mailinglist",
    "change_recipient",
    "change_segment",
    "erase_recipient",
    "export_recipient",
    "merge_recipient",
    "view_consentevent",
    "view_import",
    "view_mailinglist",
    "view_recipient",
    "view_segment",
)


@pytest.fixture
def browser() -> Client:
    return staff(*(f"recipients.{name}" for name in MAY))


@pytest.fixture
def hidden() -> MailingList:
    """Bob is on it; Ada on one that is open to everybody, and Eve on both."""
    hidden, readers = make_list("Donors"), make_list()
    MailingList.objects.filter(pk=hidden.pk).update(is_limited=True)
    make_recipient("bob@example.org", lists=[hidden])
    make_recipient("ada@example.org", lists=[readers])
    make_recipient("eve@example.org", lists=[readers, hidden])
    return hidden


def test_no_page_names_the_list_or_who_is_on_it_alone(browser: Client, hidden: MailingList) -> None:
    eve = Recipient.objects.get(key="eve@example.org")
    paths = ["/recipients/", "/recipients/?count=1", f"/recipients/{eve.pk}/", "/lists/"]

    for path in (*paths, f"/recipients/{eve.pk}/subscribe/", f"/recipients/?list={hidden.pk}"):
        page = text(browser.get(path))

        assert "Donors" not in page
        assert "bob@example.org" not in page
    assert "2 recipients answer to this." in text(browser.get("/recipients/?count=1"))


def test_nothing_of_it_can_be_opened_or_acted_on(browser: Client, hidden: MailingList) -> None:
    bob = Recipient.objects.get(key="bob@example.org")
    eve = Recipient.objects.get(key="eve@example.org")
    segment = make_segment()
    importing = jobs.begin(io.BytesIO(b"email\nx@example.org\n"), name="p.csv", mailing_list=hidden)
    verbs = ("", "edit/", "subscribe/", "hand-out/", "erase/", "merge/", "consent/")
    paths = [f"/recipients/{bob.pk}/{verb}" for verb in verbs]
    paths += [f"/lists/{hidden.pk}/", f"/lists/{hidden.pk}/edit/", f"/segments/{segment.pk}/"]
    paths += [f"/recipients/{eve.pk}/lists/{hidden.pk}/leave/", f"/imports/{importing.pk}/"]

    assert {browser.post(path).status_code for path in paths} <= {404, 405}
    assert {browser.get(path).status_code for path in paths} == {404}
    browser.post(
        "/recipients/several/",
        {"act": "unsubscribe", "whom": "ticked", "pick": [bob.pk, eve.pk], "expected": "1"}
        | {"do-mailing_list": hidden.pk},
    )
    assert Subscription.objects.filter(mailing_list=hidden, state="confirmed").count() == 2


def test_an_export_has_whom_its_author_sees_alone(browser: Client, hidden: MailingList) -> None:
    asked = {"act": "export", "whom": "matching", "expected": "2", "do-format": "csv"}

    listed = browser.post("/recipients/several/", asked, follow=True)
    export = Export.objects.get()
    exporting.write(export.pk, clock=timezone.now)

    export.refresh_from_db()
    assert "All recipients" in text(listed)
    assert export.rows == 2
    assert b"bob@example.org" not in export.file.read()


def test_a_file_is_not_imported_into_it_by_its_name(browser: Client, hidden: MailingList) -> None:
    user = User.objects.get()
    importing: Any = jobs.begin(io.BytesIO(b"email\nx@example.org\n"), name="p.csv", by=user)
    rules = {"verb": "start", "encoding": "utf-8", "delimiter": ",", "has_header": "on"}
    columns = {"column_0": "email", "policy": "fill"}

    answer = browser.post(
        f"/imports/{importing.pk}/columns/", {**rules, **columns, "new_list": "Donors"}
    )

    assert answer.status_code == 422
    assert "you may not see; take another one" in text(answer)
    assert Import.objects.get().status == "mapping"

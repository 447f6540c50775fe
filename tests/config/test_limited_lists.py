"""Lists that are limited to others, on every page of staff: nothing of them, nor of who is on them.

Who looks may do everything else. Suppression is of addresses, and the audit log is for who may look
at what everybody did: these two are not narrowed.
"""

import html
import io
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import summaries
from campaigns.models import ReportFrequency, ReportSubscription, Run, Transport
from recipients.importing import jobs
from recipients.models import Export, Field, FieldKind, MailingList, Tag
from tests.campaigns.webhooks.steps import make_endpoint
from tests.config.test_web import STAFF, URLS
from tests.factories import (
    make_campaign,
    make_delivery,
    make_file,
    make_form,
    make_list,
    make_past_run,
    make_recipient,
    make_segment,
)
from tracking.models import DeliveryState, Link, LinkTally

pytestmark = pytest.mark.django_db

SECRET = ("Donors", "bob@example.org", "Ballnight", "Millionaires", "70,777", "70777")
ANSWERS = ({"q": "bob"}, {"q": "example.org", "count": "1"})

# What each page is of, by how the name of its URL begins.
OF = {
    "campaigns:campaign_": "campaign",
    "campaigns:delivery_detail": "delivery",
    "campaigns:delivery_export": "campaign",
    "campaigns:list_growth": "list",
    "campaigns:recipient_history": "recipient",
    "campaigns:run_": "run",
    "campaigns:sender_": "sender",
    "campaigns:template_": "template",
    "campaigns:transport_": "transport",
    "campaigns:webhook_": "webhook",
    "recipients:export_file": "export",
    "recipients:field_": "field",
    "recipients:import_": "import",
    "recipients:list_": "list",
    "recipients:recipient_": "recipient",
    "recipients:segment_": "segment",
    "recipients:signup_": "list",
    "recipients:suppression_lift": "",
    "recipients:tag_": "tag",
    "templates_app:media_": "file",
    "templates_app:template_export": "template",
}
LIMITED = {
    "campaign", "delivery", "export", "import", "list", "recipient", "run", "segment", "webhook"
}  # fmt: skip
NOT_NARROWED = ("recipients:suppression_",)


def of(name: str) -> str:
    """Return what the page of this URL is of; nothing: of many."""
    if "pk" not in URLS[name].pattern.converters:
        return ""
    return next(kind for start, kind in OF.items() if name.startswith(start))


PAGES = [
    name
    for name in STAFF
    if name.startswith(("campaigns:", "recipients:", "templates_app:", "health"))
    and not name.startswith(NOT_NARROWED)
]


class There:
    """A list that is hidden with all that hangs on it, and what it shares with one that is not."""

    def __init__(self) -> None:
        someone = User.objects.create_user("someone")
        donors, readers = make_list("Donors"), make_list()
        MailingList.objects.filter(pk=donors.pk).update(is_limited=True)
        bob = make_recipient("bob@example.org", lists=[donors], fields={"first_name": "bob"})
        self.eve = make_recipient("eve@example.org", lists=[readers, donors])
        self.tag = Tag.objects.create(name="vip")
        self.field = Field.objects.create(name="city", kind=FieldKind.CHOICE, choices=["Hanoi"])
        Field.objects.create(name="first_name")
        segment = make_segment("Millionaires", city="Hanoi")
        self.file = make_file()
        self.spring = make_campaign("Spring", lists=[readers])
        self.template, self.sender = self.spring.template, self.spring.sender
        self.transport = Transport.objects.create(name="Relay")
        ball = make_campaign(
            "Ballnight", lists=[donors], template=self.template, attachments=[self.file]
        )
        run, went_to_donors = make_past_run(ball, sent=1), make_past_run(self.spring, sent=70_777)
        went_to_donors.lists.add(donors)
        self.run = make_past_run(self.spring, sent=1)
        Link.objects.create(version=self.run.version, number=0, target="https://a.example/")
        LinkTally.objects.create(run=went_to_donors, number=0, people=70_777)
        delivery = make_delivery(run, bob)
        doubted = make_delivery(went_to_donors, bob)
        type(doubted).objects.filter(pk=doubted.pk).update(
            state=DeliveryState.UNCONFIRMED, doubted_at=timezone.now()
        )
        form = make_form(mailing_list=donors)
        lines = io.BytesIO(b"email\nx@example.org\n")
        self.hidden: dict[str, Any] = {
            "campaign": ball,
            "delivery": delivery,
            "export": Export.objects.create(
                what="Donors", mailing_list=donors, created_by=someone, created_at=timezone.now()
            ),
            "import": jobs.begin(lines, name="Donors.csv", mailing_list=donors, by=someone),
            "list": donors,
            "recipient": bob,
            "run": run,
            "segment": segment,
            "webhook": make_endpoint(),
        }
        self.shared: dict[str, Any] = {
            "campaign": self.spring,
            "delivery": make_delivery(self.run, self.eve),
            "field": self.field,
            "file": self.file,
            "list": readers,
            "recipient": self.eve,
            "run": self.run,
            "sender": self.sender,
            "tag": self.tag,
            "template": self.template,
            "transport": self.transport,
        }
        self.others = {
            "list_pk": donors.pk,
            "form_pk": form.pk,
            "number": self.run.version.number,
            "picture": 1,
            "token": "x",
        }
        # What may be asked for on the page of something else.
        self.asked: dict[str, Any] = {
            "list": donors.pk,
            "id": [ball.pk, self.spring.pk],
            "run": went_to_donors.pk,
            "who": f"r-{bob.pk}",
            "search": "bob",
            "samples": f"0-1:{bob.pk}",
            "template": self.template.pk,
        }

    def address(self, name: str, pk: int) -> str:
        wanted = URLS[name].pattern.converters
        given = {"pk": pk, **self.others}
        return reverse(name, kwargs={key: given[key] for key in wanted})


@pytest.fixture
def there() -> There:
    return There()


@pytest.fixture
def browser(there: There) -> Client:
    user = User.objects.create_user("staff", email="staff@example.org", is_staff=True)
    ours = Permission.objects.filter(
        content_type__app_label__in=("campaigns", "recipients", "templates_app", "tracking")
    )
    user.user_permissions.set(ours.exclude(codename="see_limited_lists"))
    client = Client()
    client.force_login(user)
    return client


def said(answer: Any) -> str:
    content = answer.getvalue() if answer.streaming else answer.content
    shown = html.unescape(content.decode(errors="replace"))
    if answer.status_code == 302:
        shown += "".join(map(str, answer.wsgi_request._messages))
    return shown


def leaks(answer: Any) -> list[str]:
    page = said(answer)
    return [word for word in SECRET if word in page]


@pytest.mark.parametrize("kind", sorted(LIMITED))
def test_nothing_that_is_hidden_has_a_page(kind: str, there: There, browser: Client) -> None:
    names = [name for name in PAGES if of(name) == kind]

    for name in names:
        url = there.address(name, there.hidden[kind].pk)
        looked, acted = browser.get(url), browser.post(url)

        # 405: it takes no form, or is only one. 403: nobody who sees not all lists may do that.
        assert looked.status_code in (403, 404, 405), url
        assert acted.status_code in (403, 404, 405), url
    assert names


@pytest.mark.parametrize(
    "kind", ["", *sorted(set(OF.values()) - {"", "segment", "import", "export", "webhook"})]
)
def test_no_page_of_something_else_says_anything_of_it(
    kind: str, there: There, browser: Client
) -> None:
    names = [name for name in PAGES if of(name) == kind]

    for name in names:
        url = there.address(name, there.shared[kind].pk if kind else 0)
        for asked in ANSWERS:
            assert not leaks(browser.get(url, {**there.asked, **asked})), url
        # What deletes is asked at the end, for the others would find nothing.
    for name in sorted(names, key=lambda name: name.endswith("_delete")):
        url = there.address(name, there.shared[kind].pk if kind else 0)
        assert not leaks(browser.post(url, {"verb": "x"})), url
    assert names


def test_a_template_is_shown_and_tested_as_nobody_whom_one_does_not_see(
    there: There, browser: Client
) -> None:
    url = f"/templates/{there.template.pk}"
    test = {"addresses": "me@example.org", "sender": there.sender.pk}

    found = browser.get(f"{url}/preview/", {"search": "example.org"}).content.decode()
    tested = browser.post(f"{url}/test/", {**test, "reader": "bob@example.org"})

    assert "eve@example.org" in found
    assert "No recipient has this address." in tested.content.decode()


def test_a_saved_template_names_no_campaign_that_one_does_not_see(
    there: There, browser: Client
) -> None:
    ball = there.hidden["campaign"]
    type(ball).objects.filter(pk=ball.pk).update(status="scheduled", version=there.run.version)
    words = {"name": "News", "kind": "html", "subject": "Other", "source": "<p>{{ email }}</p>"}
    words |= {"variants-TOTAL_FORMS": "0", "variants-INITIAL_FORMS": "0"}

    answer = browser.post(f"/templates/{there.template.pk}/edit/", words, follow=True)

    assert "is saved as version" in said(answer)
    assert not leaks(answer)


def test_a_summary_tells_of_the_runs_that_its_reader_sees(there: There, browser: Client) -> None:
    reader = User.objects.get(username="staff")
    now = timezone.now()
    before = now - timedelta(days=9)
    daily = ReportSubscription.objects.create(
        user=reader, frequency=ReportFrequency.DAILY, last_sent_at=before
    )

    assert summaries.runs_of(daily, until=now) == [there.run]
    assert Run.objects.count() == 3

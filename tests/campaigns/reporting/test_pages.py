"""The pages of reports: the same figures as tables, people for whom they concern, files to keep."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import openpyxl
import pytest
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns.models import Campaign, Run
from campaigns.reporting import people as who
from campaigns.reporting.growth import growth
from campaigns.reporting.history import history
from campaigns.reporting.links import FollowedLink
from campaigns.reporting.people import Asked, Did
from campaigns.views.reports import charts, clickmap, xlsx
from config.accounts.models import AuditEntry
from recipients.models import MailingList, Recipient, Tracking
from recipients.services import unsubscribe
from tests.console import staff, superuser, text
from tests.factories import (
    make_campaign,
    make_delivery,
    make_list,
    make_past_run,
    make_recipient,
    make_recipients,
    make_template,
)
from tracking import feedback
from tracking.models import (
    Category,
    Delivery,
    DeliveryEvent,
    DomainTally,
    EventKind,
    EventSource,
    Hit,
    HitKind,
    HourTally,
    Link,
    LinkTally,
    ReasonTally,
    Verdict,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 12, 4, 12, tzinfo=UTC)
HTML = '<p>Hello {{ first_name }}</p><a href="https://a.example/?x=1&amp;y=2">Read</a>'
TARGET = "https://a.example/?x=1&y=2"


@pytest.fixture
def run() -> Run:
    campaign = make_campaign(template=make_template(html=HTML))
    run = make_past_run(
        campaign,
        at=NOW,
        sent=1_200,
        failed=3,
        opens_people=770,
        opens_unique=1_100,
        opens_total=2_000,
        clicks_people=40,
        clicks_unique=50,
        clicks_total=60,
        bounced_hard=12,
        unsubscribed=6,
    )
    HourTally.objects.create(run=run, hour=NOW, sent=1_200, opens_people=770)
    Link.objects.create(version=run.version, number=0, target=TARGET, label="Read")
    LinkTally.objects.create(run=run, number=0, people=40, unique=50, total=60)
    DomainTally.objects.create(run=run, domain="=cmd.example", sent=9, bounced_hard=1)
    ReasonTally.objects.create(run=run, kind="bounced", reason="mailbox_full", count=12)
    return run


def url(page: str, of: Run | Campaign) -> str:
    kind = "run" if isinstance(of, Run) else "campaign"
    return reverse(f"campaigns:{kind}_report{page and f'_{page}'}", args=[of.pk])


def event(delivery: Delivery, kind: EventKind, category: Category, diagnostic: str = "") -> None:
    DeliveryEvent.objects.create(
        delivery=delivery,
        run=delivery.run,
        recipient_id=delivery.recipient_id,
        kind=kind,
        category=category,
        diagnostic=diagnostic,
        source=EventSource.MAIL,
        source_key=f"{delivery.pk} {kind}",
        at=NOW,
    )


def click(delivery: Delivery, number: int, *, verdict: Verdict = Verdict.PERSON) -> None:
    Hit.objects.create(
        id=Hit.objects.count() + 1,
        kind=HitKind.CLICK,
        run=delivery.run,
        delivery=delivery,
        link_number=number,
        at=NOW,
        verdict=verdict,
        rules=1,
    )


# --- pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["", "links", "domains", "failures"])
def test_who_may_see_runs_sees_their_sums_and_nobody_in_them(run: Run, page: str) -> None:
    client = staff("campaigns.view_run", "campaigns.view_campaign")

    answers = [client.get(url(page, of)) for of in (run, run.campaign)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert b"report/people/" not in answers[0].content
    assert client.get(url("people", run)).status_code == 403


def test_the_overview_says_people_first_and_machines_beside(
    run: Run, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = superuser()

    with django_assert_max_num_queries(9):
        answer = client.get(url("", run))

    page = text(answer)
    assert "Opened by people 770 64.2 % of sent" in page
    assert "of 1,100 recipients with an open, 770 by people, 330 by machines alone" in page
    assert "4 Dec 2026, 12:00 1,200 770 0 0 0 0" in page
    assert b'<svg viewBox="0 0 720 97"' in answer.content
    assert b"style=" not in answer.content


@pytest.mark.parametrize(
    ("tracking", "words"),
    [
        (Tracking.OFF, "Opens and clicks of this run are not measured."),
        (Tracking.ANONYMOUS, "This run is measured anonymously"),
    ],
)
def test_a_run_that_was_measured_less_says_so(run: Run, tracking: Tracking, words: str) -> None:
    Run.objects.filter(pk=run.pk).update(tracking=tracking)

    assert words in text(superuser().get(url("", run)))


def test_a_campaign_lists_its_runs_with_their_figures(run: Run) -> None:
    make_past_run(run.campaign, at=NOW + timedelta(days=7), sent=5)

    page = text(superuser().get(url("", run.campaign)))

    assert "11 Dec 2026, 12:00 UTC 5 0 0 0 0 0 4 Dec 2026, 12:00 UTC 1,200 12 770 40 6 0" in page


def test_the_map_numbers_the_links_of_the_message_that_the_table_counts(run: Run) -> None:
    client = superuser()

    page, framed = client.get(url("links", run)), client.get(url("map", run))

    assert "1 Read https://a.example/?x=1&y=2 40 100.0 % 50 60" in text(page)
    assert (
        f'sandbox="" referrerpolicy="no-referrer" src="{url("map", run)}?' in page.content.decode()
    )
    document = framed.content.decode()
    assert '">1</span>Read</a>' in document
    assert "{{ first_name }}" not in document


def test_the_message_in_the_frame_may_do_nothing(run: Run) -> None:
    client = superuser()

    framed, other = (client.get(url("map", run), {"language": name}) for name in ("", "vi"))

    assert framed["Content-Security-Policy"].startswith("sandbox; default-src 'none'; img-src")
    assert framed["X-Frame-Options"] == "SAMEORIGIN"
    assert other.status_code == 404


def test_a_place_gets_the_number_of_its_own_row_and_others_get_none() -> None:
    html = f'<a href="{TARGET}">A</a><a href="https://b.example/">B</a><a href="{TARGET}">C</a>'
    links = [FollowedLink(number, "", TARGET, "", 0, 0, 0) for number in (0, 4)]

    found = clickmap.with_numbers(html, links)

    assert ">1</span>A" in found
    assert '<a href="https://b.example/">B</a>' in found
    assert ">5</span>C" in found


def test_failures_say_what_to_do(run: Run) -> None:
    page = text(superuser().get(url("failures", run)))

    assert "Mailbox full 0 12 The mailbox has no room. Nothing now; later messages" in page


def test_up_to_ten_campaigns_are_compared(run: Run) -> None:
    ids = "".join(f"&id={pk}" for pk in [run.campaign.pk, *range(10_000, 10_010)])

    page = text(superuser().get(f"{reverse('campaigns:report_comparison')}?id=x{ids}"))

    assert "These are more than 10" in page
    assert "64.2 % 770 of 1,200" in page


def test_a_chart_says_in_words_what_it_shows_and_writes_coordinates_with_points() -> None:
    found = charts.chart("Sent", "sent", [("Monday", 3), ("Tuesday", 0), ("Friday", 9_000)])

    assert found.summary == "9,003 in all; most at Friday: 9,000."
    assert [(bar.x, bar.height, bar.title) for bar in found.bars] == [
        ("0.00", "2.00", "Monday: 3"),
        ("480.00", "96.00", "Friday: 9,000"),
    ]


# --- who did what -----------------------------------------------------------------------------


def did(run: Run, what: Did, link: int | None = None) -> list[str]:
    return [one.address for one in who.people(run.pk, Asked(what, link)).people]


def test_each_recipient_is_listed_under_what_they_did_and_under_nothing_else(run: Run) -> None:
    readers = make_recipients(9, mailing_list=make_list())
    kinds: tuple[dict[str, Any], ...] = (
        {"opens": 1, "opened_at": NOW, "opened_by_person_at": NOW},
        {"clicks": 1, "clicked_at": NOW, "clicked_by_person_at": NOW},
        {"opens": 1, "opened_at": NOW},
        {"unsubscribed_at": NOW},
        {"complained_at": NOW},
        {"bounced_at": NOW},
        {"delivered_at": NOW},
        {},
        {"failure": Category.RATE},
    )
    rows = [make_delivery(run, who, **kind) for who, kind in zip(readers, kinds, strict=True)]
    click(rows[1], 3)
    click(rows[2], 3, verdict=Verdict.MACHINE)

    found = {what: did(run, what) for what in Did}

    names = [reader.address for reader in readers]
    assert found == {
        Did.OPENED: names[:2],
        Did.CLICKED: [names[1]],
        Did.MACHINES: [names[2]],
        Did.UNSUBSCRIBED: [names[3]],
        Did.COMPLAINED: [names[4]],
        Did.BOUNCED: [names[5]],
        Did.FAILED: [names[8]],
    }
    assert did(run, Did.CLICKED, 3) == [names[1]]
    assert did(run, Did.CLICKED, 4) == []


def test_pages_follow_each_other_forth_and_back_without_a_gap(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(who, "SHOWN", 2)
    readers = make_recipients(5, mailing_list=make_list())
    ids = [make_delivery(run, reader, complained_at=NOW).pk for reader in readers]

    def shown(**where: int) -> tuple[list[int], bool, bool]:
        page = who.people(run.pk, Asked(Did.COMPLAINED, **where))
        return [one.delivery for one in page.people], page.has_previous, page.has_next

    assert shown() == (ids[:2], False, True)
    assert shown(after=ids[1]) == (ids[2:4], True, True)
    assert shown(after=ids[3]) == (ids[4:], True, False)
    assert shown(before=ids[4]) == (ids[2:4], True, True)
    assert shown(before=ids[2]) == (ids[:2], False, True)
    with django_assert_num_queries(3):
        shown()


def test_one_recipient_is_found_by_the_whole_address_whatever_they_did(run: Run) -> None:
    make_delivery(run, make_recipient("ada@example.org"))
    client = superuser()

    found = client.get(url("people", run), {"address": " ADA@example.org "})
    nobody = client.get(url("people", run), {"address": "bob@example.org"})
    wrong = client.get(url("people", run), {"address": "bob"})

    assert "ada@example.org Sent" in text(found)
    assert "bob@example.org is no recipient of this run." in text(nobody)
    assert "This is not an address" in text(wrong)


def test_what_a_mail_system_said_is_shown_as_text(run: Run) -> None:
    row = make_delivery(run, make_recipient(), bounced_at=NOW, is_hard=True)
    event(row, EventKind.BOUNCED, Category.DISABLED, "<script>alert(1)</script>")

    answer = superuser().get(url("people", run), {"did": "bounced"})

    assert "mailbox switched off: <script>alert(1)</script>" in text(answer)
    assert b"<script>alert" not in answer.content


def test_what_the_next_hop_answered_is_shown_with_the_reason(run: Run) -> None:
    ada = make_recipient()
    row = make_delivery(run, ada, failure=Category.RATE)
    said = {"diagnostic": "550 5.7.1 Too fast", "finished_at": NOW, "state": "failed"}
    Delivery.objects.filter(pk=row.pk).update(**said)
    feedback.note_failures([feedback.Failure(row.pk, Category.RATE)], now=NOW)

    answer = superuser().get(url("people", run), {"did": "failed"})
    [happened] = history(Delivery.objects.filter(recipient=ada))[0][0].happened

    assert "too many messages: 550 5.7.1 Too fast" in text(answer)
    assert (happened.what, happened.detail) == ("Failed, too many messages", "550 5.7.1 Too fast")


# --- files ------------------------------------------------------------------------------------


def test_a_file_of_people_is_for_who_may_export_them_and_it_is_noted(run: Run) -> None:
    for reader in make_recipients(3, mailing_list=make_list()):
        make_delivery(run, reader, complained_at=NOW)
    query = {"did": "complained", "format": "csv"}
    reading = staff("campaigns.view_run", "recipients.view_recipient")

    refused = reading.get(url("people", run), query)
    file = superuser().get(url("people", run), query)

    assert refused.status_code == 403
    lines = file.getvalue().decode().splitlines()
    assert len(lines) == 4
    assert lines[1].startswith('"r0001@example.org","sent","","","false","","false","","2026-12-04')
    assert file["Content-Disposition"] == f'attachment; filename="run-{run.pk}-complained.csv"'
    [noted] = AuditEntry.objects.of("campaigns.run", str(run.pk)).filter(act="downloaded")
    assert (noted.actor, noted.name) == ("root", "complained")


def test_a_spreadsheet_runs_nothing_of_a_file(run: Run) -> None:
    client = superuser()

    csv, book = (
        client.get(url("domains", run), {"format": form}).getvalue() for form in ("csv", "xlsx")
    )

    assert '"\'=cmd.example","9"' in csv.decode()
    cell = openpyxl.load_workbook(io.BytesIO(book)).worksheets[0]["A2"]
    assert (cell.value, cell.data_type) == ("=cmd.example", "s")


def test_a_workbook_is_sent_while_it_is_written_and_goes_on_in_another_sheet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(xlsx, "_SHEET", 3_000)
    monkeypatch.setattr(xlsx, "_CHUNK", 100)
    asked = 0

    def rows() -> Iterator[tuple[int, str, bool, None]]:
        nonlocal asked
        for asked in range(1, 3_002):
            yield asked, f"<{asked}> & \x00{asked**40}", asked % 2 == 0, None

    head = ("n", "text", "even", "nothing")
    parts = xlsx.workbook(head, rows())
    first = next(parts)

    assert asked < 3_000
    book = openpyxl.load_workbook(io.BytesIO(first + b"".join(parts)), read_only=True)
    one, two = ([*sheet.values] for sheet in book.worksheets)
    assert (len(one), one[0], one[1]) == (3_001, head, (1, "<1> & 1", False, None))
    assert two == [head, (3_001, f"<3001> & {3_001**40}", False, None)]


def test_a_format_that_is_none_is_not_found(run: Run) -> None:
    client = superuser()

    answers = [client.get(url(page, run), {"format": "exe"}) for page in ("people", "domains")]

    assert [answer.status_code for answer in answers] == [404, 404]


# --- a recipient, a list ----------------------------------------------------------------------


def test_a_recipient_has_all_messages_and_what_became_of_each(
    run: Run, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    recipient = make_recipient("ada@example.org")
    old = make_delivery(run, recipient)
    new = make_delivery(make_past_run(run.campaign, at=NOW + timedelta(days=1)), recipient)
    click(new, 0)
    event(old, EventKind.BOUNCED, Category.MAILBOX_FULL, "452 4.2.2 Over quota")

    with django_assert_num_queries(4):
        found, has_more = history(Delivery.objects.filter(recipient=recipient))

    assert [one.delivery for one in found] == [new, old]
    assert [(each.what, each.detail) for one in found for each in one.happened] == [
        ("Clicked", "Read"),
        ("Bounced, mailbox full", "452 4.2.2 Over quota"),
    ]
    assert not has_more
    page = reverse("campaigns:recipient_history", args=[recipient.pk])
    client = superuser()
    assert "Bounced, mailbox full: 452 4.2.2 Over quota" in text(client.get(page))
    change = reverse("admin:recipients_recipient_change", args=[recipient.pk])
    assert page in client.get(change).content.decode()


def test_of_many_hits_of_a_message_the_first_are_shown_and_how_many_there_were(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.reporting.history.HITS_SHOWN", 2)
    recipient = make_recipient()
    many, few = (
        make_delivery(of, recipient, clicks=clicks)
        for of, clicks in ((run, 3), (make_past_run(run.campaign, at=NOW + timedelta(days=1)), 2))
    )
    for row in (many, many, many, few, few):
        click(row, 0)

    found, _ = history(Delivery.objects.filter(recipient=recipient))

    assert [(len(one.happened), one.clicks) for one in found] == [(2, 0), (2, 3)]
    page = reverse("campaigns:recipient_history", args=[recipient.pk])
    assert text(superuser().get(page)).count("In all: opened 0 times, clicked 3 times") == 1


def test_the_history_of_a_recipient_and_the_growth_of_a_list_have_their_permissions() -> None:
    pages = [
        reverse("campaigns:recipient_history", args=[make_recipient().pk]),
        reverse("campaigns:list_growth", args=[make_list().pk]),
    ]
    client = staff("campaigns.view_campaign")

    assert [client.get(page).status_code for page in pages] == [403, 403]


def test_a_list_grows_by_what_was_said_on_each_day() -> None:
    mailing_list = make_list()
    recipient = make_recipient(lists=[mailing_list])
    now = timezone.now()
    left(recipient, mailing_list, at=now - timedelta(days=3))
    other = make_recipient("bob@example.org", lists=[make_list("Others")])
    left(other, make_list("Others"), at=now)

    days = growth(mailing_list.pk, by_week=False, now=now)
    weeks = growth(mailing_list.pk, by_week=True, now=now)

    assert [day.left for day in days[-5:]] == [0, 1, 0, 0, 0]
    assert sum(week.left for week in weeks) == 1
    assert all(week.first.weekday() == 0 for week in weeks)
    page = text(superuser().get(reverse("campaigns:list_growth", args=[mailing_list.pk])))
    assert "Left 1 in all" in page


def left(recipient: Recipient, mailing_list: MailingList, *, at: datetime) -> None:
    assert unsubscribe(recipient, lists=[mailing_list], source="test", now=at) == 1

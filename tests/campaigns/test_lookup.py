"""The ledger: one box finds what became of somebody, and no search reads all of it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns import lookup
from campaigns.lookup import Asked, look_up
from campaigns.models import Run
from config.accounts.models import AuditEntry
from recipients.merging import merge
from recipients.models import MailingList, Recipient
from tests.console import staff, superuser, text
from tests.factories import make_campaign, make_list, make_recipient, make_recipients, make_run
from tracking import links
from tracking.models import Category, Delivery, DeliveryState, Response

pytestmark = pytest.mark.django_db

LEDGER = "/ledger/"


@pytest.fixture
def run() -> Run:
    readers = make_list()
    make_recipients(5, mailing_list=readers)
    return make_run(make_campaign("Spring", lists=[readers]))


@pytest.fixture
def console() -> Client:
    return superuser()


def found(text: str = "", **asked: object) -> list[str]:
    answer = look_up(Asked(text, **asked), Delivery.objects.all(), {})  # type: ignore[arg-type]
    return [row.address[:5] for row in answer.page.rows]


def put(state: DeliveryState, pk: int, **values: object) -> None:
    Delivery.objects.filter(pk=pk).update(state=state, **values)


def test_one_box_takes_an_address_a_message_id_a_domain_and_a_run(run: Run) -> None:
    third = Delivery.objects.get(address="r0003@example.org")
    token = links.message_token(third.pk)

    assert found(" R0003@EXAMPLE.ORG ") == ["r0003"]
    assert found(f"<{token}@example.org>") == ["r0003"]
    assert found("example.org", run=run.pk) == ["r0005", "r0004", "r0003", "r0002", "r0001"]
    assert found("example.com") == []
    assert found(f"run {run.pk}") == found(f"#{run.pk}") == found(run=run.pk)
    assert found(str(run.pk + 1)) == []
    assert found("r0003@example.org", run=run.pk + 1) == []


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("Ada Lovelace", "This is no address, Message-ID, domain or number of a run."),
        ("ada@", "This is no address"),
        ("a" * 40, "This Message-ID was not made by this installation"),
        ("1234567890123", "This is no address"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_words(console: Client, box: str, said: str) -> None:
    assert said in text(console.get(LEDGER, {"q": box}))


def test_who_was_merged_is_found_by_the_former_address(run: Run) -> None:
    keep, other = Recipient.objects.order_by("pk")[:2]
    Delivery.objects.filter(recipient=other).update(recipient=None, key="erased-1")
    merge(keep.pk, other.pk, by="ada", now=timezone.now())

    assert found("r0002@example.org") == ["r0001"]


def test_of_a_run_each_state_is_found(run: Run) -> None:
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    now = timezone.now()
    put(DeliveryState.FAILED, ids[0], finished_at=now)
    Response.objects.create(delivery_id=ids[0], run=run, failure=Category.RATE)
    put(DeliveryState.UNCONFIRMED, ids[1], doubted_at=now)
    put(DeliveryState.RETRY, ids[2], next_attempt_at=now)
    put(DeliveryState.SENT, ids[3])

    assert {state: found(run=run.pk, state=state) for state in DeliveryState} == {
        "failed": ["r0001"],
        "unconfirmed": ["r0002"],
        "retry": ["r0003"],
        "sent": ["r0004"],
        "queued": ["r0005"],
        "sending": [],
        "skipped": [],
        "cancelled": [],
    }
    assert found(state=DeliveryState.SENT) == ["r0004"]
    assert found("example.org", run=run.pk, state=DeliveryState.FAILED) == ["r0001"]


@pytest.mark.parametrize("of_run", [True, False])
def test_pages_follow_each_other_forth_and_back(
    run: Run, of_run: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "SIZE", 2)
    put(DeliveryState.SENT, Delivery.objects.order_by("pk")[2].pk)
    asked = Asked(run=run.pk if of_run else None, state=DeliveryState.QUEUED)

    def page(**where: str) -> tuple[list[str], dict[str, str], dict[str, str]]:
        answer = look_up(asked, Delivery.objects.all(), where).page
        names = [row.address[:5] for row in answer.rows]
        return names, {"older": str(answer.older)}, {"newer": str(answer.newer)}

    names, older, _ = page()
    second, _, newer = page(**older)

    assert (names, second) == (["r0005", "r0004"], ["r0002", "r0001"])
    assert page(**newer)[0] == names


@pytest.mark.parametrize("of_run", [True, False])
def test_only_so_many_rows_are_looked_through_for_a_page(
    run: Run, of_run: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "LOOKED_AT", 2)
    put(DeliveryState.SENT, Delivery.objects.earliest("pk").pk)
    asked = Asked(run=run.pk if of_run else None, state=DeliveryState.SENT)

    where: dict[str, str] = {}
    pages = []
    for _ in range(3):
        answer = look_up(asked, Delivery.objects.all(), where)
        pages.append(([row.address[:5] for row in answer.page.rows], answer.is_partial))
        where = {"older": str(answer.page.older)}

    assert pages == [([], True), ([], True), (["r0001"], False)]


def test_the_three_kinds_of_nothing_are_told_apart(run: Run, console: Client) -> None:
    none = text(console.get(LEDGER, {"q": "bob@example.org"}))
    Delivery.objects.all().delete()

    assert "No message answers to this search." in none
    assert "The ledger is empty" in text(console.get(LEDGER))


def test_a_page_takes_few_queries_and_counts_nothing(
    run: Run, console: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(9) as asked:
        page = text(console.get(LEDGER, {"run": str(run.pk), "state": "queued"}))

    assert "r0001@example.org Queued Spring" in page
    assert not [each for each in asked.captured_queries if "COUNT(" in each["sql"]]


def test_a_message_has_its_steps_in_order_with_what_was_said(run: Run, console: Client) -> None:
    row = Delivery.objects.earliest("pk")
    at = row.created_at
    put(
        DeliveryState.FAILED,
        row.pk,
        attempts=2,
        attempted_at=at + timedelta(seconds=2),
        finished_at=at + timedelta(seconds=3),
        reply_code=550,
        enhanced_status_code="5.1.1",
        diagnostic="<script>no such user",
    )

    answer = console.get(reverse("campaigns:delivery_detail", args=[row.pk]))

    page = text(answer)
    assert "Given up: refused for good, or its time ran out." in page
    assert "Attempted, attempt number 2 What was said 550 5.1.1 <script>no such user" in page
    assert page.index("Written down") < page.index("Attempted, ") < page.index("At its end: Failed")
    assert b"<script>no such" not in answer.content


def test_the_ledger_is_exported_by_who_may_export_and_it_is_noted(
    run: Run, console: Client
) -> None:
    url = reverse("campaigns:delivery_export", args=[run.campaign_id])

    refused = staff("tracking.view_delivery").get(url)
    file = console.get(url).getvalue().decode().splitlines()

    assert refused.status_code == 403
    assert len(file) == 6
    assert '"r0001@example.org","queued"' in file[1]
    assert AuditEntry.objects.filter(act="downloaded", kind="campaigns.campaign").exists()


def test_a_recipient_who_is_not_mailed_says_why(run: Run, console: Client) -> None:
    eve = make_recipient("eve@example.org")
    row = Delivery.objects.create(
        run=run, recipient=eve, address=eve.address, key=eve.key, domain=eve.domain,
        state=DeliveryState.SKIPPED, skip_reason="suppressed",
    )  # fmt: skip

    page = text(console.get(reverse("campaigns:delivery_detail", args=[row.pk])))

    assert "Reason: Suppressed." in page


def test_of_lists_that_are_hidden_nothing_is_shown(run: Run) -> None:
    MailingList.objects.update(is_limited=True)
    row = Delivery.objects.earliest("pk")
    client = staff("campaigns.view_run", "tracking.view_delivery", "tracking.change_delivery")
    token = links.message_token(row.pk)

    pages = [
        client.get(reverse(f"campaigns:{name}", args=[pk]))
        for name, pk in (
            ("run_detail", run.pk),
            ("run_doubts", run.pk),
            ("run_report", run.pk),
            ("delivery_detail", row.pk),
            ("delivery_export", run.campaign_id),
        )
    ]
    searches = [client.get(LEDGER, {"q": box}) for box in ("", str(run.pk), row.address, token)]

    assert [page.status_code for page in pages] == [404] * 5
    assert [page.context["page"].rows for page in searches] == [[]] * 4

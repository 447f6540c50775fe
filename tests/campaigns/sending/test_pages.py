from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from campaigns.models import Page, Run, RunStatus
from campaigns.sending import pages, snapshot
from campaigns.sending.claim import claim
from campaigns.sending.complete import complete
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tracking.models import Delivery, RunCounters

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
AFTER = timedelta(seconds=30)


@pytest.fixture
def run(db: None) -> Run:
    """A run of five pages of two deliveries."""
    readers = make_list()
    make_recipients(10, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]), now=NOW, snapshot_taken=False)
    while not snapshot.take_slice(run.pk, now=NOW, size=2).finished:
        pass
    return Run.objects.get(pk=run.pk)


def states() -> list[str]:
    return list(Page.objects.order_by("number").values_list("state", flat=True))


def send_all(page: pages.OpenPage) -> None:
    """Leave nothing of the page queued."""
    ids = [one for chunk in page.chunks for one in chunk]
    claim(page.run_id, ids, now=NOW, lease_for=AFTER)


@given(st.integers(0, 6_000))
def test_chunks_hold_every_id_once_and_in_order(count: int) -> None:
    ids = list(range(count))

    chunks = pages.chunked(ids)

    assert [one for chunk in chunks for one in chunk] == ids
    assert all(1 <= len(chunk) <= pages.LARGEST_CHUNK for chunk in chunks)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (99, 1), (100, 2), (5_000, 100)])
def test_a_small_page_is_sent_one_by_one_and_a_large_one_by_the_hundred(
    count: int, size: int
) -> None:
    assert len(pages.chunked(range(count))[0]) == size


def test_a_bounded_number_of_pages_is_open(run: Run) -> None:
    opened = pages.open_next(run.pk, now=NOW)
    again = pages.open_next(run.pk, now=NOW)

    assert [page.chunks for page in opened] == [
        [[one] for one in Delivery.objects.order_by("pk").values_list("pk", flat=True)[n : n + 2]]
        for n in (0, 2, 4)
    ]
    assert again == []
    assert states() == ["open", "open", "open", "waiting", "waiting"]


def test_a_closed_page_makes_room_for_the_next(run: Run) -> None:
    first, *_ = pages.open_next(run.pk, now=NOW)
    send_all(first)

    assert pages.close(first.id) == run.pk
    [fourth] = pages.open_next(run.pk, now=NOW)

    assert Page.objects.get(pk=fourth.id).number == 4
    assert states() == ["closed", "open", "open", "open", "waiting"]


def test_a_page_is_closed_once_and_only_when_nothing_in_it_is_queued(run: Run) -> None:
    first, *_ = pages.open_next(run.pk, now=NOW)

    early = pages.close(first.id)
    send_all(first)
    closed, repeated = pages.close(first.id), pages.close(first.id)

    assert (early, closed, repeated) == (None, run.pk, None)


def test_a_page_whose_closing_message_was_lost_is_closed_by_the_sweep(run: Run) -> None:
    first, second, _ = pages.open_next(run.pk, now=NOW)
    send_all(first)
    send_all(second)

    assert pages.close_finished(run.pk) == 2
    assert states() == ["closed", "closed", "open", "waiting", "waiting"]


@pytest.mark.parametrize("status", set(RunStatus) - {RunStatus.SENDING})
def test_no_page_is_opened_in_a_run_that_is_not_being_sent(run: Run, status: RunStatus) -> None:
    Run.objects.update(status=status)

    assert pages.open_next(run.pk, now=NOW) == []
    assert pages.reopen_lost(run.pk, now=NOW + timedelta(days=1), after=AFTER) == []


def lost(run: Run, seconds: int) -> list[pages.OpenPage]:
    return pages.reopen_lost(run.pk, now=NOW + timedelta(seconds=seconds), after=AFTER)


def test_pages_that_stand_still_are_sent_again_each_time_after_the_wait(run: Run) -> None:
    pages.open_next(run.pk, now=NOW)
    seconds = [29, 30, 59, 60]

    assert [len(lost(run, after)) for after in seconds] == [0, 3, 0, 3]


def test_a_page_that_moves_is_not_lost_and_its_neighbours_are(run: Run) -> None:
    first, second, third = pages.open_next(run.pk, now=NOW)
    claim(run.pk, first.chunks[0], now=NOW, lease_for=AFTER)

    at_thirty, at_fifty_nine, at_sixty = lost(run, 30), lost(run, 59), lost(run, 60)

    assert [page.id for page in at_thirty] == [second.id, third.id]
    assert at_fifty_nine == []
    # It moved when it was looked at, and has stood still since; what is left of it goes again.
    assert [page.id for page in at_sixty] == [first.id, second.id, third.id]
    assert at_sixty[0].chunks == [first.chunks[1]]


@pytest.mark.parametrize("state", ["queued", "sending", "retry"])
def test_a_run_is_not_complete_while_a_delivery_is_open(run: Run, state: str) -> None:
    counts = dict.fromkeys(("queued", "sending", "retry"), 0) | {state: 1}
    RunCounters.objects.update(**counts)

    assert not complete(run.pk, now=NOW)


def test_a_run_is_complete_once_when_nothing_is_open_and_its_audience_is_written_down(
    run: Run,
) -> None:
    RunCounters.objects.update(queued=0, sent=10)
    Run.objects.update(prepared_at=None)
    too_early = complete(run.pk, now=NOW)
    Run.objects.update(prepared_at=NOW)

    assert not too_early
    assert [complete(run.pk, now=NOW), complete(run.pk, now=NOW)] == [True, False]
    run.refresh_from_db()
    assert (run.status, run.finished_at) == (RunStatus.COMPLETED, NOW)
    assert run.campaign.status == "finished"


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"state": "lost"}, "page_state_known"),
        ({"last_delivery": 0}, "page_range_ordered"),
        ({"number": 1}, "page_number_unique"),
    ],
)
def test_the_table_refuses_a_page_that_says_nonsense(
    run: Run, changes: dict[str, object], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Page.objects.update(**changes)

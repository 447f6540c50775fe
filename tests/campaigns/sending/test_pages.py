import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from campaigns.models import Gate, Page, Run, RunStatus, Transport
from campaigns.sending import gates, pages, retries, snapshot, waiting
from campaigns.sending.claim import claim
from campaigns.sending.complete import complete
from campaigns.sending.outcomes import Cause, Deferred, Scope
from campaigns.services import set_limits
from tests.factories import make_campaign, make_list, make_recipients, make_run, make_sender
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

    chunks = pages.chunked(ids, tasks=pages.SMALL_RUN)

    assert [one for chunk in chunks for one in chunk] == ids
    assert all(1 <= len(chunk) <= pages.LARGEST_CHUNK for chunk in chunks)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (99, 1), (100, 2), (5_000, 100)])
def test_a_small_page_is_sent_one_by_one_and_a_large_one_by_the_hundred(
    count: int, size: int
) -> None:
    assert len(pages.chunked(range(count), tasks=pages.SMALL_RUN)[0]) == size


@pytest.mark.django_db
def test_the_first_page_of_a_larger_run_goes_in_fewer_tasks() -> None:
    readers = make_list()
    make_recipients(100, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]), now=NOW, snapshot_taken=False)
    snapshot.take_slice(run.pk, now=NOW, size=60)

    [first] = pages.open_next(run.pk, now=NOW)

    assert list(map(len, first.chunks)) == [3] * pages.BEGINNING


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


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.SENDING}))
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


def test_a_run_that_is_complete_leaves_no_page_open_though_its_closing_message_was_lost(
    run: Run,
) -> None:
    pages.open_next(run.pk, now=NOW)
    RunCounters.objects.update(queued=0, sent=10)

    complete(run.pk, now=NOW)

    assert set(states()) == {"closed"}


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


# --- limits and shut gates --------------------------------------------------------------------


def limited(run: Run, **limits: int) -> Transport:
    transport = Transport.objects.create(name="Main", encrypted_url="x", **limits)
    run.campaign.sender.routes.create(transport=transport)
    return transport


def admit(run: Run, wanted: int, *, seconds: float = 0) -> gates.Admission:
    now = NOW + timedelta(seconds=seconds)
    return gates.admit(run.pk, wanted, lease=uuid.uuid4(), now=now, lease_for=AFTER)


def shut(run: Run) -> None:
    """Have the server of the run refuse connections: it is tried again 30 seconds later."""
    stopped = Deferred(scope=Scope.TRANSPORT, cause=Cause.CONNECTION)
    gates.report(admit(run, 1), [], stopped=stopped, now=NOW + timedelta(milliseconds=1))


def resume_times() -> list[float | None]:
    times = Page.objects.order_by("number").values_list("resume_at", flat=True)
    return [(at - NOW).total_seconds() if at else None for at in times]


def test_no_more_is_sent_to_workers_than_a_limit_lets_pass(run: Run) -> None:
    limited(run, per_second=3)

    opened = pages.open_next(run.pk, now=NOW)
    again = pages.open_next(run.pk, now=NOW)

    assert [len(page.chunks) for page in opened] == [2, 1]
    assert again == []
    assert states() == ["open", "open", "waiting", "waiting", "waiting"]


def test_connections_that_are_shared_bound_the_tasks(run: Run) -> None:
    limited(run, connections=1)

    opened = pages.open_next(run.pk, now=NOW)

    assert [len(page.chunks) for page in opened] == [1, 1, 1]
    assert [len(page.chunks[0]) for page in opened] == [2, 2, 2]


def test_nothing_is_opened_at_a_shut_gate_and_the_run_is_looked_at_when_it_opens(run: Run) -> None:
    shut(run)

    opened = pages.open_next(run.pk, now=NOW + timedelta(seconds=1))

    assert opened == []
    assert resume_times() == [30.001, None, None, None, None]
    due = [pages.due_runs(now=NOW + timedelta(seconds=after)) for after in (30, 30.001)]
    assert due == [[], [run.pk]]
    [probe] = pages.open_next(run.pk, now=NOW + timedelta(seconds=30.001))
    assert [len(chunk) for chunk in probe.chunks] == [1]


def test_what_of_a_page_was_not_admitted_waits_and_the_page_with_it(run: Run) -> None:
    first, *_ = pages.open_next(run.pk, now=NOW)
    claim(run.pk, first.chunks[0], now=NOW, lease_for=AFTER)
    shut(run)

    waits = pages.suspend(first.id, now=NOW + timedelta(seconds=1))
    repeated = pages.suspend(first.id, now=NOW + timedelta(seconds=1))

    assert (waits, repeated) == (run.pk, None)
    assert states() == ["waiting", "open", "open", "waiting", "waiting"]
    assert resume_times()[0] == 30.001


def test_a_page_of_which_a_chunk_broke_off_is_sent_again_a_second_later(run: Run) -> None:
    Page.objects.filter(number__gt=3).delete()
    first, *_ = pages.open_next(run.pk, now=NOW)

    pages.suspend(first.id, now=NOW)
    too_early = pages.open_next(run.pk, now=NOW + timedelta(seconds=0.9))
    again = pages.open_next(run.pk, now=NOW + timedelta(seconds=1))

    assert too_early == []
    assert again == [first]


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.SENDING}))
def test_a_page_of_a_run_that_is_not_being_sent_is_not_looked_at(
    run: Run, status: RunStatus
) -> None:
    first, *_ = pages.open_next(run.pk, now=NOW)
    Run.objects.update(status=status)

    assert pages.suspend(first.id, now=NOW) is None
    Page.objects.update(state="waiting", resume_at=NOW)
    assert pages.due_runs(now=NOW) == []


def test_a_page_that_stands_still_at_a_shut_gate_waits_instead_of_being_sent_again(
    run: Run,
) -> None:
    pages.open_next(run.pk, now=NOW)
    Gate.objects.create(
        shut_until=NOW + timedelta(hours=1), shut_at=NOW, allowance=1, cause="connection"
    )

    assert lost(run, 60) == []
    assert states() == ["waiting"] * 5
    assert resume_times()[:3] == [3_600, 3_600, 3_600]


def test_a_limit_that_is_lifted_lets_the_run_go_on_at_the_next_look(run: Run) -> None:
    transport = limited(run, per_day=1)
    admit(run, 1)
    pages.open_next(run.pk, now=NOW)

    set_limits(transport, now=NOW)

    assert pages.due_runs(now=NOW) == [run.pk]
    assert len(pages.open_next(run.pk, now=NOW)) == 3


def retries_of(run: Run, *, seconds: float) -> int:
    now = NOW + timedelta(seconds=seconds)
    return sum(
        len(batch.ids) for batch in retries.due(Run.objects.ids(), now=now, lost_after=AFTER)
    )


def test_no_more_retries_are_sent_to_workers_than_a_limit_lets_pass(run: Run) -> None:
    limited(run, per_second=3)
    Delivery.objects.update(state="retry", next_attempt_at=NOW)

    assert [retries_of(run, seconds=after) for after in (0, 1, 2, 3)] == [3, 3, 3, 1]


def test_the_limit_holds_where_the_planner_believes_the_ledger_empty(run: Run) -> None:
    limited(run, per_second=3)
    Delivery.objects.update(state="retry", next_attempt_at=NOW)
    with connection.cursor() as cursor:  # as a vacuum finds it before the first run
        cursor.execute(
            "UPDATE pg_class SET reltuples = 0, relpages = 1 WHERE relname = 'tracking_delivery'"
        )

    assert retries_of(run, seconds=0) == 3


def test_no_retries_are_sent_at_a_shut_gate_and_those_of_other_runs_are(run: Run) -> None:
    readers = make_list("Others")
    make_recipients(4, mailing_list=readers, prefix="o")
    sender = make_sender("Other <other@example.org>")
    other = make_run(make_campaign("Other", lists=[readers], sender=sender), now=NOW)
    limited(other)
    shut(run)
    Delivery.objects.update(state="retry", next_attempt_at=NOW)

    assert [retries_of(run, seconds=after) for after in (1, 30.5)] == [4, 1]


# --- the sentence -----------------------------------------------------------------------------


def why(run: Run, *, seconds: float) -> str:
    return waiting.why(run, now=NOW + timedelta(seconds=seconds))


def test_a_run_that_waits_for_its_transport_says_why_and_until_when(run: Run) -> None:
    before = why(run, seconds=0)

    shut(run)

    assert before == ""
    assert why(run, seconds=1) == (
        "Waiting: the server of EMAIL_URL cannot be reached; next try 09:00:30 UTC."
    )


def test_a_run_that_waits_for_a_limit_says_which(run: Run) -> None:
    transport = limited(run, per_second=5)
    [first, *_] = pages.open_next(run.pk, now=NOW)
    in_room = why(run, seconds=0)
    admit(run, 5)
    pages.suspend(first.id, now=NOW)

    assert in_room == ""
    assert why(run, seconds=0) == "Waiting: transport Main may send 5 messages a second."
    # Also at the moment at which there is room again: the limit is what it waits for.
    assert why(run, seconds=1) == why(run, seconds=0)
    set_limits(transport, per_day=5, now=NOW)
    admit(run, 5)
    assert why(run, seconds=0) == (
        "Waiting: transport Main may send 5 messages a day; next try 2026-03-02 00:00:00 UTC."
    )


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.SENDING}))
def test_only_a_run_that_is_being_sent_waits_for_a_transport(run: Run, status: RunStatus) -> None:
    shut(run)
    run.status = status

    assert why(run, seconds=1) == ""

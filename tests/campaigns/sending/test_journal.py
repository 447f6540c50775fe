import json
import multiprocessing
import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.models import Run
from campaigns.sending import journal, reconcile
from campaigns.sending.claim import claim
from campaigns.sending.journal import Journal, Notes
from campaigns.sending.outcomes import Accepted, Deferred, InDoubt, Outcome, Rejected, Scope
from campaigns.sending.record import Result, RetryPolicy
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tracking.models import Delivery
from tracking.verify import disagreements

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LEASE = timedelta(minutes=5)
POLICY = RetryPolicy(schedule=[timedelta(minutes=10)], transport_wait=timedelta(seconds=30))

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
REPLY = {
    "reply_code": st.none() | st.integers(200, 599),
    "enhanced_status_code": st.sampled_from(["", "5.1.1"]),
    "diagnostic": TEXT,
}
OUTCOMES = st.one_of(
    st.none(),
    st.builds(Accepted, **REPLY),
    st.builds(Rejected, **REPLY),
    st.builds(InDoubt, **REPLY),
    st.builds(Deferred, scope=st.sampled_from(Scope), **REPLY),
)


def write_and_die(directory: Path, lease: uuid.UUID, run_id: int, results: list[Result]) -> None:
    """Work on a claim in a process of its own that ends without a word."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_work, args=(directory, lease, run_id, results))
    process.start()
    process.join()


def _work(directory: Path, lease: uuid.UUID, run_id: int, results: list[Result]) -> None:
    notes = Journal(directory, run_id=run_id, lease=lease)
    for result in results:
        notes.begin(result.delivery_id)
        if result.outcome:
            notes.answer(result)
    os._exit(9)


@given(st.lists(st.builds(Result, st.integers(1), st.integers(1, 9), TEXT, OUTCOMES)))
def test_what_was_noted_is_read_back_as_it_was(results: list[Result]) -> None:
    notes = Notes({1, 2}, {result.delivery_id: result for result in results})
    lines = [b"%d\n" % one for one in notes.begun]
    lines += [
        json.dumps(journal._as_dict(result)).encode() + b"\n" for result in notes.answered.values()
    ]

    assert journal._read(b"".join(lines)) == notes


def test_a_line_that_was_cut_off_does_not_count() -> None:
    assert journal._read(b'1\n2\n{"delivery_id": 1, "atte') == Notes({1, 2})
    assert journal._read(b"1\n23") == Notes({1})


def test_a_part_that_cannot_be_read_leaves_all_in_doubt_that_was_not_answered() -> None:
    answer = Result(1, 1, "<1@x>", Accepted(reply_code=250))
    line = json.dumps(journal._as_dict(answer)).encode()

    notes = journal._read(line + b"\n\0\0\0\n3\n")
    results = notes.conclude([(1, 1), (2, 1), (3, 1)], untouched=None)

    assert results[0] == answer
    assert [type(result.outcome) for result in results[1:]] == [InDoubt, InDoubt]


def test_a_journal_is_gone_when_its_claim_is_recorded_and_stays_when_it_is_not(
    tmp_path: Path,
) -> None:
    with Journal(tmp_path, run_id=1, lease=uuid.uuid4()):
        assert len(journal.journals(tmp_path)) == 1
    assert journal.journals(tmp_path) == []

    with pytest.raises(RuntimeError), Journal(tmp_path, run_id=1, lease=uuid.uuid4()):
        raise RuntimeError
    assert len(journal.journals(tmp_path)) == 1


def test_the_journal_of_a_living_worker_is_nobody_elses(tmp_path: Path) -> None:
    with Journal(tmp_path, run_id=1, lease=uuid.uuid4()):
        [path] = journal.journals(tmp_path)
        with journal.abandoned(path) as left:
            assert left is None
        assert path.exists()


@pytest.fixture
def run(db: None) -> Run:
    readers = make_list()
    make_recipients(4, mailing_list=readers)
    return make_run(make_campaign(lists=[readers]), now=NOW)


def claim_and_die(run: Run, directory: Path, *outcomes: Outcome | None) -> None:
    """Claim the whole run, get as far as these outcomes (None: begun, not answered), and die."""
    lease = uuid.uuid4()
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    claim(run.pk, ids, now=NOW, lease_for=LEASE, lease=lease)
    results = [
        Result(one, 1, f"<{one}@x>", outcome)
        for one, outcome in zip(ids[: len(outcomes)], outcomes, strict=True)
    ]
    write_and_die(directory, lease, run.pk, results)


def states() -> list[str]:
    return list(Delivery.objects.order_by("pk").values_list("state", flat=True))


@pytest.mark.parametrize("expired", [False, True])
def test_a_dead_workers_journal_tells_what_was_sent_what_is_in_doubt_and_what_was_not_begun(
    run: Run, tmp_path: Path, expired: bool
) -> None:
    claim_and_die(run, tmp_path, Accepted(reply_code=250), Rejected(reply_code=550), None)
    if expired:
        reconcile.expire(run.pk, directory=tmp_path / "elsewhere", now=NOW + LEASE * 2)

    assert reconcile.settle(tmp_path, policy=POLICY, now=NOW) == 1

    assert states() == ["sent", "failed", "unconfirmed", "retry"]
    sent, _, _, untouched = Delivery.objects.order_by("pk")
    assert (sent.reply_code, sent.message_id) == (250, f"<{sent.pk}@x>")
    assert (untouched.attempts, untouched.next_attempt_at) == (0, NOW)
    assert journal.journals(tmp_path) == []
    assert disagreements([run.pk], kept_since=None) == []


def test_a_living_workers_claim_is_not_in_doubt_though_its_lease_is_over(
    run: Run, tmp_path: Path
) -> None:
    lease = uuid.uuid4()
    with Journal(tmp_path, run_id=run.pk, lease=lease):
        [first, *_] = Delivery.objects.order_by("pk")
        claim(run.pk, [first.pk], now=NOW, lease_for=LEASE, lease=lease)

        alive = reconcile.expire(run.pk, directory=tmp_path, now=NOW + LEASE * 2)

    assert alive == 0
    assert reconcile.expire(run.pk, directory=tmp_path, now=NOW + LEASE * 2) == 1


def test_a_journal_that_cannot_be_opened_does_not_keep_the_others_from_being_settled(
    run: Run, tmp_path: Path
) -> None:
    claim_and_die(run, tmp_path, Accepted(reply_code=250))
    unreadable = tmp_path / f"0-{'0' * 32}.journal"
    unreadable.mkdir()

    assert reconcile.settle(tmp_path, policy=POLICY, now=NOW) == 1
    assert states()[0] == "sent"
    assert journal.journals(tmp_path) == []


def test_a_worker_that_died_after_it_recorded_leaves_nothing_to_tell(
    run: Run, tmp_path: Path
) -> None:
    claim_and_die(run, tmp_path, Accepted(reply_code=250))
    reconcile.settle(tmp_path, policy=POLICY, now=NOW)
    before = states()
    write_and_die(tmp_path, uuid.uuid4(), run.pk, [])

    assert reconcile.settle(tmp_path, policy=POLICY, now=NOW) == 0
    assert states() == before
    assert journal.journals(tmp_path) == []

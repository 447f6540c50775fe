import multiprocessing
import os
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campaigns.models import Run, Slot, Transport
from campaigns.sending import journal, reconcile
from campaigns.sending.claim import claim
from campaigns.sending.journal import Journal, Notes
from campaigns.sending.outcomes import (
    Accepted,
    Cause,
    Deferred,
    InDoubt,
    Outcome,
    Rejected,
    Scope,
    SpeaksOf,
    tidy,
)
from campaigns.sending.record import Result
from campaigns.sending.retry_policy import RetryPolicy
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tracking.models import Delivery, Lease
from tracking.verify import disagreements

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LEASE = timedelta(minutes=5)
POLICY = RetryPolicy(schedule=[timedelta(minutes=10)], transport_wait=timedelta(seconds=30))

BEGUN = {1: "<1@x>", 2: "<2@x>"}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50).map(tidy)
MESSAGE_IDS = st.integers().map("<{}@x>".format)
REPLY = {
    "reply_code": st.none() | st.integers(200, 599),
    "enhanced_status_code": st.sampled_from(["", "5.1.1"]),
    "diagnostic": TEXT,
}
OUTCOMES = st.one_of(
    st.none(),
    st.builds(Accepted, **REPLY),
    st.builds(Rejected, speaks_of=st.sampled_from(SpeaksOf), **REPLY),
    st.builds(InDoubt, **REPLY),
    st.builds(Deferred, scope=st.sampled_from(Scope), cause=st.sampled_from(Cause), **REPLY),
)


def write_and_die(directory: Path, lease: uuid.UUID, run_id: int, results: list[Result]) -> None:
    """Work on a claim in a process of its own that ends without a word."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_work, args=(directory, lease, run_id, results))
    process.start()
    process.join()


def _work(directory: Path, lease: uuid.UUID, run_id: int, results: list[Result]) -> None:
    notes = Journal(directory, run_id=run_id, lease=lease)
    notes.claimed()
    for result in results:
        notes.compose(result.delivery_id)
        notes.composed()
        notes.begin(result.delivery_id, result.message_id)
        if result.outcome:
            notes.answer(result)
    os._exit(9)


@given(st.lists(st.builds(Result, st.integers(1), st.integers(1, 9), MESSAGE_IDS, OUTCOMES)))
def test_what_was_noted_is_read_back_as_it_was(results: list[Result]) -> None:
    with TemporaryDirectory() as directory:
        notes = Journal(Path(directory), run_id=1, lease=uuid.uuid4())
        for one in (1, 2):
            notes.compose(one)
            notes.composed()
            notes.begin(one, f"<{one}@x>")
        for result in results:
            notes.answer(result)
        notes.compose(3)
        [path] = journal.journals(Path(directory))
        found = journal._read(path.read_bytes())

    assert found.answered == notes.notes.answered
    assert found.begun == {1: "<1@x>", 2: "<2@x>"}
    assert (found.composing, found.is_torn) == (3, False)


def test_a_text_of_several_lines_is_one_note() -> None:
    outcome = Deferred(scope=Scope.DOMAIN, cause=Cause.OTHER, diagnostic="a\nb2 <2@x>\x1f")

    notes = journal._read(journal._as_line(Result(1, 1, "<1@x>", outcome)))

    assert notes.answered[1].outcome == replace(outcome, diagnostic="a b2 <2@x>")
    assert not notes.begun


def test_a_line_that_was_cut_off_does_not_count() -> None:
    assert journal._read(b"b1 <1@x>\nb2 <2@x>\na1\x1f1\x1f<1@") == Notes(begun=BEGUN)
    assert journal._read(b"b1 <1@x>\nb2 <2@x>\nb3 <\0\0\0") == Notes(begun=BEGUN)


def test_a_part_that_cannot_be_read_leaves_all_in_doubt_that_was_not_answered() -> None:
    answer = Result(1, 1, "<1@x>", Accepted(reply_code=250))
    line = journal._as_line(answer)

    notes = journal._read(line + b"\0\0\0\nb3 <3@x>\n")
    results = notes.conclude([(1, 1), (2, 1), (3, 1)], untouched=None)

    assert results[0] == answer
    assert [type(result.outcome) for result in results[1:]] == [InDoubt, InDoubt]


@pytest.mark.parametrize(("attempts", "kind"), [(2, Deferred), (3, Rejected)])
def test_what_its_worker_was_composing_when_it_died_is_tried_again_three_times_at_most(
    attempts: int, kind: type[Outcome]
) -> None:
    notes = journal._read(b"c1\n+\nc2\n")

    untouched, composing = notes.conclude([(1, attempts), (2, attempts)], untouched=None)

    assert untouched.outcome is None
    assert isinstance(composing.outcome, kind)


def test_a_journal_grows_with_what_is_written(tmp_path: Path) -> None:
    answer = Result(1, 1, "<1@x>", Accepted(reply_code=250, diagnostic="x" * 500))
    with Journal(tmp_path, run_id=1, lease=uuid.uuid4()) as notes:
        for number in range(1, 301):
            notes.answer(answer._replace(delivery_id=number))
        [path] = journal.journals(tmp_path)
        found = journal._read(path.read_bytes())

    assert list(found.answered) == list(range(1, 301))
    assert not found.is_torn


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
        with journal.abandoned(path, now=NOW) as left:
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


def test_a_dead_workers_connections_are_free_for_others(run: Run, tmp_path: Path) -> None:
    claim_and_die(run, tmp_path)
    transport = Transport.objects.create(name="Main", encrypted_url="x", connections=1)
    one = {"transport": transport, "connections": 1, "until": NOW + LEASE}
    Slot.objects.create(lease=Lease.objects.get().pk, **one)
    anothers = Slot.objects.create(lease=uuid.uuid4(), **one)

    reconcile.settle(tmp_path, policy=POLICY, now=NOW)

    assert Slot.objects.get() == anothers


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


def test_the_journal_of_a_worker_that_died_while_it_claimed_waits_for_the_commit(
    run: Run, tmp_path: Path
) -> None:
    lease = uuid.uuid4()
    dying = Journal(tmp_path, run_id=run.pk, lease=lease)
    dying._map.close()  # it holds the lock as well
    os.close(dying._file)
    now = timezone.now()

    before = reconcile.settle(tmp_path, policy=POLICY, now=now)
    claim(run.pk, [Delivery.objects.all()[0].pk], now=NOW, lease_for=LEASE, lease=lease)
    after = reconcile.settle(tmp_path, policy=POLICY, now=now + timedelta(minutes=1))

    assert (before, after) == (0, 1)
    assert sorted(states()) == ["queued", "queued", "queued", "retry"]
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

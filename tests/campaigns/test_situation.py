"""How a run stands: a word and a sentence, from counters and times alone."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns import situation
from campaigns.models import Run, RunStatus
from campaigns.progress import Progress, progress
from tracking.models import DeliveryState, RunCounters

NOW = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)


def run(
    status: RunStatus = RunStatus.SENDING,
    *,
    started: int = 3_600,
    silent: int | None = 1,
    minute_sent: int = 0,
    minute_before: int = 0,
    **counts: int,
) -> Progress:
    """Return a run that began, and was last heard of, so many seconds ago."""
    found = Run(status=status, started_at=NOW - timedelta(seconds=started), audience=9)
    found.counters = RunCounters(
        run=found,
        sent_at=None if silent is None else NOW - timedelta(seconds=silent),
        minute_sent=minute_sent,
        minute_before=minute_before,
        **dict.fromkeys(DeliveryState.values, 0) | counts,
    )
    return progress(found, now=NOW)


def stands(
    found: Progress, *, waits: str = "", allowed: float | None = None
) -> situation.Situation:
    return situation.of_run(found, waits=waits, allowed=allowed, now=NOW)


@pytest.mark.parametrize(
    ("status", "counts", "word", "text", "every"),
    [
        ("preparing", {}, "Departing", "being written down: 9 so far", 3),
        ("sending", {"sent": 600, "queued": 400}, "Sending", "600 of 1,000 have an outcome.", 3),
        ("sending", {"sent": 9, "retry": 2}, "Waiting", "All but 2 have an outcome.", 10),
        ("paused", {"sent": 9, "queued": 3}, "Paused", "3 messages wait; none leaves", 10),
        ("paused", {"sending": 2, "queued": 3}, "Paused", "Up to 2 that workers hold", 10),
        ("held", {"queued": 1}, "Held", "1 message waits; it does not leave", 10),
        ("completed", {"sent": 9, "failed": 1}, "Finished", "Everybody has an outcome.", 0),
        ("completed", {"unconfirmed": 2}, "Finished, 2 in doubt", "nobody knows whether they", 0),
        ("cancelled", {"sent": 5, "cancelled": 4}, "Stopped", "5 were sent, 4 will not be.", 0),
        ("cancelled", {"sent": 5, "queued": 4}, "Stopped", "5 were sent, 4 will not be.", 10),
    ],
)
def test_each_state_is_a_word_and_a_sentence(
    status: RunStatus, counts: dict[str, int], word: str, text: str, every: int
) -> None:
    found = stands(run(status, **counts))

    assert (found.word, found.every) == (word, every)
    assert text in found.text


@pytest.mark.parametrize(
    ("silent", "counts", "allowed", "is_stalled"),
    [
        (60, {"sent": 3_600, "queued": 1}, None, False),
        (61, {"sent": 3_600, "queued": 1}, None, True),
        # Of messages that are a minute apart, three minutes are nothing.
        (180, {"sent": 58, "queued": 1}, None, False),
        (181, {"sent": 58, "queued": 1}, None, True),
        # As many as its limit allows.
        (300, {"sent": 3_600, "queued": 1}, 0.01, False),
        (301, {"sent": 3_600, "queued": 1}, 0.01, True),
        # What was refused for now has its time.
        (500, {"sent": 3_600, "retry": 1}, None, False),
        (None, {"queued": 1}, None, True),
    ],
)
def test_stalled_is_who_is_silent_for_three_gaps_and_a_minute(
    silent: int | None, counts: dict[str, int], allowed: float | None, is_stalled: bool
) -> None:
    found = run(RunStatus.SENDING, silent=silent, **counts)

    assert (situation.stalled_since(found, allowed=allowed, now=NOW) is not None) is is_stalled


def test_a_stalled_run_says_for_how_long_and_why() -> None:
    found = stands(run(silent=240, sent=3_600, queued=1), waits="Waiting: ses limits us.")

    assert found.word == "Stalled"
    assert found.text == "Nothing has left for 4 minutes. Waiting: ses limits us."


def test_a_limit_that_lets_some_through_each_second_is_no_standstill() -> None:
    found = stands(run(silent=1, sent=10, queued=90), waits="Waiting: ses may send 5 a second.")

    assert found.word == "Sending"
    assert found.text.endswith("Waiting: ses may send 5 a second.")


@pytest.mark.parametrize(
    ("sent", "say"),
    [(24, "Sending."), (25, "25 percent"), (49, "25 percent"), (50, "50 percent"), (99, "75 perc")],
)
def test_what_is_said_aloud_changes_at_each_quarter(sent: int, say: str) -> None:
    assert stands(run(sent=sent, queued=100 - sent)).say.startswith(say)


@pytest.mark.parametrize(
    ("started", "silent", "minute_sent", "minute_before", "rate"),
    [
        (3_600, 1, 300, 600, 10.0),  # half of the minute before is within the last sixty seconds
        (10, 1, 100, 0, 10.0),
        (3_600, 40, 600, 0, 5.0),  # sent in the minute before this one
        (3_600, 130, 600, 600, 0.0),
        (3_600, None, 0, 0, 0.0),
    ],
)
def test_the_rate_of_now_is_that_of_the_last_minute(
    started: int, silent: int | None, minute_sent: int, minute_before: int, rate: float
) -> None:
    found = run(
        started=started, silent=silent, minute_sent=minute_sent, minute_before=minute_before
    )

    assert found.rate_now == pytest.approx(rate)


def test_the_end_is_a_time_of_the_clock() -> None:
    found = run(minute_sent=300, minute_before=600, sent=1_000, queued=6_000)

    assert situation.ends_at(found, now=NOW) == NOW + timedelta(minutes=10)
    assert "It ends about 12:10 UTC." in stands(found).text
    assert situation.ends_at(run(RunStatus.PAUSED, minute_sent=9, queued=1), now=NOW) is None

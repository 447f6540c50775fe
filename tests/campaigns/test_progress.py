from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.models import Run, RunStatus
from campaigns.progress import Progress, progress
from tracking.models import DeliveryState, RunCounters

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def run(*, seconds: int, status: RunStatus = RunStatus.SENDING, **counts: int) -> Progress:
    """Return the progress of a run that has been going for some seconds."""
    started = Run(status=status, started_at=NOW - timedelta(seconds=seconds))
    started.counters = RunCounters(run=started, **dict.fromkeys(DeliveryState.values, 0) | counts)
    return progress(started, now=NOW)


@pytest.mark.parametrize(
    ("sent", "queued", "percent"), [(0, 0, 0), (0, 5, 0), (999, 1, 99), (1000, 0, 100)]
)
def test_the_percentage_is_100_only_when_everybody_has_an_outcome(
    sent: int, queued: int, percent: int
) -> None:
    assert run(seconds=1, sent=sent, queued=queued).percent == percent


def test_all_but_the_open_states_count_as_done() -> None:
    counts: dict[str, Any] = dict.fromkeys(DeliveryState.values, 1)

    assert (run(seconds=1, **counts).open, run(seconds=1, **counts).done) == (3, 5)


@pytest.mark.parametrize(
    ("sent", "seconds", "pace"),
    [
        (0, 10, ""),
        (10, 0, ""),
        (10, 10, "1 a second"),
        (9, 10, "54 a minute"),
        (1, 60, "1 a minute"),
        (1, 61, "under 1 a minute"),
    ],
)
def test_the_rate_is_said_so_that_it_is_never_a_zero(sent: int, seconds: int, pace: str) -> None:
    assert run(seconds=seconds, sent=sent).pace == pace


@pytest.mark.parametrize(
    ("queued", "left"), [(0, ""), (1, "1 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h 0 min")]
)
def test_the_time_left_follows_from_the_rate(queued: int, left: str) -> None:
    assert run(seconds=10, sent=10, queued=queued).time_left == left


def test_a_paused_run_promises_no_time() -> None:
    assert run(seconds=10, sent=10, queued=10, status=RunStatus.PAUSED).time_left == ""


def test_a_run_without_counters_has_nobody_yet() -> None:
    assert progress(Run(status=RunStatus.PREPARING), now=NOW).total == 0

"""Stop a run early in which every message fails for the same reason, and that reason is ours."""

import re

from campaigns import reasons
from campaigns.models import Run, RunStatus
from campaigns.sending.outcomes import Accepted, InDoubt, Outcome, Rejected, SpeaksOf
from tracking.models import Delivery

ENOUGH = 10  # failures of one kind, and not one message sent

# What differs from message to message: addresses, queue ids, times.
_VARIABLE = re.compile(r"\S*[\d@]\S*")
_LISTED = 1_000


class Failures:
    """Watches the outcomes of a chunk, so that it need not fail to its end.

    `reason` is the last diagnostic that finds fault with us or with the content, None without one.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._same = 0
        self._doubts = 0  # since one was accepted
        self._hopeful = False

    def note(self, outcome: Outcome) -> bool:
        """Take note of an outcome; return whether it makes no sense to go on."""
        if isinstance(outcome, Accepted | InDoubt):
            self._hopeful = True
            self._doubts = self._doubts + 1 if isinstance(outcome, InDoubt) else 0
        elif isinstance(outcome, Rejected) and outcome.speaks_of != SpeaksOf.RECIPIENT:
            self._count(outcome.diagnostic)
        return self._doubts >= ENOUGH or (self._same >= ENOUGH and not self._hopeful)

    def _count(self, diagnostic: str) -> None:
        is_same = self.reason is not None and kind(self.reason) == kind(diagnostic)
        self._same = self._same + 1 if is_same else 1
        self.reason = diagnostic


def kind(diagnostic: str) -> str:
    """Return the diagnostic without what differs from message to message."""
    return " ".join(_VARIABLE.sub("", diagnostic).split())


def hold_if_hopeless(run_id: int, reason: str) -> bool:
    """Hold the run if it has sent nothing and ten deliveries failed for this reason; say whether.

    What has not been attempted stays queued until a person says go, or cancels. Only failures since
    the last time that a person said go count.
    """
    run = Run.objects.having(RunStatus.SENDING).without_success().filter(pk=run_id).first()
    if run is None:
        return False
    failed = Delivery.objects.of_run(run_id).failed(since=run.released_at)
    diagnostics = failed.values_list("diagnostic", flat=True)[:_LISTED]
    count = sum(kind(diagnostic) == kind(reason) for diagnostic in diagnostics)
    if count < ENOUGH:
        return False
    alike = reasons.HOPELESS % {"count": count, "reason": reason}
    return bool(Run.objects.having(RunStatus.SENDING).filter(pk=run_id).hold(alike))

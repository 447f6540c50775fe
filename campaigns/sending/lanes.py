"""Which queues the tasks of a run travel by."""

from collections import defaultdict
from dataclasses import dataclass

from campaigns import queues
from campaigns.models import Campaign, Priority, Run, RunStatus


@dataclass(frozen=True, slots=True)
class Lane:
    deliveries: str
    """The queue of its chunks."""
    housekeeping: str
    """The queue of what leads to them: the snapshot, the closing of pages."""

    @property
    def is_served(self) -> bool:
        """Without such a queue its pages wait: QUEUES no longer names it."""
        return queues.is_served(self.deliveries)


def lane_of(run_id: int) -> Lane:
    """Return the lane of a run, as its campaign and sender are now."""
    of_run = Campaign.objects.filter(runs=run_id).values_list("priority", "sender__queue")
    return _lane(*of_run.get())


def sending_by_queue() -> dict[str, list[int]]:
    """Return the campaigns' runs being sent, by the queue of their deliveries; no queue that is not
    there.
    """
    runs = Run.objects.of_campaigns().having(RunStatus.SENDING).order_by("id")
    found: dict[str, list[int]] = defaultdict(list)
    for run_id, *of_run in runs.values_list("id", "campaign__priority", "campaign__sender__queue"):
        lane = _lane(*of_run)
        if lane.is_served:
            found[lane.deliveries].append(run_id)
    return found


def _lane(priority: str, own_queue: str) -> Lane:
    if priority == Priority.TRANSACTIONAL:
        return Lane(queues.TRANSACTIONAL, queues.TRANSACTIONAL)
    return Lane(own_queue or queues.CAMPAIGNS, queues.MAINTENANCE)

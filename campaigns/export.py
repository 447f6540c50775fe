"""The ledger of a campaign as rows of a file."""

from collections.abc import Iterator
from typing import Any

from recipients.formulas import guarded
from tracking.models import DeliveryQuerySet

COLUMNS = (
    "run", "address", "state", "skip_reason", "attempts", "next_attempt_at", "reply_code",
    "enhanced_status_code", "diagnostic", "message_id", "attempted_at", "finished_at",
)  # fmt: skip


def rows_of(campaign_id: int, *, among: DeliveryQuerySet) -> Iterator[list[str]]:
    """Yield what became of each recipient of each run; some thousand are in memory at a time.

    :param among: what may be shown.
    """
    rows = among.filter(run__campaign=campaign_id).order_by("run", "pk")
    for row in rows.values_list(*COLUMNS).iterator(chunk_size=2_000):
        yield [_cell(value) for value in row]


def _cell(value: Any) -> str:
    return "" if value is None else guarded(str(value))

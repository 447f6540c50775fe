"""Make anew when recipients were last mailed, last opened and last clicked, and compare.

As far as that can be told: of a run whose hits were deleted only the first time is known, of a
message that failed not whether its arrival was in doubt before, of somebody who is one person with
another row not what both did. There a later time may be right, and an earlier one is not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from recipients import locks
from tracking.models import Fold
from tracking.tallying.lock import hold_sums

LISTED = 100  # recipients named
COLUMNS = ("mailed_at", "mailed_run", "opened_at", "opened_run", "clicked_at", "clicked_run")


@dataclass(frozen=True, slots=True)
class Difference:
    recipient_id: int
    what: str

    def __str__(self) -> str:
        return f"recipient {self.recipient_id}: activity: {self.what}"


# `folded` are the runs whose deliveries have come to their end here; what is known of the others
# already may be newer.
_EXPECTED = """
WITH folded AS (
    SELECT fold.run_id FROM tracking_fold fold
      JOIN tracking_runcounters counters ON counters.run_id = fold.run_id
     WHERE fold.folded_at IS NOT NULL AND fold.cursor = 0 AND fold.moved_at >= counters.moved_at
), mailed AS (
    SELECT recipient_id,
           max(COALESCE(finished_at, doubted_at, attempted_at)) FILTER (WHERE is_known)
               AS mailed_at,
           max(run_id) FILTER (WHERE is_known) AS mailed_run,
           bool_or(doubted_at IS NOT NULL OR resent_at IS NOT NULL OR state = 'failed'
                   OR NOT is_folded) AS is_vague
      FROM (SELECT delivery.*, folded.run_id IS NOT NULL AS is_folded,
                   folded.run_id IS NOT NULL AND state IN ('sent', 'unconfirmed') AS is_known
              FROM tracking_delivery delivery LEFT JOIN folded ON folded.run_id = delivery.run_id
             WHERE delivery.recipient_id IS NOT NULL) AS delivery
     GROUP BY recipient_id
), deeds AS (
    SELECT engagement.recipient_id, engagement.run_id,
           GREATEST(opened_at, clicked_at) AS opened_at, clicked_at,
           tally.purged_at IS NOT NULL AS is_vague
      FROM tracking_engagement engagement
      LEFT JOIN tracking_runtally tally ON tally.run_id = engagement.run_id
     UNION ALL
    SELECT delivery.recipient_id, delivery.run_id, hit.at,
           CASE WHEN hit.kind = 'click' THEN hit.at END, false
      FROM tracking_hit hit JOIN tracking_delivery delivery ON delivery.id = hit.delivery_id
     WHERE hit.verdict = 'person' AND delivery.recipient_id IS NOT NULL
), did AS (
    SELECT recipient_id, max(opened_at) AS opened_at, max(run_id) AS opened_run,
           max(clicked_at) AS clicked_at,
           max(run_id) FILTER (WHERE clicked_at IS NOT NULL) AS clicked_run,
           bool_or(is_vague) AS is_vague
      FROM deeds GROUP BY recipient_id
)
SELECT recipient.id, {expected}, {actual}
  FROM recipients_recipient recipient
  LEFT JOIN mailed ON mailed.recipient_id = recipient.id
  LEFT JOIN did ON did.recipient_id = recipient.id
  LEFT JOIN tracking_activity activity ON activity.recipient_id = recipient.id
  LEFT JOIN (SELECT DISTINCT recipient_id FROM recipients_merge) AS merged
       ON merged.recipient_id = recipient.id
 WHERE ({expected}) IS DISTINCT FROM ({actual})
"""
_SOURCES = ("mailed", "mailed", "did", "did", "did", "did")
_OTHER = _EXPECTED.format(
    expected=", ".join(
        f"CASE WHEN {source}.is_vague OR merged.recipient_id IS NOT NULL"
        f" THEN GREATEST({source}.{column}, activity.{column}) ELSE {source}.{column} END"
        for source, column in zip(_SOURCES, COLUMNS, strict=True)
    ),
    actual=", ".join(f"activity.{column}" for column in COLUMNS),
)
_REPAIR = f"""
INSERT INTO tracking_activity (recipient_id, {", ".join(COLUMNS)})
SELECT id, {", ".join(f"v{n}" for n in range(len(COLUMNS)))}
  FROM ({_OTHER}) AS other (id, {", ".join(f"v{n}" for n in range(len(COLUMNS)))})
 ORDER BY id
    ON CONFLICT (recipient_id) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in COLUMNS)}
"""


@transaction.atomic
def differences(*, repair: bool = False) -> list[Difference]:
    """Return which recipients' Activity differs from what it is made of; mend it, if wanted.

    Of some; with `repair` all are mended. Engagement is taken as it is.
    """
    if repair:
        locks.write_addresses()
        hold_sums()
        list(Fold.objects.select_for_update())  # nobody folds
    with connection.cursor() as cursor:
        cursor.execute(f"{_OTHER} LIMIT {LISTED}")
        rows = cursor.fetchall()
        if repair and rows:
            cursor.execute(_REPAIR)
    return [Difference(pk, text) for pk, *values in rows for text in _texts(values)]


def _texts(values: Sequence[Any]) -> Iterator[str]:
    expected, actual = values[: len(COLUMNS)], values[len(COLUMNS) :]
    for column, right, stored in zip(COLUMNS, expected, actual, strict=True):
        if right != stored:
            yield f"{column} is {stored}, and should be {right}"

"""Count the sent and failed messages of runs by domain and hour, from the ledger."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from recipients import locks
from tracking.tallying.lock import hold_sums
from tracking.tallying.moves import DOMAINS, HOURS

# Read before the lock is taken: of ten million rows it takes seconds, and locks none of them.
_READ_LEDGER = """
CREATE TEMPORARY TABLE tracking_recount ON COMMIT DROP AS
SELECT domain, date_trunc('hour', finished_at, 'UTC') AS hour,
       count(*) FILTER (WHERE state = 'sent') AS sent,
       count(*) FILTER (WHERE state = 'failed') AS failed
  FROM tracking_delivery
 WHERE run_id = %(run)s AND state IN ('sent', 'failed')
 GROUP BY domain, hour
"""
_RECOUNT = """
WITH counted AS (
    SELECT {key}, sum(sent) AS sent, sum(failed) AS failed FROM tracking_recount
     WHERE {key} IS NOT NULL GROUP BY {key}
), gone AS (
    UPDATE {table} AS tally SET sent = 0, failed = 0
     WHERE run_id = %(run)s AND (sent > 0 OR failed > 0)
       AND NOT EXISTS (SELECT FROM counted WHERE counted.{key} = tally.{key})
)
INSERT INTO {table} AS tally (run_id, {key}, sent, failed)
SELECT %(run)s, {key}, sent, failed FROM counted ORDER BY {key}
    ON CONFLICT (run_id, {key}) DO UPDATE SET sent = excluded.sent, failed = excluded.failed
 WHERE (tally.sent, tally.failed) <> (excluded.sent, excluded.failed)
"""
_COUNTED_TO = """
INSERT INTO tracking_runtally AS tally (run_id, ledger_counted_to) VALUES (%(run)s, %(moved)s)
    ON CONFLICT (run_id) DO UPDATE SET ledger_counted_to = excluded.ledger_counted_to
"""
# Those at rest whose ledger has moved since; of those that are being sent the ones that were last
# counted a while ago, the longer the larger they are: a million rows are half a second's work.
_DUE = """
SELECT counters.run_id
  FROM tracking_runcounters counters
  LEFT JOIN tracking_runtally tally ON tally.run_id = counters.run_id
 WHERE counters.moved_at IS DISTINCT FROM tally.ledger_counted_to
   AND (counters.queued + counters.sending + counters.retry = 0
        OR %(now)s > coalesce(tally.ledger_counted_to, '-infinity')
                     + interval '1 minute' * (1 + counters.sent / 100000))
   AND counters.sent + counters.failed > 0
 ORDER BY counters.run_id
"""


def recount_due(*, now: datetime) -> list[int]:
    """Count sent and failed messages by domain and hour, where they have moved; return the runs."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now})
        runs = [run for (run,) in cursor.fetchall()]
    for run in runs:
        recount(run)
    return runs


@transaction.atomic
def recount(run_id: int) -> None:
    """Count the sent and failed messages of a run by domain and hour, from the ledger."""
    params: dict[str, Any] = {"run": run_id}
    locks.write_addresses()  # a domain may be one person's, and what is read is written later
    with connection.cursor() as cursor:
        cursor.execute("SELECT moved_at FROM tracking_runcounters WHERE run_id = %(run)s", params)
        params["moved"] = cursor.fetchone()[0]
        cursor.execute(_READ_LEDGER, params)
        hold_sums()
        for table, key in ((DOMAINS, "domain"), (HOURS, "hour")):
            cursor.execute(_RECOUNT.format(table=table.name, key=key), params)
        cursor.execute(_COUNTED_TO, params)
        cursor.execute("DROP TABLE tracking_recount")

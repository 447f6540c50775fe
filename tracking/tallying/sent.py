"""Count the sent and failed messages of runs by domain and hour, from the ledger.

A large ledger is read slice by slice, each a transaction, so that no erasure waits for the whole of
it; what the slices count for waits in RecountPart. Who is erased or merged meanwhile lets the count
of their runs begin anew: whose rows are read is not whose they were.
"""

import time
from collections.abc import Iterable
from datetime import datetime
from math import inf
from typing import Any

from django.db import connection, transaction

from recipients import locks
from tracking.models import Recount, RecountPart
from tracking.tallying.lock import hold_sums
from tracking.tallying.moves import DOMAINS, HOURS

SLICE = 200_000  # deliveries in one transaction: some tenths of a second

# Also where another one, who had the row, has come to the end meanwhile and deleted it.
_HOLD = """
INSERT INTO tracking_recount AS recount (run_id, cursor, moved_at)
SELECT run_id, 0, moved_at FROM tracking_runcounters WHERE run_id = %(run)s
    ON CONFLICT (run_id) DO UPDATE SET cursor = recount.cursor
RETURNING cursor, moved_at
"""
# By the index of the ledger's unique constraint; those of nobody any more come with the first one.
_READ = """
WITH slice AS MATERIALIZED (
    (SELECT recipient_id, domain, state, finished_at FROM tracking_delivery
      WHERE run_id = %(run)s AND recipient_id > %(after)s ORDER BY recipient_id LIMIT %(size)s)
     UNION ALL
    SELECT NULL, domain, state, finished_at FROM tracking_delivery
     WHERE run_id = %(run)s AND recipient_id IS NULL AND %(after)s = 0
), written AS (
    INSERT INTO tracking_recountpart (recount_id, domain, hour, sent, failed)
    SELECT %(run)s, domain, date_trunc('hour', finished_at, 'UTC') AS hour,
           count(*) FILTER (WHERE state = 'sent'), count(*) FILTER (WHERE state = 'failed')
      FROM slice WHERE state IN ('sent', 'failed')
     GROUP BY GROUPING SETS ((domain), (hour))
)
SELECT max(recipient_id), count(recipient_id) FROM slice
"""
_RECOUNT = """
WITH counted AS (
    SELECT {key}, sum(sent) AS sent, sum(failed) AS failed FROM tracking_recountpart
     WHERE recount_id = %(run)s AND {key} IS NOT NULL GROUP BY {key}
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
# A domain may be that of one person, who was erased.
_EMPTY = f"""
DELETE FROM {DOMAINS.name} WHERE run_id = %(run)s AND {" + ".join(DOMAINS.columns)} = 0
"""
_COUNTED_TO = """
INSERT INTO tracking_runtally AS tally (run_id, ledger_counted_to) VALUES (%(run)s, %(moved)s)
    ON CONFLICT (run_id) DO UPDATE SET ledger_counted_to = excluded.ledger_counted_to
"""
# Those at rest whose ledger has moved since; of those that are being sent the ones that were last
# counted a while ago, the longer the larger they are: a million rows are a second's work.
# Nobody asks for sums of single messages.
_DUE = """
SELECT counters.run_id
  FROM campaigns_run run
  JOIN tracking_runcounters counters ON counters.run_id = run.id
  LEFT JOIN tracking_runtally tally ON tally.run_id = counters.run_id
 WHERE counters.moved_at IS DISTINCT FROM tally.ledger_counted_to
   AND (counters.queued + counters.sending + counters.retry = 0
        OR %(now)s > coalesce(tally.ledger_counted_to, '-infinity')
                     + interval '1 minute' * (1 + counters.sent / 100000))
   AND counters.sent + counters.failed > 0 AND run.message_id IS NULL
 ORDER BY counters.run_id
"""


def recount_due(*, now: datetime, until: float = inf, size: int = SLICE) -> list[int]:
    """Count sent and failed messages by domain and hour, where they have moved.

    :param until: by `time.monotonic`; from then on no slice is begun but the first, and the next
        call goes on with the run
    :returns: the runs of which it came to the end
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now})
        due = [run for (run,) in cursor.fetchall()]
    done: list[int] = []
    while len(done) < len(due):
        if recount_slice(due[len(done)], size=size):
            done.append(due[len(done)])
        if time.monotonic() >= until:
            break
    return done


def recount(run_id: int) -> None:
    """Count the sent and failed messages of a run by domain and hour, from the ledger."""
    while not recount_slice(run_id):
        pass


@transaction.atomic
def recount_slice(run_id: int, *, size: int = SLICE) -> bool:
    """Read the next deliveries of a run, and write the sums down at its end; return if it was."""
    locks.write_addresses()  # a domain may be one person's, and what is read is written later
    params: dict[str, Any] = {"run": run_id, "size": size}
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, params)
        params["after"], params["moved"] = cursor.fetchone()
        cursor.execute(_READ, params)
        last, rows = cursor.fetchone()
        if rows < size:
            _write_down(cursor, params)
            return True
        Recount.objects.filter(run=run_id).update(cursor=last)
    return False


def _write_down(cursor: Any, params: dict[str, Any]) -> None:
    hold_sums()
    for table, key in ((DOMAINS, "domain"), (HOURS, "hour")):
        cursor.execute(_RECOUNT.format(table=table.name, key=key), params)
    cursor.execute(_EMPTY, params)
    cursor.execute(_COUNTED_TO, params)
    begin_anew([params["run"]])


def begin_anew(run_ids: Iterable[int]) -> None:
    """Forget what is read of the ledgers of these runs and not written down yet.

    The caller holds the addresses alone (`erase_addresses`), or the row of the Recount.
    """
    RecountPart.objects.filter(recount__in=run_ids).delete()
    Recount.objects.filter(run__in=run_ids).delete()

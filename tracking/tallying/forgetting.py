"""Count what was sent to a person who is erased as sent to no domain."""

from collections.abc import Iterable

from django.db import connection

from tracking.ledger import bigints
from tracking.tallying.facts import NOTHING, known
from tracking.tallying.moves import DOMAINS, Moves

_THEIR_DOMAINS = """
SELECT delivery.id, delivery.run_id, delivery.domain,
       CASE WHEN tally.ledger_counted_to = counters.moved_at THEN delivery.state ELSE '' END
  FROM tracking_delivery delivery
  LEFT JOIN tracking_runtally tally ON tally.run_id = delivery.run_id
  LEFT JOIN tracking_runcounters counters ON counters.run_id = delivery.run_id
 WHERE delivery.id = ANY(%(ids)s::bigint[]) AND delivery.domain <> ''
"""
# A domain may be one person's.
_EMPTY = f"""
DELETE FROM tracking_domaintally
 WHERE run_id = ANY(%(runs)s) AND domain = ANY(%(domains)s)
   AND {" + ".join(DOMAINS.columns)} = 0
"""


def forget_domains(deliveries: Iterable[int]) -> None:
    """Count these messages as ones to no domain, before the ledger forgets theirs.

    The caller holds the lock.
    """
    with connection.cursor() as cursor:
        cursor.execute(_THEIR_DOMAINS, {"ids": bigints(deliveries)})
        rows = cursor.fetchall()
        facts, moves = known(row[0] for row in rows), Moves()
        for delivery, run, domain, state in rows:
            moves.rename_domain(run, domain, facts.get(delivery, NOTHING), state=state)
        moves.write()
        runs, domains = [row[1] for row in rows], [row[2] for row in rows]
        cursor.execute(_EMPTY, {"runs": runs, "domains": domains})

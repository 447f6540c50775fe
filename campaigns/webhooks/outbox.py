"""Make calls of what was noted, once for each endpoint that wants to be told.

What one transaction saw of another is noted after it, and is taken after it: ids grow, and whoever
sees a later block sees the earlier ones that it could know of. A block whose transaction is not at
its end yet is taken by a later look.
"""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from recipients import named_locks

BLOCKS = 50  # in one transaction; a block is what one statement has moved, thousands at most

# A lane for each recipient, run and import (the last two bits say of what); of a delivery whose
# recipient is gone, the delivery's own. The id of an event is made of the block's, so that all
# endpoints have the same.
_COLLECT = """
WITH taken AS (
    DELETE FROM tracking_happening
     WHERE id IN (SELECT id FROM tracking_happening ORDER BY id LIMIT %(blocks)s)
    RETURNING id, key, kind, at, subjects, deliveries, recipient_id
),
events AS (
    SELECT block.id, one.place, md5(block.key::text || one.subject)::uuid AS event, block.kind,
           block.at, one.subject, block.recipient_id,
           CASE WHEN block.kind LIKE 'delivery.%%'
                THEN coalesce(one.delivery, one.subject) END AS delivery
      FROM taken block
     CROSS JOIN LATERAL unnest(block.subjects, coalesce(block.deliveries, '{}'))
                        WITH ORDINALITY AS one (subject, delivery, place)
),
made AS (
    INSERT INTO tracking_call
           (endpoint_id, event, kind, at, subject, lane, state, attempts, next_at, created_at)
    SELECT endpoint.id, event.event, event.kind, event.at, event.subject,
           CASE WHEN coalesce(event.recipient_id, delivery.recipient_id) IS NOT NULL
                THEN coalesce(event.recipient_id, delivery.recipient_id) * 4
                WHEN event.delivery IS NOT NULL THEN event.delivery * 4 + 1
                WHEN event.kind LIKE 'run.%%' THEN event.subject * 4 + 2
                ELSE event.subject * 4 + 3 END,
           'waiting', 0, %(now)s, %(now)s
      FROM events event
      JOIN tracking_endpoint endpoint ON endpoint.is_active AND event.kind = ANY(endpoint.kinds)
      LEFT JOIN tracking_delivery delivery ON delivery.id = event.delivery
     ORDER BY event.id, event.place, endpoint.id
    RETURNING 1
)
SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM made)
"""


@transaction.atomic(durable=True)
def collect(*, now: datetime, blocks: int = BLOCKS) -> tuple[int, int]:
    """Make calls of the oldest blocks; return how many blocks were taken, and how many calls made.

    One process at a time, so that calls have ids in the order of what happened; another one leaves
    it at that.
    """
    if not named_locks.take("tracking.outbox"):
        return 0, 0
    params: dict[str, Any] = {"now": now, "blocks": blocks}
    with connection.cursor() as cursor:
        cursor.execute(_COLLECT, params)
        taken, made = cursor.fetchone()
    return taken, made

"""Single messages go before campaigns where a transport is limited: campaigns leave them room.

Whoever asks a gate holds its row, so what is read here is not given away twice. Where a limit is
used up, a message that comes then waits for the next second, hour or day like all others.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

_ROUTED = "campaign.is_stream AND route.transport_id IS NOT DISTINCT FROM %(transport)s"

# Messages that may leave by a transport within the next seconds, counted up to as many as matter.
_WAITING = f"""
    SELECT count(*)
      FROM (SELECT FROM campaigns_message message
              JOIN campaigns_run run ON run.message_id = message.id
              JOIN campaigns_campaign campaign ON campaign.id = run.campaign_id
              LEFT JOIN campaigns_route route ON route.sender_id = campaign.sender_id
             WHERE message.look_at <= %(soon)s AND run.status = 'sending' AND {_ROUTED}
             LIMIT %(most)s) AS waiting
"""
_ARE_SENT = f"""
    SELECT EXISTS (SELECT FROM campaigns_campaign campaign
                     LEFT JOIN campaigns_route route ON route.sender_id = campaign.sender_id
                    WHERE {_ROUTED})
"""


def waiting(transport: int | None, *, most: int, within: timedelta, now: datetime) -> int:
    """Return how many messages, up to `most`, may leave by this transport within that time."""
    params: dict[str, Any] = {"transport": transport, "soon": now + within, "most": most}
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, params)
        return int(cursor.fetchone()[0])


def are_sent_by(transport: int | None) -> bool:
    """Whether messages have been sent by this transport, and so may come at any moment."""
    with connection.cursor() as cursor:
        cursor.execute(_ARE_SENT, {"transport": transport})
        return bool(cursor.fetchone()[0])

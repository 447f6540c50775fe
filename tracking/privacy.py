"""What the ledger keeps of a person: handed out, made anonymous, or made another row's."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from recipients.mentions import alone, forget_mentions
from recipients.privacy import Holder, Person, register
from tracking import engagement, ledger
from tracking.inbound import forgetting as inbound
from tracking.models import DeliveryEvent, Departure
from tracking.tallying import sent
from tracking.tallying.forgetting import forget_domains
from tracking.tallying.lock import hold_sums
from tracking.webhooks import forgetting as webhooks

# By the indexes: on recipients, on the keys of each campaign's run and of single messages, on the
# keys of those left out. Also what was mailed to these addresses when they were another row's, or
# of a row that was deleted.
_THEIRS = """
SELECT id FROM tracking_delivery WHERE recipient_id = ANY(%(ids)s::bigint[])
 UNION
SELECT delivery.id
  FROM campaigns_run run
  JOIN tracking_delivery delivery ON delivery.run_id = run.id
 WHERE delivery.key = ANY(%(keys)s::text[]) AND delivery.skip_reason = ''
   AND run.message_id IS NULL
 UNION
SELECT delivery.id
  FROM campaigns_message message
  JOIN campaigns_run run ON run.message_id = message.id
  JOIN tracking_delivery delivery ON delivery.run_id = run.id
 WHERE message.key = ANY(%(keys)s::text[]) AND message.key <> ''
 UNION
SELECT id FROM tracking_delivery WHERE key = ANY(%(keys)s::text[]) AND skip_reason <> ''
"""

_BY_RUN = f"""
SELECT run_id, id FROM tracking_delivery WHERE id IN ({_THEIRS})
"""

# What servers answered may name them where others were mailed: an alias, a mailbox that forwards.
# It reads the whole ledger; an index on words would cost each message that is sent.
_NAMING = """
SELECT run_id, id FROM tracking_delivery
 WHERE diagnostic LIKE '%%@%%' AND diagnostic ~* %(alone)s
"""

# All that will be written of a run is held before its counters are: who claims and records takes
# them in this order, too.
_HOLD = """
SELECT id FROM tracking_delivery WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id FOR UPDATE
"""

_OPEN = """
    SELECT delivery.id, delivery.state AS from_state, 'skipped' AS to_state
      FROM tracking_delivery delivery
     WHERE delivery.id = ANY(%(ids)s::bigint[]) AND delivery.state IN ('queued', 'retry')
     ORDER BY delivery.id
       FOR UPDATE OF delivery
"""
_LEFT_OUT = """
    skip_reason = %(reason)s, next_attempt_at = NULL, dispatched_at = NULL, lease = NULL
"""
# Of two rows that are one person, who gets the message by the other one.
_TWICE = f"""
    SELECT picked.* FROM ({_OPEN}) AS picked
     WHERE EXISTS (SELECT FROM tracking_delivery own
                    WHERE own.run_id = %(run)s AND own.recipient_id = %(to)s)
"""

# By which they would be found once more.
_FORGET_MESSAGES = "UPDATE campaigns_message SET key = '' WHERE key = ANY(%(keys)s::text[])"

# What identifies nobody stays: when something was asked for, and what it was taken for.
_FORGET_HITS = """
UPDATE tracking_hit SET user_agent_id = NULL, network = ''
 WHERE delivery_id = ANY(%(ids)s::bigint[])
"""

_LISTS = ("opens_and_clicks", "reports")
_KNOWN = f"""
SELECT campaign.name AS campaign, delivery.address, delivery.state, delivery.skip_reason,
       delivery.attempts, delivery.created_at, delivery.attempted_at, delivery.finished_at,
       delivery.message_id, delivery.reply_code, delivery.enhanced_status_code, delivery.diagnostic,
       engagement.opened_at, engagement.clicked_at,
       departure.reason AS reason_to_leave, departure.comment AS comment,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'at', hit.at, 'kind', hit.kind, 'link', hit.link_number,
                   'user_agent', agent.text, 'network', hit.network, 'by', hit.verdict)
                   ORDER BY hit.at, hit.id), '[]')
          FROM tracking_hit hit LEFT JOIN tracking_useragent agent ON agent.id = hit.user_agent_id
         WHERE hit.delivery_id = delivery.id) AS opens_and_clicks,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'at', event.at, 'kind', event.kind, 'category', event.category,
                   'is_hard', event.is_hard, 'source', event.source,
                   'reply_code', event.reply_code,
                   'enhanced_status_code', event.enhanced_status_code,
                   'diagnostic', event.diagnostic) ORDER BY event.at, event.id), '[]')
          FROM tracking_deliveryevent event
         WHERE event.delivery_id = delivery.id) AS reports
  FROM tracking_delivery delivery
  LEFT JOIN tracking_engagement engagement ON engagement.run_id = delivery.run_id
                                          AND engagement.recipient_id = delivery.recipient_id
  LEFT JOIN tracking_departure departure ON departure.delivery_id = delivery.id
  JOIN campaigns_run run ON run.id = delivery.run_id
  JOIN campaigns_campaign campaign ON campaign.id = run.campaign_id
 WHERE delivery.id IN ({_THEIRS})
 ORDER BY delivery.id
"""


def known(person: Person) -> list[dict[str, Any]]:
    """Return each message that was, or will be, or would have been sent to a person."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, {"ids": person.ids, "keys": person.keys})
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [row | {name: json.loads(row[name]) for name in _LISTS} for row in rows]


def forget(person: Person, now: datetime) -> None:
    """Leave out what is still open, and keep of all their deliveries only what became of them.

    What a worker holds at this moment keeps its state, and its end is recorded; the worker looks
    once more before it sends. What was answered about others loses their address alone.
    """
    hold_sums()
    named = alone(person.keys)
    theirs, naming = _theirs(person.ids, person.keys), _by_run(_NAMING, {"alone": named})
    sent.begin_anew(theirs)
    for run_id in sorted({*theirs, *naming}):
        ids = theirs[run_id]
        others = naming[run_id] - ids
        _hold(ids | others)
        _leave_out(run_id, ids, reason="no_address", now=now)
        forget_domains(ids)
        ledger.anonymize(ids)
        _forget_hits(ids)
        ledger.unname(others, alone=named)
        Departure.objects.filter(delivery__in=ids).delete()
        DeliveryEvent.objects.filter(delivery__in=ids).recount()
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_MESSAGES, {"keys": person.keys})
    forget_mentions("tracking_departure", "comment", person.keys)
    forget_mentions("tracking_call", "answer", person.keys)


def _forget_hits(ids: Iterable[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_HITS, {"ids": ledger.bigints(ids)})


def merge(keep: int, other: int, now: datetime) -> None:
    """Make the other recipient's deliveries those of the first; nobody gets a message twice."""
    theirs = _theirs([other], [])
    sent.begin_anew(theirs)
    for run_id, ids in sorted(theirs.items()):
        _hold(ids)
        params = {"ids": ledger.bigints(ids), "reason": "duplicate", "to": keep}
        ledger.move(run_id, pick=_TWICE, changes=_LEFT_OUT, params=params, now=now)
        ledger.hand_over(ids, to=keep)
    engagement.hand_over(other, to=keep)


def _theirs(ids: list[int], keys: list[str]) -> dict[int, set[int]]:
    """Return the deliveries of these recipients or addresses, run by run."""
    return _by_run(_BY_RUN, {"ids": ids, "keys": keys})


def _by_run(sql: str, params: Mapping[str, Any]) -> dict[int, set[int]]:
    by_run: dict[int, set[int]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        for run_id, pk in cursor.fetchall():
            by_run[run_id].add(pk)
    return by_run


def _hold(ids: Iterable[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, {"ids": ledger.bigints(ids)})


def _leave_out(run_id: int, ids: Iterable[int], *, reason: str, now: datetime) -> None:
    params = {"ids": ledger.bigints(ids), "reason": reason}
    ledger.move(run_id, pick=_OPEN, changes=_LEFT_OUT, params=params, now=now)


def _ids(person: Person) -> list[int]:
    return sorted(pk for ids in _theirs(person.ids, person.keys).values() for pk in ids)


def forget_feedback(person: Person, now: datetime) -> None:
    """Forget what was said about their messages, and where else they are named."""
    hold_sums()  # whoever counts these events holds that, and would wait for them
    inbound.forget(_ids(person), person.keys)


register(Holder("messages", forget=forget, known=known, merge=merge))
# It forgets before the ledger does, which then knows of nobody whose deliveries they were.
# What was said of messages is handed out with each of them.
register(Holder("feedback", forget=forget_feedback, merge=inbound.merge))
register(Holder("provider events", forget=webhooks.forget, known=webhooks.known))

"""Claim: the only door to a transport. What is not claimed is not sent."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from json import loads
from typing import Any, NamedTuple

from django.db import connection, transaction

from campaigns.sending.domain_gates import hold_back
from campaigns.sending.gates import Admission
from recipients.models import TrackingConsent
from tracking import ledger
from tracking.models import DeliveryState

# Of the run's campaign, read once for all deliveries: no part of it names one of them.
_LISTS = """ANY(ARRAY(
    SELECT audience.mailinglist_id
      FROM campaigns_campaign_lists audience
      JOIN campaigns_run ON campaigns_run.campaign_id = audience.campaign_id
     WHERE campaigns_run.id = %(run)s))"""
_HAS_SEGMENTS = """EXISTS (
    SELECT 1
      FROM campaigns_campaign_segments audience
      JOIN campaigns_run ON campaigns_run.campaign_id = audience.campaign_id
     WHERE campaigns_run.id = %(run)s)"""

# Deliveries of a run that is being sent, with the reason why one may not be mailed any more. What
# was withdrawn since the snapshot counts, for the address of then, which is mailed, as for the
# recipient's present one. Who came by a list has to be on one of the campaign's; who may have come
# by a segment, on any, without having left one of the campaign's. Segments and exclusions are not
# asked again. A single message answers to what its recipient did: it needs no list, and no pause
# keeps it; who is suppressed gets none either. (`OFFSET 0`: else the reason is looked for once for
# each use of it; `run_id + 0`: by the ids, not through all of the run.)
_JUDGED = f"""
      FROM tracking_delivery delivery
      JOIN campaigns_run run ON run.id = %(run)s
      LEFT JOIN recipients_recipient recipient ON recipient.id = delivery.recipient_id
     CROSS JOIN LATERAL (SELECT CASE
           WHEN recipient.id IS NULL THEN 'no_address'
           WHEN EXISTS (SELECT 1 FROM recipients_suppression suppression
                         WHERE suppression.key IN (recipient.key, recipient.domain,
                                                   delivery.key, delivery.domain))
                THEN 'suppressed'
           WHEN run.message_id IS NOT NULL THEN ''
           WHEN NOT EXISTS (SELECT 1 FROM recipients_subscription
                             WHERE recipient_id = recipient.id AND state = 'confirmed'
                               AND mailing_list_id = {_LISTS})
            AND NOT ({_HAS_SEGMENTS}
                     AND EXISTS (SELECT 1 FROM recipients_subscription
                                  WHERE recipient_id = recipient.id AND state = 'confirmed')
                     AND NOT EXISTS (SELECT 1 FROM recipients_subscription
                                      WHERE recipient_id = recipient.id AND state = 'unsubscribed'
                                        AND mailing_list_id = {_LISTS}))
                THEN 'unsubscribed'
           WHEN recipient.paused_until > (%(now)s AT TIME ZONE 'UTC')::date THEN 'paused'
           ELSE '' END AS word OFFSET 0) AS reason
     WHERE delivery.id = ANY(%(ids)s::bigint[]) AND delivery.run_id + 0 = %(run)s
       AND run.status = 'sending'
"""

# Only what is queued, or due for another attempt. Rows that another worker is about to claim are
# passed over; so a repeated message finds nothing to do.
_PICK = f"""
    SELECT delivery.id, delivery.state AS from_state,
           CASE WHEN reason.word = '' THEN 'sending' ELSE 'skipped' END AS to_state,
           reason.word AS skip_reason
    {_JUDGED}
       AND (delivery.state = 'queued'
            OR (delivery.state = 'retry' AND delivery.next_attempt_at <= %(now)s))
     ORDER BY delivery.id
       FOR UPDATE OF delivery SKIP LOCKED
"""

_STILL_ALLOWED = f"SELECT delivery.id {_JUDGED} AND reason.word = ''"

# A claim is worked on for so long at most, and what is left goes back: ticks, pauses and other
# campaigns do not wait behind a slow server.
ACT_FOR = timedelta(seconds=10)

_CHANGES = """
    skip_reason = picked.skip_reason,
    attempts = delivery.attempts + (picked.to_state = 'sending')::int,
    attempted_at = CASE WHEN picked.to_state = 'sending' THEN %(now)s
                        ELSE delivery.attempted_at END,
    next_attempt_at = NULL,
    dispatched_at = NULL,
    lease = CASE WHEN picked.to_state = 'sending' THEN %(lease)s::uuid END
"""


# By hand, because the ORM takes 8 µs a row for it. `lease` is written only where rows were claimed.
_LEASED = """
WITH leased AS (
    INSERT INTO tracking_lease (id, run_id, until, deliveries)
    VALUES (%(lease)s, %(run)s, %(until)s, %(ids)s)
)
SELECT delivery.id, delivery.address, coalesce(recipient.fields::text, 'null'), delivery.attempts,
       coalesce(recipient.language, ''), coalesce(recipient.time_zone, ''),
       coalesce(recipient.tracking_consent, 'denied')
  FROM tracking_delivery delivery
  LEFT JOIN recipients_recipient recipient ON recipient.id = delivery.recipient_id
 WHERE delivery.id = ANY(%(ids)s)
 ORDER BY delivery.id
"""


class Claimed(NamedTuple):
    """One delivery that this worker, and no other, may attempt until its lease ends."""

    id: int
    address: str
    fields: dict[str, Any] | None  # None: the recipient was deleted while this was claimed
    attempts: int  # this one included
    language: str = ""
    time_zone: str = ""
    tracking_consent: str = TrackingConsent.DENIED.value


@dataclass(frozen=True, slots=True)
class Claim:
    lease: uuid.UUID
    act_until: datetime
    """No message is composed after this."""
    valid_until: datetime
    """Nor is any handed over after this: a tenth of the lease is left for the last answer."""
    deliveries: list[Claimed]


@transaction.atomic(durable=True)
def claim(
    run_id: int,
    ids: list[int],
    *,
    now: datetime,
    lease_for: timedelta,
    lease: uuid.UUID | None = None,
    admission: Admission | None = None,
) -> Claim:
    """Claim those of `ids` that may be attempted now, for `lease_for`; possibly none.

    With an admission, those wait that a limit or a shut gate of their domains keeps back.
    """
    lease = lease or uuid.uuid4()
    if admission and admission.way.guards_domains:
        ids = hold_back(run_id, ids, transport=admission.way.transport, now=now)
    params = {"ids": ledger.bigints(ids), "lease": lease}
    moved = ledger.move(run_id, pick=_PICK, changes=_CHANGES, params=params, now=now)
    sending = [row.id for row in moved if row.to_state == DeliveryState.SENDING]
    valid_until = now + lease_for * 0.9
    act_until = min(now + ACT_FOR, valid_until)
    claimed = _leased(run_id, sending, lease=lease, until=now + lease_for) if sending else []
    return Claim(lease, act_until, valid_until, claimed)


def _leased(run_id: int, ids: Sequence[int], *, lease: uuid.UUID, until: datetime) -> list[Claimed]:
    params: dict[str, Any] = {"ids": ledger.bigints(ids), "lease": lease, "until": until}
    with connection.cursor() as cursor:
        cursor.execute(_LEASED, {**params, "run": run_id})
        return [
            Claimed(pk, to, loads(fields), *rest) for pk, to, fields, *rest in cursor.fetchall()
        ]


def still_allowed(run_id: int, ids: Sequence[int], *, now: datetime) -> set[int]:
    """Return those of the claimed ids that may still be mailed: none of a run that is paused."""
    with connection.cursor() as cursor:
        cursor.execute(_STILL_ALLOWED, {"run": run_id, "ids": ledger.bigints(ids), "now": now})
        return {delivery_id for (delivery_id,) in cursor.fetchall()}

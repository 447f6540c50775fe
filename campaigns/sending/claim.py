"""Claim: the only door to a transport. What is not claimed is not sent."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from tracking import ledger
from tracking.models import Delivery, DeliveryState

# Only what is queued, or due for another attempt, in a run that is being sent. Rows that another
# worker is about to claim are passed over; so a repeated message finds nothing to do. Suppression
# and subscription are read again here: what was withdrawn since the snapshot is left out, under
# the address of the snapshot, which is mailed, as under the recipient's present one.
_PICK = """
    SELECT delivery.id, delivery.state AS from_state,
           CASE WHEN reason.word = '' THEN 'sending' ELSE 'skipped' END AS to_state,
           reason.word AS skip_reason
      FROM tracking_delivery delivery
      JOIN campaigns_run run ON run.id = delivery.run_id
      LEFT JOIN recipients_recipient recipient ON recipient.id = delivery.recipient_id
     CROSS JOIN LATERAL (SELECT CASE
           WHEN recipient.id IS NULL THEN 'no_address'
           WHEN EXISTS (SELECT 1 FROM recipients_suppression suppression
                         WHERE suppression.key IN (recipient.key, lower(delivery.address)))
                THEN 'suppressed'
           WHEN NOT EXISTS (SELECT 1 FROM recipients_subscription subscription
                              JOIN campaigns_campaign_lists audience
                                ON audience.mailinglist_id = subscription.mailing_list_id
                             WHERE audience.campaign_id = run.campaign_id
                               AND subscription.recipient_id = recipient.id
                               AND subscription.state = 'confirmed') THEN 'unsubscribed'
           ELSE '' END AS word) AS reason
     WHERE delivery.id = ANY(%(ids)s) AND delivery.run_id = %(run)s AND run.status = 'sending'
       AND (delivery.state = 'queued'
            OR (delivery.state = 'retry' AND delivery.next_attempt_at <= %(now)s))
     ORDER BY delivery.id
       FOR UPDATE OF delivery SKIP LOCKED
"""

_CHANGES = """
    skip_reason = picked.skip_reason,
    attempts = delivery.attempts + (picked.to_state = 'sending')::int,
    attempted_at = CASE WHEN picked.to_state = 'sending' THEN %(now)s
                        ELSE delivery.attempted_at END,
    next_attempt_at = NULL,
    dispatched_at = NULL,
    lease = CASE WHEN picked.to_state = 'sending' THEN %(lease)s::uuid END,
    lease_until = CASE WHEN picked.to_state = 'sending' THEN %(lease_until)s::timestamptz END
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery that this worker, and no other, may attempt until its lease ends."""

    id: int
    address: str
    fields: dict[str, Any]
    attempts: int  # this one included


@dataclass(frozen=True, slots=True)
class Claim:
    lease: uuid.UUID
    act_until: datetime
    """No attempt begins after this: a tenth of the lease is left for the last one's answer."""
    deliveries: list[Claimed]


@transaction.atomic(durable=True)
def claim(
    run_id: int,
    ids: list[int],
    *,
    now: datetime,
    lease_for: timedelta,
    lease: uuid.UUID | None = None,
) -> Claim:
    """Claim those of `ids` that may be attempted now, for `lease_for`; possibly none."""
    lease = lease or uuid.uuid4()
    params = {"ids": ids, "lease": lease, "lease_until": now + lease_for}
    moved = ledger.move(run_id, pick=_PICK, changes=_CHANGES, params=params, now=now)
    sending = [row.id for row in moved if row.to_state == DeliveryState.SENDING]
    rows = Delivery.objects.filter(pk__in=sending).order_by("pk")
    values = rows.values_list("pk", "address", "recipient__fields", "attempts")
    return Claim(lease, now + lease_for * 0.9, [Claimed(*row) for row in values])

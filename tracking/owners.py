"""Whose a message is now.

A recipient has one delivery in each run. Where two rows were both mailed in a run and became one,
the former's message has no recipient of its own: `recipients.models.Merge` says whose it is.
"""

from collections.abc import Iterable

from recipients.merging import taken_over
from tracking.models import Delivery

# The id of the owner, where a statement calls a row of tracking_delivery `delivery`.
OWNER = """
    coalesce(delivery.recipient_id, (SELECT recipient_id FROM recipients_merge
                                      WHERE former_key = delivery.key ORDER BY id LIMIT 1))
"""
# All messages of these recipients, as rows of tracking_delivery with `owner_id`.
MESSAGES = """
    SELECT own.*, own.recipient_id AS owner_id
      FROM tracking_delivery own
     WHERE own.recipient_id = ANY(%(ids)s::bigint[])
     UNION ALL
    SELECT former.*, own.recipient_id
      FROM recipients_merge merge
      JOIN tracking_delivery own ON own.recipient_id = merge.recipient_id
      JOIN tracking_delivery former ON former.run_id = own.run_id
                                   AND former.key = merge.former_key
                                   AND former.skip_reason = '' AND former.recipient_id IS NULL
     WHERE merge.recipient_id = ANY(%(ids)s::bigint[])
"""


def with_owners(ids: Iterable[int]) -> dict[int, Delivery]:
    """Return these deliveries, each with its owner as its recipient; they are not to be saved."""
    found = Delivery.objects.select_related("recipient").in_bulk(ids)
    for delivery in found.values():
        delivery.recipient = delivery.recipient or taken_over(delivery.key)
    return found

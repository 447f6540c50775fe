"""Take a whole import back, as long as nothing was sent to the people that it brought."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from recipients import consent, locks
from recipients.importing import staging
from recipients.importing.merging import source_of
from recipients.models import Import, ImportStatus

# Upper apps say here why an import cannot be undone, or nothing; this app knows none of them.
Obstacle = Callable[[Import], str]
obstacles: list[Obstacle] = []

_HAPPENED = """
happened AS MATERIALIZED (
    SELECT event.subject, subscription.recipient_id, subscription.mailing_list_id,
           'list' AS purpose, 'withdrawn' AS action, %(source)s AS source, NULL::bytea AS wording,
           NULL::bytea AS detail, %(now)s::timestamptz AS occurred_at
      FROM subscription
      JOIN LATERAL (SELECT subject FROM recipients_consentevent
                     WHERE recipient_id = subscription.recipient_id
                     ORDER BY id DESC LIMIT 1) event ON true
     ORDER BY subscription.recipient_id
)
"""

# Who has left the list since then, or said yes to it, goes on to: another import of the file would
# bring back who left.
_UNSUBSCRIBE = f"""
WITH subscription AS (
    DELETE FROM recipients_subscription
     WHERE imported_by_id = %(import)s AND changed_at = created_at
    RETURNING recipient_id, mailing_list_id
),
{_HAPPENED},
{consent.EVENTS}
{consent.WRITTEN}
"""

_UNTAG = "DELETE FROM recipients_tagging WHERE imported_by_id = %(import)s"

# Who was changed by somebody else since then, be it in the midst of the import, keeps what that one
# wrote.
_RESTORE = """
UPDATE recipients_recipient AS recipient
   SET fields = change.before -> 'fields', language = change.before ->> 'language',
       time_zone = change.before ->> 'time_zone', updated_at = %(now)s
  FROM recipients_importchange change
 WHERE change.importing_id = %(import)s AND recipient.id = change.recipient_id
   AND recipient.updated_at = (change.before ->> 'changed_at')::timestamptz
"""

# Who is subscribed to something else by now, or was tagged by somebody, is somebody's by now; and
# what a person chose about being measured, or a pause, is not forgotten.
_DELETE = """
DELETE FROM recipients_recipient recipient
 WHERE imported_by_id = %(import)s AND tracking_consent = 'unknown' AND paused_until IS NULL
   AND NOT EXISTS (SELECT 1 FROM recipients_subscription WHERE recipient_id = recipient.id)
   AND NOT EXISTS (SELECT 1 FROM recipients_tagging WHERE recipient_id = recipient.id)
   AND NOT EXISTS (SELECT 1 FROM recipients_importchange WHERE recipient_id = recipient.id)
   AND NOT EXISTS (SELECT 1 FROM recipients_notice WHERE recipient_id = recipient.id)
   AND NOT EXISTS (SELECT 1 FROM recipients_signup WHERE recipient_id = recipient.id)
   AND NOT EXISTS (SELECT 1 FROM recipients_merge WHERE recipient_id = recipient.id)
"""


class CannotUndo(Exception):
    """The import stays; the text says why."""


@transaction.atomic(durable=True)
def undo(importing: Import, *, now: datetime) -> int:
    """Take an import back and return how many recipients went with it.

    Its subscriptions and tags go, but for those that somebody has left or confirmed since then.
    Changed recipients get back what they had, and new ones are deleted, unless they have become
    somebody else's meanwhile. The consent ledger says so.

    :raises CannotUndo: it is under way, or something was sent to a recipient that it brought.
    """
    locks.erase_addresses()
    locked = Import.objects.select_for_update(no_key=True).get(pk=importing.pk)
    _check(locked)
    params: dict[str, Any] = {
        "import": locked.pk,
        "source": f"undone: {source_of(locked)}"[:300],
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNSUBSCRIBE, params)
        block = cursor.fetchone()
        cursor.execute(_UNTAG, params)
        cursor.execute(_RESTORE, params)
        locked.changes.all().delete()
        cursor.execute(_DELETE, params)
        deleted = int(cursor.rowcount)
    locked.status, locked.finished_at = ImportStatus.UNDONE, now
    locked.save(update_fields=["status", "finished_at"])
    staging.drop(locked.pk)
    importing.refresh_from_db()
    if block:
        consent.seal([consent.Written(*block)], now=now)
    return deleted


def _check(importing: Import) -> None:
    failed_in_its_midst = importing.status == ImportStatus.FAILED and importing.merged
    if not failed_in_its_midst and importing.status not in {
        ImportStatus.DONE,
        ImportStatus.STOPPED,
    }:
        raise CannotUndo(_("it is %(state)s") % {"state": importing.get_status_display()})
    for obstacle in obstacles:
        if why := obstacle(importing):
            raise CannotUndo(why)

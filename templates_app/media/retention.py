"""Delete bytes that nothing names any more."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import ProtectedError

from templates_app.media import storing
from templates_app.models import MediaBlob

GRACE = timedelta(days=1)  # who writes a template meanwhile may have copied the address

# The tokens in all frozen contents, which mails that were sent long ago still show, and in what is
# being written: one reading of these tables, however many bytes wait to be deleted.
_NAMED = r"""
    SELECT DISTINCT (regexp_matches(content, '/m/([0-9a-f]{32})/', 'g'))[1]
      FROM (SELECT html || text FROM templates_app_templateversion
             UNION ALL SELECT html || text FROM templates_app_versionvariant
             UNION ALL SELECT source || text FROM templates_app_emailtemplate
             UNION ALL SELECT source || text FROM templates_app_templatevariant
             UNION ALL SELECT source FROM templates_app_snippet
             UNION ALL SELECT source FROM templates_app_layout) AS contents (content)
     WHERE content LIKE '%/m/%'
"""


def forget_unnamed(*, now: datetime) -> int:
    """Delete the bytes that no file, no frozen content and no campaign names; return how many."""
    waiting = list(MediaBlob.objects.unnamed(before=now - GRACE))
    if not waiting:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_NAMED)
        named = {token for (token,) in cursor.fetchall()}
    return sum(_forget(blob, now=now) for blob in waiting if blob.token not in named)


def _forget(blob: MediaBlob, *, now: datetime) -> bool:
    """Delete the row, unless somebody uses it now; then what is stored: the other way round, a
    crash would leave a row without bytes.
    """
    with transaction.atomic():
        unnamed = MediaBlob.objects.unnamed(before=now - GRACE).filter(pk=blob.pk)
        locked = MediaBlob.objects.select_for_update(skip_locked=True).filter(pk__in=unnamed)
        try:
            is_gone = bool(locked.delete()[0]) if locked.exists() else False
        except ProtectedError:  # a run attached it
            return False
    if is_gone:
        storing.remove_if_possible(blob.key)
    return is_gone

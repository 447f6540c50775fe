"""Merge the rows of an import into the base, a slice of them in one transaction.

Slices may be merged in any order and by several workers at once; one that a killed worker had begun
was never begun.
"""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Greatest

from recipients import consent, locks
from recipients.importing.kinds import changed, to_undo
from recipients.importing.layout import Layout
from recipients.models import Import, ImportSlice, ImportStatus, MergePolicy

SLICE = 20_000  # addresses

# Who was erased is not made anew: nothing of such a row is stored. Nor is who has another address
# now, by which the import will bring them or not. A row without an address was blanked by an
# erasure (importing.forgetting): whoever came back since then did so by themselves.
#
# OFFSET 0, here and below, has each row looked up by the index: 1 µs, however many recipients there
# are. As a join PostgreSQL takes it for dearer than to read all of them, for each slice anew.
#
# Nor may a table that was empty when the statement was planned be read through for each row, while
# others that merge fill it.
_LOOK_UP = "SET LOCAL enable_seqscan = off"
_BATCH = """
batch AS MATERIALIZED (
    SELECT sorted.*, known.id AS recipient_id
      FROM import_sorted_{id} sorted
      LEFT JOIN LATERAL (SELECT id FROM recipients_recipient WHERE key = sorted.key OFFSET 0) known
             ON true
     WHERE sorted.position > %(first)s AND sorted.position <= %(last)s
       AND sorted.address <> ''
       AND NOT EXISTS (SELECT 1 FROM recipients_suppression WHERE digest = sorted.subject)
       AND (known.id IS NOT NULL
            OR NOT EXISTS (SELECT 1 FROM recipients_merge WHERE former_key = sorted.key))
)
"""

_HAPPENED = """
happened AS MATERIALIZED (
    SELECT subscribed.subject, subscribed.recipient_id, %(list)s::bigint AS mailing_list_id,
           'list' AS purpose, 'imported' AS action, %(source)s AS source, NULL::bytea AS wording,
           NULL::bytea AS detail, %(now)s::timestamptz AS occurred_at
      FROM subscribed ORDER BY subscribed.position
)
"""

# With it a row takes 2 µs more, a tenth of the merging: only where somebody else has made one of
# them since the slice was looked up.
_UNLESS_THERE = "ON CONFLICT (key) DO NOTHING"

# In the order of addresses: so does the index grow, and two imports of the same people wait for
# each other and do not deadlock.
_ADD_NEW = f"""
WITH {_BATCH},
inserted AS (
    INSERT INTO recipients_recipient
           (address, key, domain, needs_smtputf8, fields, language, time_zone, imported_by_id,
            created_at, updated_at)
    SELECT address, key, domain, needs_smtputf8, fields, language, time_zone, %(import)s,
           %(now)s, %(now)s
      FROM batch WHERE recipient_id IS NULL ORDER BY position
           {{unless_there}}
    RETURNING id, key
),
subscribed AS MATERIALIZED (
    SELECT inserted.id AS recipient_id, batch.position, batch.subject
      FROM inserted JOIN batch ON batch.key = inserted.key
),
subscriptions AS (
    INSERT INTO recipients_subscription
           (recipient_id, mailing_list_id, state, imported_by_id, created_at, changed_at)
    SELECT recipient_id, %(list)s, 'confirmed', %(import)s, %(now)s, %(now)s
      FROM subscribed ORDER BY recipient_id
),
{_HAPPENED},
{consent.EVENTS}
SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM subscribed), written.*
  FROM (VALUES (1)) AS always LEFT JOIN ({consent.WRITTEN}) AS written ON true
"""

# What becomes of the fields of a known recipient; blanks overwrite nothing. `batch.fields` are all
# of the row's, `batch.filled` those that are not blank, NULL where all are filled.
_FIELDS = {
    MergePolicy.OVERWRITE: """
        batch.fields || recipient.fields || coalesce(batch.filled, batch.fields)""",
    MergePolicy.FILL: """
        recipient.fields || batch.fields || coalesce((
            SELECT jsonb_object_agg(field.name, field.value)
              FROM jsonb_each(recipient.fields) AS field (name, value)
             WHERE field.value <> '""'), '{}')""",
}
_COLUMN = {
    MergePolicy.OVERWRITE: "coalesce(nullif(batch.{name}, ''), recipient.{name})",
    MergePolicy.FILL: "coalesce(nullif(recipient.{name}, ''), batch.{name})",
}


def merged(policy: MergePolicy) -> str:
    """Return what becomes of `recipient` by this policy and `batch`, as a SELECT list."""
    columns = [_COLUMN[policy].format(name=name) for name in ("language", "time_zone")]
    return f"{_FIELDS[policy]} AS fields, {columns[0]} AS language, {columns[1]} AS time_zone"


# Locked in order of id, and then looked at again: between two statements somebody may have changed
# the recipient. Not its key: another import that subscribes or tags the same people does not wait
# for this one.
_CHANGE_KNOWN = f"""
WITH {_BATCH},
changed AS MATERIALIZED (
    SELECT changed.*
      FROM (SELECT * FROM batch WHERE recipient_id IS NOT NULL ORDER BY recipient_id) batch
     CROSS JOIN LATERAL (
           SELECT recipient.id, new.*,
                  jsonb_build_object('fields', recipient.fields, 'language', recipient.language,
                                     'time_zone', recipient.time_zone,
                                     'changed_at', %(now)s::timestamptz) AS before
             FROM recipients_recipient recipient CROSS JOIN LATERAL (SELECT {{merged}}) AS new
            WHERE recipient.id = batch.recipient_id
              AND (new.fields, new.language, new.time_zone)
                  IS DISTINCT FROM (recipient.fields, recipient.language, recipient.time_zone)
              FOR NO KEY UPDATE OF recipient) changed
),
noted AS (
    INSERT INTO recipients_importchange (importing_id, recipient_id, before)
    SELECT %(import)s, id, before FROM changed ON CONFLICT DO NOTHING
)
UPDATE recipients_recipient AS recipient
   SET fields = changed.fields, language = changed.language, time_zone = changed.time_zone,
       updated_at = %(now)s
  FROM changed WHERE recipient.id = changed.id
"""

# Who has a subscription to the list, in whatever state, keeps it: who has left stays away.
_SUBSCRIBE_KNOWN = f"""
WITH {_BATCH},
missing AS MATERIALIZED (
    SELECT recipient_id AS id, position, subject
      FROM batch
     WHERE recipient_id IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM recipients_subscription
                        WHERE mailing_list_id = %(list)s AND recipient_id = batch.recipient_id
                       OFFSET 0)
),
subscriptions AS (
    INSERT INTO recipients_subscription
           (recipient_id, mailing_list_id, state, imported_by_id, created_at, changed_at)
    SELECT id, %(list)s, 'confirmed', %(import)s, %(now)s, %(now)s FROM missing ORDER BY id
        ON CONFLICT DO NOTHING
    RETURNING recipient_id
),
subscribed AS MATERIALIZED (
    SELECT subscriptions.recipient_id, missing.position, missing.subject
      FROM subscriptions JOIN missing ON missing.id = subscriptions.recipient_id
),
{_HAPPENED},
{consent.EVENTS}
{consent.WRITTEN}
"""

_TAG = f"""
WITH {_BATCH}
INSERT INTO recipients_tagging (tag_id, recipient_id, imported_by_id)
SELECT tag.tag_id, batch.recipient_id, %(import)s
  FROM batch CROSS JOIN recipients_import_tags tag
 WHERE tag.import_id = %(import)s AND batch.recipient_id IS NOT NULL
 ORDER BY tag.tag_id, batch.recipient_id
    ON CONFLICT DO NOTHING
"""

# Of a slice: its rows, the suppressed ones, and of those the ones of people who were erased.
_SUPPRESSED = """
SELECT count(*),
       count(*) FILTER (WHERE sorted.address = ''
                           OR coalesce(by_digest.id, by_key.id, by_domain.id) IS NOT NULL),
       count(*) FILTER (WHERE sorted.address = '' OR by_digest.id IS NOT NULL)
  FROM import_sorted_{id} sorted
  LEFT JOIN recipients_suppression by_digest ON by_digest.digest = sorted.subject
  LEFT JOIN recipients_suppression by_key ON by_key.key = sorted.key
  LEFT JOIN recipients_suppression by_domain ON by_domain.key = sorted.domain
 WHERE sorted.position > %(first)s AND sorted.position <= %(last)s
"""


@transaction.atomic(durable=True)
def merge_next(import_id: int, *, now: datetime) -> bool:
    """Merge a slice that nobody else is at; return whether there was one."""
    chosen = (
        ImportSlice.objects.filter(importing_id=import_id, is_merged=False)
        .filter(importing__status=ImportStatus.IMPORTING)
        .order_by("number")
        .select_for_update(skip_locked=True, of=("self",))
        .select_related("importing")
        .first()
    )
    if chosen is None or _is_held(chosen.importing, now=now):
        return False
    _merge(chosen, now=now)
    return True


def _is_held(importing: Import, *, now: datetime) -> bool:
    """Stop an import whose values might be of another kind than their fields by now."""
    names = changed(Layout.from_dict(importing.layout))
    if names:
        Import.objects.filter(pk=importing.pk, status=ImportStatus.IMPORTING).update(
            status=ImportStatus.STOPPED, trouble=to_undo(names).stored, moved_at=now
        )
    return bool(names)


def _merge(chosen: ImportSlice, *, now: datetime) -> None:
    importing = chosen.importing
    params: dict[str, Any] = {
        "first": chosen.number * SLICE,
        "last": (chosen.number + 1) * SLICE,
        "import": importing.pk,
        "list": importing.mailing_list_id,
        "source": source_of(importing),
        "now": now,
    }
    locks.write_addresses()
    with connection.cursor() as cursor:
        cursor.execute(_LOOK_UP)

        def run(sql: str, **parts: str) -> Any:
            cursor.execute(sql.format(id=importing.pk, **parts), params)
            return cursor

        try:
            with transaction.atomic():
                added = run(_ADD_NEW, unless_there="")
        except IntegrityError:
            added = run(_ADD_NEW, unless_there=_UNLESS_THERE)
        rows, new, *block = added.fetchone()
        blocks = [block] if new else []
        changed = 0
        if new < rows:
            if importing.policy != MergePolicy.LEAVE:
                policy = MergePolicy(importing.policy)
                changed = run(_CHANGE_KNOWN, merged=merged(policy)).rowcount
            if more := run(_SUBSCRIBE_KNOWN).fetchone():
                blocks.append(list(more))
        if importing.tags.exists():
            run(_TAG)
        size, suppressed, erased = run(_SUPPRESSED).fetchone()
    chosen.is_merged = True
    chosen.save(update_fields=["is_merged"])
    consent.seal([consent.Written(*block) for block in blocks], now=now)
    Import.objects.filter(pk=importing.pk).update(
        merged=F("merged") + size,
        new=F("new") + new,
        changed=F("changed") + changed,
        unchanged=F("unchanged") + rows - new - changed,
        duplicates=F("duplicates") + size - erased - rows,
        suppressed=F("suppressed") + suppressed,
        moved_at=Greatest("moved_at", now),  # of slices at once, the last to end began earlier
    )


def source_of(importing: Import) -> str:
    """Return how the consent ledger names an import; the file is named by its content."""
    declared = f": {importing.declaration}" if importing.declaration else ""
    return f"import {importing.pk}, file {importing.sha256[:16]}{declared}"[:300]

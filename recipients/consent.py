"""The consent ledger's only pen: who agreed to what, when, by which words.

Events are written in blocks, one for each transaction, and each block's hash covers the one before
it: what was changed, added in between or taken away later does not go unnoticed.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from os import urandom
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max

from recipients.digests import digest
from recipients.models import (
    ConsentAction,
    ConsentBlock,
    ConsentDetail,
    ConsentPurpose,
    ConsentWording,
)

# Held to the end of the transaction: one block follows another. Taken when all else is done, so
# that nobody waits for a large import.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('recipients.consent', 0))"

# An event as it is hashed: only the last of the values may be any text, and that is written as
# JSON, on one line. Times are microseconds. (jsonb_build_array takes three times as long.)
_LINE = """
concat(event.id, '|', encode(event.subject, 'hex'), '|', event.recipient_id, '|',
       event.mailing_list_id, '|', event.purpose, '|', event.action, '|',
       encode(event.wording, 'hex'), '|', encode(event.detail, 'hex'), '|',
       (extract(epoch FROM event.occurred_at) * 1000000)::bigint, '|', to_json(event.source))
"""
# SHA-256 of the events of a block in order of their ids, one on each line.
CONTENT = f"""
sha256(convert_to(string_agg({_LINE}, E'\\n' ORDER BY event.id), 'UTF8'))
"""

# Parts of a statement that writes events, from a CTE `happened` of (subject, recipient_id,
# mailing_list_id, purpose, action, source, wording, detail, occurred_at). Its last SELECT is
# WRITTEN; what that returns has to be given to `seal`.
EVENTS = """
block AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('recipients_consentblock', 'id')) AS id
),
event AS (
    INSERT INTO recipients_consentevent
           (block_id, subject, recipient_id, mailing_list_id, purpose, action, source, wording,
            detail, occurred_at)
    SELECT block.id, happened.subject, happened.recipient_id, happened.mailing_list_id,
           happened.purpose, happened.action, happened.source, happened.wording,
           happened.detail, happened.occurred_at
      FROM happened CROSS JOIN block
    RETURNING *
)
"""
WRITTEN = f"""
SELECT block.id, {CONTENT}, count(*), min(event.id), max(event.id)
  FROM event CROSS JOIN block GROUP BY block.id
"""

_RECORD = f"""
WITH happened AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(events)s::jsonb) AS happened
           (subject bytea, recipient_id bigint, mailing_list_id bigint, purpose text, action text,
            source text, wording bytea, detail bytea, occurred_at timestamptz)
),
{EVENTS}
SELECT (SELECT array_agg(id ORDER BY id) FROM event), written.* FROM ({WRITTEN}) written
"""

_SEAL = """
INSERT INTO recipients_consentblock
       (id, number, previous_hash, content, hash, events, first_event, last_event, created_at)
SELECT %(block)s, coalesce(head.number, 0) + 1, previous.hash, %(content)s,
       sha256(previous.hash || %(content)s::bytea), %(events)s, %(first)s, %(last)s, %(now)s
  FROM (SELECT max(number) AS number FROM recipients_consentblock) head
  LEFT JOIN recipients_consentblock newest ON newest.number = head.number
 CROSS JOIN LATERAL (
       SELECT coalesce(newest.hash, decode(repeat('00', 32), 'hex')) AS hash) previous
"""

# Under the lock, so that nobody waits for a sum and has what another one waits for.
_TALLY = """
INSERT INTO recipients_consenttally AS tally (mailing_list_id, day, action, count)
SELECT mailing_list_id, (occurred_at AT TIME ZONE 'UTC')::date, action, count(*)
  FROM recipients_consentevent
 WHERE block_id = %(block)s AND id BETWEEN %(first)s AND %(last)s AND mailing_list_id IS NOT NULL
 GROUP BY 1, 2, 3
    ON CONFLICT (mailing_list_id, day, action) DO UPDATE SET count = tally.count + excluded.count
"""

_MISCOUNTED = """
SELECT mailing_list_id, day, action, coalesce(counted.count, 0), coalesce(tally.count, 0)
  FROM (SELECT mailing_list_id, (occurred_at AT TIME ZONE 'UTC')::date AS day, action,
               count(*) AS count
          FROM recipients_consentevent WHERE mailing_list_id IS NOT NULL
         GROUP BY 1, 2, 3) AS counted
  FULL JOIN recipients_consenttally tally USING (mailing_list_id, day, action)
 WHERE coalesce(counted.count, 0) <> coalesce(tally.count, 0)
 ORDER BY 1, 2, 3
"""
_COUNT_ANEW = f"""
WITH other (mailing_list_id, day, action, expected, actual) AS ({_MISCOUNTED}), gone AS (
    DELETE FROM recipients_consenttally AS tally USING other
     WHERE (tally.mailing_list_id, tally.day, tally.action)
           = (other.mailing_list_id, other.day, other.action) AND expected = 0
)
INSERT INTO recipients_consenttally (mailing_list_id, day, action, count)
SELECT mailing_list_id, day, action, expected FROM other WHERE expected > 0
    ON CONFLICT (mailing_list_id, day, action) DO UPDATE SET count = excluded.count
"""

_RECOUNT = f"""
WITH block AS MATERIALIZED (
    SELECT * FROM recipients_consentblock
     WHERE number > %(after)s AND number <= %(after)s + %(size)s
)
SELECT block.number, block.previous_hash, block.hash, block.events, count(event.id),
       sha256(block.previous_hash || coalesce({CONTENT}, ''))
  FROM block
  LEFT JOIN recipients_consentevent event
         ON event.block_id = block.id
        AND event.id BETWEEN (SELECT min(first_event) FROM block)
                         AND (SELECT max(last_event) FROM block)
 GROUP BY block.number, block.previous_hash, block.hash, block.events
 ORDER BY block.number
"""
_BLOCKS_AT_ONCE = 500
_LISTED = 100  # sums named that are wrong

_STRAY = """
SELECT id FROM recipients_consentevent event
 WHERE NOT EXISTS (SELECT 1 FROM recipients_consentblock WHERE id = event.block_id)
"""

_REWORDED = """
SELECT encode(digest, 'hex') FROM recipients_consentwording
 WHERE digest <> sha256(convert_to(language || E'\n' || text, 'UTF8'))
"""

_GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Origin:
    """From where a person spoke; kept only where the installation's policy wants that."""

    ip: str | None = None
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """Something that a person, identified by `Recipient.key`, agreed to or withdrew."""

    key: str
    action: ConsentAction
    source: str
    """How it came here, at most 300 characters, without an address."""
    recipient_id: int | None = None
    mailing_list_id: int | None = None
    """None: the purpose says what it is about."""
    purpose: ConsentPurpose = ConsentPurpose.LIST
    wording: bytes | None = None
    """As `keep_wording` returned it."""
    origin: Origin | None = None


class Written(NamedTuple):
    """What WRITTEN returns: a block that is not in the chain yet."""

    block: int
    content: bytes
    events: int
    first: int
    last: int


def subject(key: str) -> bytes:
    """Return the digest by which the ledger, and suppression of erased people, know an address."""
    return digest(key, secret=settings.ADDRESS_KEY)


def keep_wording(text: str, *, language: str = "") -> bytes:
    """Keep the words that people are shown, and return the digest that stands for them."""
    wording = wording_digest(text, language=language)
    ConsentWording.objects.bulk_create(
        [ConsentWording(digest=wording, language=language, text=text)], ignore_conflicts=True
    )
    return wording


def wording_digest(text: str, *, language: str = "") -> bytes:
    """Return what stands for words: SHA-256 of language, LF, text."""
    return sha256(f"{language}\n{text}".encode()).digest()


@transaction.atomic
def record(consents: Iterable[Consent], *, now: datetime) -> None:
    """Write what happened to the ledger, as one block; nothing where nothing happened."""
    happened = list(consents)
    if not happened:
        return
    salts = [urandom(16) if each.origin and _keeps_origin() else None for each in happened]
    events = [_event(each, salt, now=now) for each, salt in zip(happened, salts, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, {"events": json.dumps(events)})
        ids, *written = cursor.fetchone()
    ConsentDetail.objects.bulk_create(
        ConsentDetail(
            event_id=pk, salt=salt, ip=each.origin.ip, user_agent=each.origin.user_agent[:300]
        )
        for pk, each, salt in zip(ids, happened, salts, strict=True)
        if salt and each.origin
    )
    seal([Written(*written)], now=now)


def seal(written: Iterable[Written], *, now: datetime) -> None:
    """Add blocks to the chain whose events were written in this transaction: its last act.

    And count what they say of each list.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
        for block in written:
            cursor.execute(_SEAL, {**block._asdict(), "now": now})
            cursor.execute(_TALLY, block._asdict())


@dataclass(frozen=True, slots=True)
class Verified:
    """What `verify` found; no problem means that the ledger is as it was written."""

    events: int
    blocks: int
    head: str
    """The hash of the newest block in hexadecimal digits."""
    problems: list[str]


def verify() -> Verified:
    """Recompute the whole chain, some hundred blocks at a time."""
    events, blocks, previous, problems = 0, 0, _GENESIS, _strays()
    for number, claimed_previous, claimed_hash, claimed, counted, computed in _recounted():
        if bytes(claimed_previous) != previous or number != blocks + 1:
            problems.append(f"block {number}: does not follow the block before it")
        if claimed != counted or bytes(claimed_hash) != bytes(computed):
            problems.append(f"block {number}: its events are not those that were written")
        previous, events, blocks = bytes(claimed_hash), events + counted, number
    return Verified(events, blocks, previous.hex(), problems)


@transaction.atomic
def miscounted(*, repair: bool = False) -> list[str]:
    """Return where what is counted by list and day is not what the events say; mend it, if wanted.

    Some are named; with `repair` all are mended.
    """
    with connection.cursor() as cursor:
        if repair:
            cursor.execute(_LOCK)
        cursor.execute(f"{_MISCOUNTED} LIMIT {_LISTED}")
        found = cursor.fetchall()
        if repair:
            cursor.execute(_COUNT_ANEW)
    return [
        f"list {pk} on {day}: {action} is {actual}, and should be {expected}"
        for pk, day, action, expected, actual in found
    ]


def has_block(hash_digits: str) -> bool:
    """Whether a block has this hash, in hexadecimal digits."""
    try:
        return ConsentBlock.objects.filter(hash=bytes.fromhex(hash_digits)).exists()
    except ValueError:
        return False


def _strays() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_STRAY)
        stray = [f"event {pk}: belongs to no block" for (pk,) in cursor.fetchall()]
        cursor.execute(_REWORDED)
        return stray + [f"wording {digits}: was changed" for (digits,) in cursor.fetchall()]


def _recounted() -> Iterator[tuple[Any, ...]]:
    newest = ConsentBlock.objects.aggregate(number=Max("number"))["number"] or 0
    with connection.cursor() as cursor:
        for after in range(0, newest, _BLOCKS_AT_ONCE):
            cursor.execute(_RECOUNT, {"after": after, "size": _BLOCKS_AT_ONCE})
            yield from cursor.fetchall()


def _event(consent: Consent, salt: bytes | None, *, now: datetime) -> dict[str, Any]:
    detail = None
    if salt and consent.origin:
        detail = detail_digest(salt, consent.origin.ip, consent.origin.user_agent[:300])
    return {
        "subject": _hex(subject(consent.key)),
        "recipient_id": consent.recipient_id,
        "mailing_list_id": consent.mailing_list_id,
        "purpose": consent.purpose,
        "action": consent.action,
        "source": consent.source[:300],
        "wording": _hex(consent.wording),
        "detail": _hex(detail),
        "occurred_at": now.isoformat(),
    }


def detail_digest(salt: bytes, ip: str | None, user_agent: str) -> bytes:
    """Return what an event keeps of where a person spoke from: SHA-256 of salt, JSON of both."""
    return sha256(salt + json.dumps([ip, user_agent]).encode()).digest()


def _hex(value: bytes | None) -> str | None:
    return None if value is None else f"\\x{value.hex()}"


def _keeps_origin() -> bool:
    return bool(settings.CONSENT_ORIGIN_DAYS)

"""Addresses and domains that are left alone: added by whoever learns of it, lifted by rules."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from recipients import consent, locks
from recipients.addresses import BadAddress, parse_address
from recipients.consent import Consent, Origin, subject
from recipients.models import (
    ConsentAction,
    ConsentPurpose,
    LiftedSuppression,
    Recipient,
    Suppression,
    SuppressionReason,
)
from recipients.translatable import number

BATCH = 2_000  # entries in one statement
LONGEST_SOURCE = 200  # characters
_LISTED = 10  # lines that cannot be read

# A reason that binds us more takes the place of one that binds us less: who may lift it changes.
_RANKS: Mapping[SuppressionReason, int] = {
    SuppressionReason.SOFT_BOUNCE: 0,
    SuppressionReason.MANUAL: 1,
    SuppressionReason.BOUNCE: 2,
    SuppressionReason.COMPLAINT: 3,
    SuppressionReason.UNSUBSCRIBED: 4,
    SuppressionReason.ERASED: 5,
}
_WHEN = " ".join(f"WHEN '{reason}' THEN {rank}" for reason, rank in _RANKS.items())

_SAID_BY_PERSON = (SuppressionReason.UNSUBSCRIBED, SuppressionReason.COMPLAINT)

# In order of the keys, so that two who suppress the same ones do not block each other. What was
# known before stays legible in the source.
_SUPPRESS = f"""
INSERT INTO recipients_suppression AS known (key, reason, source, created_at)
SELECT key, %(reason)s, %(source)s, %(now)s
  FROM unnest(%(keys)s::text[]) AS entry (key) ORDER BY key
    ON CONFLICT (key) DO UPDATE
   SET reason = excluded.reason,
       source = left(excluded.source || '; before: ' || known.reason || ' (' || known.source || ')',
                     {LONGEST_SOURCE})
 WHERE CASE excluded.reason {_WHEN} END > CASE known.reason {_WHEN} END
RETURNING key, xmax = 0 AS is_new
"""


class BadEntry(ValueError):
    """Neither an address nor a domain; the text says what is wrong."""


class NotLifted(Exception):
    """A suppression that may not be lifted like this; the text says why, and who may."""


def parse_entry(text: str) -> str:
    """Read an address or a domain (`example.org`, `@example.org`) as suppressions are stored.

    :raises BadEntry:
    """
    text = text.strip()
    if not text:
        raise BadEntry(_("write an address, or a domain"))
    try:
        if "@" in text.lstrip("@"):
            return parse_address(text).key
        return parse_address(f"postmaster@{text.lstrip('@')}").domain
    except BadAddress as error:
        raise BadEntry(str(error)) from None


def stronger(reasons: Iterable[SuppressionReason]) -> SuppressionReason:
    """Return the reason among them that binds us most."""
    return max(reasons, key=lambda reason: _RANKS[reason])


def entries_of(text: str) -> list[str]:
    """Read one address or domain from each line, each once; empty lines are passed over.

    :raises BadEntry: some cannot be read; the first ones are named, with their lines.
    """
    keys: dict[str, None] = {}
    bad: list[str] = []
    for row, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            keys[parse_entry(line)] = None
        except BadEntry as error:
            bad.append(_("line %(number)s: %(reason)s") % {"number": row, "reason": error})
    if bad:
        rest = len(bad) - _LISTED
        more = [_("and %(count)s more") % {"count": number(rest)}] if rest > 0 else []
        raise BadEntry("; ".join(bad[:_LISTED] + more))
    if not keys:
        raise BadEntry(_("write an address, or a domain"))
    return list(keys)


def suppress(
    key: str,
    *,
    reason: SuppressionReason,
    source: str,
    now: datetime,
    origin: Origin | None = None,
) -> bool:
    """Let nobody mail this address, or this domain, any more; return whether that is new.

    :param source: who says so, without an address
    """
    return suppress_all([key], reason=reason, source=source, now=now, origin=origin) == 1


@transaction.atomic
def suppress_all(
    keys: Iterable[str],
    *,
    reason: SuppressionReason,
    source: str,
    now: datetime,
    origin: Origin | None = None,
) -> int:
    """Let nobody mail these any more; return how many of them are new.

    A known one takes the reason if it binds us more. Who was erased is suppressed already, and not
    written down again. Where people said so themselves, by leaving or by a complaint, their consent
    to anything is withdrawn.
    """
    locks.write_addresses()
    params = {"reason": reason, "source": source[:LONGEST_SOURCE], "now": now}
    written = [row for batch in _batches(keys) for row in _suppress(batch, params)]
    if reason in _SAID_BY_PERSON:
        changed = [key for key, _ in written]
        consent.record(_withdrawn(changed, source=source, origin=origin), now=now)
    return sum(is_new for _, is_new in written)


def _suppress(keys: list[str], params: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Return those that were written, and whether each of them is new."""
    known = erased(keys)
    with connection.cursor() as cursor:
        cursor.execute(_SUPPRESS, {**params, "keys": [key for key in keys if key not in known]})
        return list(cursor.fetchall())


def _withdrawn(keys: list[str], *, source: str, origin: Origin | None) -> Iterable[Consent]:
    ids = dict(Recipient.objects.filter(key__in=keys).values_list("key", "pk"))
    for key in keys:
        yield Consent(
            key,
            ConsentAction.WITHDRAWN,
            source,
            recipient_id=ids.get(key),
            purpose=ConsentPurpose.EVERYTHING,
            origin=origin,
        )


def _batches(keys: Iterable[str]) -> Iterable[list[str]]:
    unique = sorted(set(keys))
    return (unique[at : at + BATCH] for at in range(0, len(unique), BATCH))


def erased(keys: Iterable[str]) -> set[str]:
    """Return those of these keys whose owners were erased; nothing is to be stored of them."""
    digests = {subject(key): key for key in keys}
    found = Suppression.objects.filter(digest__in=list(digests)).values_list("digest", flat=True)
    return {digests[bytes(digest or b"")] for digest in found}


@transaction.atomic
def lift(
    key: str, *, why: str, by: str, even_complaints: bool = False, now: datetime
) -> SuppressionReason:
    """Let an address or a domain be mailed again, as staff may; return why it was suppressed.

    :param by: who lifts it
    :param even_complaints: whether they may lift what follows a complaint
    :raises NotLifted: it is not suppressed, or only its owner may lift it.
    """
    if key in erased([key]):
        raise NotLifted(
            _("%(key)s asked to be forgotten; only they themselves may come back") % {"key": key}
        )
    known = Suppression.objects.select_for_update().filter(key=key).first()
    if known is None:
        raise NotLifted(_("%(key)s is not suppressed") % {"key": key})
    _refuse(known, why=why.strip(), even_complaints=even_complaints)
    _lift(known, why=why.strip(), by=by, now=now)
    return SuppressionReason(known.reason)


@transaction.atomic
def take_back(key: str, *, reason: SuppressionReason, why: str, now: datetime) -> bool:
    """Lift a suppression for this reason, because it does not hold; return whether there was one.

    What else was said of the address has taken the place of a weaker reason, and stays.
    """
    known = Suppression.objects.select_for_update().filter(key=key, reason=reason).first()
    if known:
        _lift(known, why=why, by="", now=now)
    return known is not None


def _lift(known: Suppression, *, why: str, by: str, now: datetime) -> None:
    LiftedSuppression.objects.create(
        key=known.key or "",
        reason=known.reason,
        source=known.source,
        suppressed_at=known.created_at,
        lifted_at=now,
        lifted_by=by[:150],
        why=why[:500],
    )
    known.delete()


def _refuse(known: Suppression, *, why: str, even_complaints: bool) -> None:
    if known.reason == SuppressionReason.UNSUBSCRIBED:
        raise NotLifted(
            _("%(key)s asked for no mail at all; only they themselves may come back")
            % {"key": known.key}
        )
    if not why:
        raise NotLifted(_("say why it is lifted"))
    if known.reason == SuppressionReason.COMPLAINT and not even_complaints:
        raise NotLifted(
            _("%(key)s complained; lifting that needs a permission of its own") % {"key": known.key}
        )

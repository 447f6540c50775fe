"""Two rows that are one person become one; nothing that the person refused is lost in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from recipients import consent, locks
from recipients.consent import Consent
from recipients.models import (
    ConsentAction,
    ConsentPurpose,
    ImportChange,
    Merge,
    MergePolicy,
    Recipient,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
    Tagging,
    TrackingConsent,
)
from recipients.privacy import holders
from recipients.suppression import stronger, suppress_all

# Who left a list by one address has left it.
_STRENGTH = (
    SubscriptionState.PENDING,
    SubscriptionState.CONFIRMED,
    SubscriptionState.UNSUBSCRIBED,
)
# What staff declare when they say that two addresses are one person's.
_ACTIONS: Mapping[str, ConsentAction] = {
    SubscriptionState.PENDING: ConsentAction.GRANTED,
    SubscriptionState.CONFIRMED: ConsentAction.IMPORTED,
    SubscriptionState.UNSUBSCRIBED: ConsentAction.WITHDRAWN,
}
_LISTED = 100

# Addresses that reach one mailbox: a tag after a plus is nobody's own, and Gmail knows no dots.
# Only hints: elsewhere a plus may be a part of the name.
_SAME_MAILBOX = """
SELECT array_agg(id ORDER BY id)
  FROM (SELECT id, CASE WHEN domain IN ('gmail.com', 'googlemail.com')
                        THEN replace(split_part(split_part(key, '@', 1), '+', 1), '.', '')
                             || '@gmail.com'
                        ELSE split_part(split_part(key, '@', 1), '+', 1) || '@' || domain
                   END AS mailbox
          FROM recipients_recipient) AS reduced
 GROUP BY mailbox HAVING count(*) > 1
 ORDER BY min(id) LIMIT %(most)s
"""
_SAME_NAME = """
SELECT array_agg(id ORDER BY id)
  FROM recipients_recipient
 WHERE fields ->> 'first_name' <> '' AND fields ->> 'last_name' <> ''
 GROUP BY lower(fields ->> 'first_name'), lower(fields ->> 'last_name'), domain
HAVING count(*) BETWEEN 2 AND 5
 ORDER BY min(id) LIMIT %(most)s
"""


class NotMerged(Exception):
    """These two cannot become one; the text says why."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Recipients who may be the same person, and why one may think so."""

    why: str
    recipients: list[Recipient]


def hints() -> list[Hint]:
    """Return likely duplicates, the oldest first; it reads all recipients."""
    by_mailbox = list(_hints(_("The address reaches the same mailbox"), _SAME_MAILBOX))
    by_name = _hints(_("The same name at the same domain"), _SAME_NAME)
    listed = [hint.recipients for hint in by_mailbox]
    return [*by_mailbox, *(hint for hint in by_name if hint.recipients not in listed)]


def _hints(why: str, sql: str) -> Iterator[Hint]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"most": _LISTED})
        groups = [ids for (ids,) in cursor.fetchall()]
    known = Recipient.objects.in_bulk([pk for ids in groups for pk in ids])
    for ids in groups:
        yield Hint(why, [known[pk] for pk in ids if pk in known])


@transaction.atomic
def merge(
    keep: int, other: int, *, policy: MergePolicy = MergePolicy.FILL, by: str, now: datetime
) -> Recipient:
    """Make the other recipient a part of the one that is kept; the other row goes.

    On a list both are on, to have left it counts most, then to be confirmed. The suppression of
    one address becomes that of both. The ledger's events stay under their ids, which `Merge` knows.

    :param policy: which fields are taken over, as for an import of the other one
    :raises NotMerged: one of them is not there any more, or they are the same.
    """
    locks.erase_addresses()
    kept, gone = _held(keep, other)
    source = f"recipient {gone.pk} was merged into {kept.pk}"
    for holder in holders():
        if holder.merge:
            holder.merge(kept.pk, gone.pk, now)
    said = [*_tracking(kept, gone, source), *_subscriptions(kept, gone, source, now=now)]
    _fields(kept, gone, policy, now=now)
    _references(kept, gone)
    _note(kept, gone, by=by, now=now)
    gone.delete()
    _external_id(kept, gone)
    _suppress_both(kept, gone, source=source, now=now)
    consent.record(said, now=now)
    return kept


def taken_over(key: str) -> Recipient | None:
    """Return the recipient that one with this address became a part of."""
    merge = Merge.objects.select_related("recipient").filter(former_key=key).first()
    return merge.recipient if merge else None


def _held(keep: int, other: int) -> tuple[Recipient, Recipient]:
    if keep == other:
        raise NotMerged(_("this is one recipient; choose another one"))
    pair = Recipient.objects.filter(pk__in=[keep, other]).order_by("pk").select_for_update()
    found = {recipient.pk: recipient for recipient in pair}
    if len(found) < 2:
        raise NotMerged(_("one of them is not there any more"))
    return found[keep], found[other]


def _tracking(kept: Recipient, gone: Recipient, source: str) -> Iterator[Consent]:
    """Take over what was said about being measured; a no counts most."""
    words = {kept.tracking_consent, gone.tracking_consent}
    word = max(words, key=[*TrackingConsent.values].index)  # unknown, granted, denied
    if word == kept.tracking_consent:
        return
    kept.tracking_consent = word
    denied = word == TrackingConsent.DENIED
    action = ConsentAction.WITHDRAWN if denied else ConsentAction.IMPORTED
    yield Consent(kept.key, action, source, kept.pk, purpose=ConsentPurpose.TRACKING)


def _subscriptions(
    kept: Recipient, gone: Recipient, source: str, *, now: datetime
) -> Iterator[Consent]:
    own = {each.mailing_list_id: each for each in Subscription.objects.filter(recipient=kept)}
    for former in Subscription.objects.filter(recipient=gone).order_by("pk"):
        list_id = former.mailing_list_id
        if former.state != SubscriptionState.UNSUBSCRIBED:
            yield Consent(gone.key, ConsentAction.WITHDRAWN, source, gone.pk, list_id)
        subscription = own.get(list_id) or Subscription(recipient=kept, mailing_list_id=list_id)
        if subscription.pk and not _is_stronger(former.state, subscription.state):
            continue
        subscription.state = former.state
        subscription.save()
        yield Consent(kept.key, _ACTIONS[former.state], source, kept.pk, list_id)


def _is_stronger(state: str, than: str) -> bool:
    order = [each.value for each in _STRENGTH]
    return order.index(state) > order.index(than)


def _fields(kept: Recipient, gone: Recipient, policy: MergePolicy, *, now: datetime) -> None:
    filled = {name: value for name, value in gone.fields.items() if value not in ("", None)}
    own = {name: value for name, value in kept.fields.items() if value not in ("", None)}
    if policy == MergePolicy.FILL:
        kept.fields = {**kept.fields, **filled, **own}
    elif policy == MergePolicy.OVERWRITE:
        kept.fields = {**kept.fields, **filled}
    for name in ("language", "time_zone"):
        first, second = (gone, kept) if policy == MergePolicy.OVERWRITE else (kept, gone)
        if policy != MergePolicy.LEAVE:
            setattr(kept, name, getattr(first, name) or getattr(second, name))
    pauses = [pause for pause in (kept.paused_until, gone.paused_until) if pause]
    kept.paused_until = max(pauses, default=None)
    kept.updated_at = now
    kept.save()


def _references(kept: Recipient, gone: Recipient) -> None:
    """Hand over what else names the other one, but for what the first has as well."""
    tags = Tagging.objects.filter(recipient=kept).values("tag")
    Tagging.objects.filter(recipient=gone).exclude(tag__in=tags).update(recipient=kept)
    imports = ImportChange.objects.filter(recipient=kept).values("importing")
    changes = ImportChange.objects.filter(recipient=gone).exclude(importing__in=imports)
    changes.update(recipient=kept)
    Merge.objects.filter(recipient=gone).update(recipient=kept)


def _external_id(kept: Recipient, gone: Recipient) -> None:
    """Take over what another system calls them, once the other row is gone: it is one row's."""
    if not kept.external_id and gone.external_id:
        kept.external_id = gone.external_id
        kept.save(update_fields=["external_id"])


def _note(kept: Recipient, gone: Recipient, *, by: str, now: datetime) -> None:
    Merge.objects.create(
        recipient=kept,
        former_id=gone.pk,
        former_address=gone.address,
        former_key=gone.key,
        merged_by=by[:150],
        merged_at=now,
    )


def _suppress_both(kept: Recipient, gone: Recipient, *, source: str, now: datetime) -> None:
    keys = [kept.key, gone.key]
    entries = Suppression.objects.filter(key__in=keys).values_list("reason", flat=True)
    reasons = [SuppressionReason(reason) for reason in entries]
    if reasons:
        # Soft bounces were of one of them: that both are suppressed, staff say who merged them.
        reason = stronger([SuppressionReason.MANUAL, *reasons])
        suppress_all(keys, reason=reason, source=source, now=now)

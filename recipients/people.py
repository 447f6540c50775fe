"""What staff do with recipients, one or many: add, change, subscribe, unsubscribe."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from recipients import consent, locks
from recipients.addresses import Address
from recipients.consent import Consent
from recipients.models import (
    ConsentAction,
    MailingList,
    Recipient,
    Signup,
    Subscription,
    SubscriptionState,
    Tag,
    Tagging,
)
from recipients.suppression import erased


class NotSaved(Exception):
    """What was typed about a recipient cannot be saved; the text says why."""


class Known(NotSaved):
    """Another recipient has this address."""

    def __init__(self, recipient: Recipient) -> None:
        super().__init__(
            _("there is a recipient with this address: %(address)s")
            % {"address": recipient.address}
        )
        self.pk = recipient.pk


@dataclass(frozen=True, slots=True)
class Typed:
    """What staff say about one recipient."""

    address: Address
    fields: Mapping[str, Any]
    language: str = ""
    time_zone: str = ""
    tags: Collection[Tag] = ()


@transaction.atomic
def add(typed: Typed, *, lists: Iterable[MailingList], source: str, now: datetime) -> Recipient:
    """Add a recipient, confirmed on these lists: staff declare that the person agreed.

    :param source: for the consent ledger, without an address.
    :raises NotSaved: the address is somebody's, or of somebody who asked to be forgotten.
    """
    locks.write_addresses()
    recipient = Recipient()
    _write(recipient, typed)
    for mailing_list in lists:
        subscribe([recipient.pk], mailing_list, source=source, now=now)
    return recipient


@transaction.atomic
def change(pk: int, typed: Typed, *, seen: datetime) -> Recipient:
    """Change a recipient that nobody has changed since it was seen.

    :param seen: its `updated_at` as the form was shown.
    :raises NotSaved: somebody changed it meanwhile, or see `add`.
    :raises Recipient.DoesNotExist: erased or merged since.
    """
    locks.write_addresses()
    recipient = Recipient.objects.select_for_update().get(pk=pk)
    if recipient.updated_at != seen:
        raise NotSaved(_("somebody changed this recipient meanwhile; look at it again"))
    _write(recipient, typed)
    return recipient


def _write(recipient: Recipient, typed: Typed) -> None:
    address = typed.address
    if recipient.key != address.key:
        _refuse(address.key)
    recipient.address, recipient.key = address.addr_spec, address.key
    recipient.domain, recipient.needs_smtputf8 = address.domain, address.needs_smtputf8
    recipient.fields = dict(typed.fields)
    recipient.language, recipient.time_zone = typed.language, typed.time_zone
    try:
        with transaction.atomic():
            recipient.save()
    except IntegrityError:
        _refuse(address.key)  # somebody was faster
        raise
    Tagging.objects.filter(recipient=recipient).exclude(tag__in=typed.tags).delete()
    taggings = [Tagging(tag=tag, recipient=recipient) for tag in typed.tags]
    Tagging.objects.bulk_create(taggings, ignore_conflicts=True)


def _refuse(key: str) -> None:
    if erased([key]):
        raise NotSaved(_("this person asked to be forgotten; only they themselves may come back"))
    if found := Recipient.objects.filter(key=key).first():
        raise Known(found)


# --- lists ----------------------------------------------------------------------------------------


@transaction.atomic
def subscribe(
    ids: Collection[int], mailing_list: MailingList, *, source: str, now: datetime
) -> int:
    """Confirm recipients on a list because staff declare so; return how many were not on it.

    Who has left the list stays away: only they themselves may come back.
    """
    there = _held(ids)
    standing = dict(
        Subscription.objects.filter(mailing_list=mailing_list, recipient__in=there).values_list(
            "recipient_id", "state"
        )
    )
    pending = [pk for pk, state in standing.items() if state == SubscriptionState.PENDING]
    new = [pk for pk in there if pk not in standing]
    confirmed = SubscriptionState.CONFIRMED
    Subscription.objects.bulk_create(
        (Subscription(recipient_id=pk, mailing_list=mailing_list, state=confirmed) for pk in new),
        ignore_conflicts=True,  # an import of the same people may be faster
    )
    Subscription.objects.filter(mailing_list=mailing_list, recipient__in=pending).update(
        state=confirmed, changed_at=now
    )
    joined = {pk: there[pk] for pk in sorted([*new, *pending])}
    events = _events(joined, mailing_list, ConsentAction.IMPORTED, source)
    consent.record(events, now=now)
    return len(joined)


@transaction.atomic
def unsubscribe(
    ids: Collection[int], mailing_list: MailingList, *, source: str, now: datetime
) -> int:
    """Take recipients off a list; return how many were on it, or were asked to confirm."""
    there = _held(ids)
    on_list = Subscription.objects.filter(mailing_list=mailing_list, recipient__in=there).exclude(
        state=SubscriptionState.UNSUBSCRIBED
    )
    left = {pk: there[pk] for pk in sorted(on_list.values_list("recipient_id", flat=True))}
    Subscription.objects.filter(mailing_list=mailing_list, recipient__in=left).update(
        state=SubscriptionState.UNSUBSCRIBED, changed_at=now
    )
    Signup.objects.filter(mailing_list=mailing_list, recipient__in=there).delete()
    consent.record(_events(left, mailing_list, ConsentAction.WITHDRAWN, source), now=now)
    return len(left)


def _held(ids: Collection[int]) -> dict[int, str]:
    """Lock those of these recipients who are still there; return their keys, by their ids."""
    locks.write_addresses()
    held = Recipient.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    return dict(held.values_list("pk", "key"))


def _events(
    keys: Mapping[int, str], mailing_list: MailingList, action: ConsentAction, source: str
) -> Iterator[Consent]:
    for pk, key in keys.items():
        yield Consent(key, action, source, recipient_id=pk, mailing_list_id=mailing_list.pk)

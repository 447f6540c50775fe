"""What people do with recipients: subscribe and unsubscribe them, leave them alone."""

from collections.abc import Iterable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.fields.json import KeyTransform
from django.utils.translation import gettext as _

from recipients import consent, locks
from recipients.consent import Consent, Origin
from recipients.models import (
    ConsentAction,
    MailingList,
    Recipient,
    Signup,
    Subscription,
    SubscriptionState,
    SuppressionReason,
)
from recipients.suppression import suppress
from recipients.validators import in_one_line
from recipients.values import BadValue, Kind


class Refused(Exception):
    """What was asked for cannot be done; the text says why."""


def misfit(name: str, kind: Kind) -> str:
    """Return why a value that recipients have under this name is none of this kind, or nothing.

    Deleting a field leaves its values where they are.
    """
    stored = Recipient.objects.filter(fields__has_key=name).order_by()
    values = stored.values_list(KeyTransform(name, "fields"), flat=True).distinct()
    for value in values.iterator():
        try:
            kind.check(value)
        except BadValue as error:
            return str(error)
    return ""


def get_list(name: str) -> MailingList:
    """Return the list of this name, made if there is none.

    :raises Refused: a list cannot have this name.
    """
    name = name.strip()
    if known := MailingList.objects.filter(name=name).first():
        return known
    mailing_list = MailingList(name=name)
    try:
        mailing_list.full_clean()
    except ValidationError as error:
        raise Refused(
            _("list %(name)s: %(reason)s") % {"name": repr(name), "reason": in_one_line(error)}
        ) from None
    mailing_list.save()
    return mailing_list


@transaction.atomic
def unsubscribe(
    recipient: Recipient,
    *,
    lists: Iterable[MailingList],
    source: str,
    now: datetime,
    origin: Origin | None = None,
) -> int:
    """Unsubscribe a recipient from these lists; return from how many it had not been yet.

    :param source: for the consent ledger: by what the recipient said so.
    """
    lists = list(lists)
    _lock(recipient)
    subscriptions = Subscription.objects.filter(recipient=recipient, mailing_list__in=lists)
    still_on = subscriptions.exclude(state=SubscriptionState.UNSUBSCRIBED)
    left = {each.pk: each.mailing_list_id for each in still_on.order_by("pk")}
    Subscription.objects.filter(pk__in=left).update(
        state=SubscriptionState.UNSUBSCRIBED, changed_at=now
    )
    Signup.objects.filter(recipient=recipient, mailing_list__in=lists).delete()
    consent.record(
        [
            Consent(
                recipient.key,
                ConsentAction.WITHDRAWN,
                source,
                recipient_id=recipient.pk,
                mailing_list_id=mailing_list_id,
                origin=origin,
            )
            for mailing_list_id in left.values()
        ],
        now=now,
    )
    return len(left)


@transaction.atomic
def leave_everything(
    recipient: Recipient,
    *,
    reason: SuppressionReason = SuppressionReason.UNSUBSCRIBED,
    source: str,
    now: datetime,
    origin: Origin | None = None,
) -> None:
    """Let a recipient never be mailed again, by whatever list. May be repeated.

    It leaves its lists as well: who comes back by one of them comes back by this one alone.
    """
    recipient = hold(recipient)
    suppress(recipient.key, reason=reason, source=source, now=now, origin=origin)
    lists = MailingList.objects.filter(subscription__recipient=recipient)
    unsubscribe(recipient, lists=lists, source=source, now=now, origin=origin)


def hold(recipient: Recipient) -> Recipient:
    """Lock a recipient and its subscriptions to the end of the caller's transaction.

    The consent ledger is locked after all else (consent.seal): what writes to it more than once
    holds its rows before.

    :raises Recipient.DoesNotExist: erased or merged since it was read.
    """
    _lock(recipient)
    return Recipient.objects.get(pk=recipient.pk)


def _lock(recipient: Recipient) -> None:
    # Who erases, merges or undoes an import takes rows of many, in orders of their own.
    locks.write_addresses()
    # The person before what is theirs: whoever changes any of it waits here for the others.
    list(Recipient.objects.select_for_update().filter(pk=recipient.pk).values_list("pk"))
    subscriptions = Subscription.objects.filter(recipient=recipient).order_by("pk")
    list(subscriptions.select_for_update().values_list("pk"))

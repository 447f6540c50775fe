"""What recipients do with a message they got."""

from datetime import datetime

from django.db import transaction

from recipients import preferences as chosen
from recipients import services as recipients
from recipients.consent import Origin
from recipients.models import (
    MailingList,
    Recipient,
    Subscription,
    SubscriptionState,
    Suppression,
)
from tracking import feedback
from tracking.models import Delivery, DeliveryEvent, Departure, EventKind, EventSource
from tracking.people import held
from tracking.suppressing import DELIVERY


def lists_of(delivery: Delivery) -> list[MailingList]:
    """Return the lists that the message came by and that its recipient has not left.

    These are the campaign's when the message was written down, whatever it has now. Who stands on
    none of them got it because of a segment, or by a list that was deleted: then it is every list.
    """
    subscriptions = Subscription.objects.filter(recipient=delivery.recipient_id)
    if not is_on_no_list(delivery):
        subscriptions = subscriptions.filter(mailing_list__runs=delivery.run_id)
    still_on = subscriptions.exclude(state=SubscriptionState.UNSUBSCRIBED)
    lists = MailingList.objects.filter(pk__in=still_on.values("mailing_list"))
    return list(lists.order_by("name"))


def is_on_no_list(delivery: Delivery) -> bool:
    """Whether the recipient has neither confirmed nor left a list that the message came by."""
    spoken = Subscription.objects.exclude(state=SubscriptionState.PENDING)
    on_lists = spoken.filter(mailing_list__runs=delivery.run_id)
    return not on_lists.filter(recipient=delivery.recipient_id).exists()


def is_suppressed(delivery: Delivery) -> bool:
    """Whether the address of this delivery, or its domain, is not mailed at all any more."""
    return Suppression.objects.filter(key__in=[delivery.key, delivery.domain]).exists()


@transaction.atomic
def unsubscribe(delivery: Delivery, *, origin: Origin, now: datetime) -> None:
    """Unsubscribe the recipient from the lists that this message came by. May be repeated."""
    delivery = held(delivery)
    if delivery.recipient is None:
        return
    left = recipients.unsubscribe(
        delivery.recipient,
        lists=lists_of(delivery),
        source=_link_of(delivery),
        now=now,
        origin=origin,
    )
    if left:
        _note_departure(delivery, now=now)


@transaction.atomic
def unsubscribe_from_all(delivery: Delivery, *, origin: Origin, now: datetime) -> None:
    """Let the recipient's address never be mailed again. May be repeated."""
    delivery = held(delivery)
    if delivery.recipient is None:
        return
    was_gone = is_suppressed(delivery)
    recipients.leave_everything(
        delivery.recipient, source=_link_of(delivery), now=now, origin=origin
    )
    if not was_gone:
        _note_departure(delivery, now=now)


@transaction.atomic
def choose(
    recipient: Recipient,
    choice: chosen.Choice,
    *,
    delivery: Delivery | None,
    origin: Origin,
    now: datetime,
) -> None:
    """Do what a person chose on the page of their preferences. May be repeated.

    :param delivery: whose link led there; None: that of a message of ours
    """
    left = chosen.choose(recipient, choice, origin=origin, now=now)
    if left and delivery:
        _note_departure(delivery, now=now)


@transaction.atomic
def want_nothing(
    recipient: Recipient, *, delivery: Delivery | None, origin: Origin, now: datetime
) -> None:
    """Let a person never be mailed again who said so on the page of their preferences."""
    was_gone = chosen.is_suppressed(recipient)
    recipients.leave_everything(recipient, source=chosen.SOURCE, now=now, origin=origin)
    if delivery and not was_gone:
        _note_departure(delivery, now=now)


def has_left(delivery: Delivery) -> bool:
    """Whether the recipient of this delivery gets none of its lists any more."""
    return is_suppressed(delivery) or not lists_of(delivery)


@transaction.atomic
def keep_reason(delivery: Delivery, *, reason: str, comment: str) -> None:
    """Keep why the recipient left; said once more, the newer words count.

    Of who was erased nothing is kept any more.
    """
    if not held(delivery).address:
        return
    Departure.objects.update_or_create(
        delivery=delivery, defaults={"reason": reason, "comment": comment}
    )
    DeliveryEvent.objects.departures_of(delivery).recount()


def _note_departure(delivery: Delivery, *, now: datetime) -> None:
    """Note, once for a message, that its link was used to leave something."""
    feedback.note(
        delivery,
        feedback.Fact(
            kind=EventKind.UNSUBSCRIBED,
            source=EventSource.LINK,
            source_key=str(delivery.pk),
            at=now,
        ),
        now=now,
    )


def _link_of(delivery: Delivery) -> str:
    return DELIVERY % {"pk": delivery.pk}

"""What recipients do with a message they got."""

from django.db import transaction

from recipients import services as recipients
from recipients.models import (
    MailingList,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from tracking.models import Delivery


def lists_of(delivery: Delivery) -> list[MailingList]:
    """Return the lists of the delivery's campaign that its recipient has not left."""
    still_on = Subscription.objects.filter(recipient=delivery.recipient_id).exclude(
        state=SubscriptionState.UNSUBSCRIBED
    )
    lists = MailingList.objects.filter(
        campaigns__runs=delivery.run_id, pk__in=still_on.values("mailing_list")
    )
    return list(lists.order_by("name"))


def is_suppressed(delivery: Delivery) -> bool:
    """Whether the address of this delivery is not mailed at all any more."""
    return Suppression.objects.filter(key=delivery.key).exists()


@transaction.atomic
def unsubscribe(delivery: Delivery) -> None:
    """Unsubscribe the recipient from the lists that this message came by. May be repeated."""
    if delivery.recipient:
        recipients.unsubscribe(delivery.recipient, lists=lists_of(delivery))


@transaction.atomic
def unsubscribe_from_all(delivery: Delivery) -> None:
    """Let the recipient's address never be mailed again. May be repeated."""
    if delivery.recipient:
        recipients.suppress(
            delivery.recipient.key,
            reason=SuppressionReason.UNSUBSCRIBED,
            source=f"delivery {delivery.pk}",
        )

"""Where recipients stand with lists; how they came to that is in the consent ledger."""

from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Schema

from recipients.models import Subscription, SubscriptionState


class SubscriptionOut(Schema):
    recipient: int
    address: str
    list: int
    state: SubscriptionState
    created_at: datetime
    changed_at: datetime

    @staticmethod
    def resolve_recipient(subscription: Subscription) -> int:
        return subscription.recipient_id

    @staticmethod
    def resolve_list(subscription: Subscription) -> int:
        return subscription.mailing_list_id

    @staticmethod
    def resolve_address(subscription: Subscription) -> str:
        return subscription.recipient.address


def subscriptions_of(request: HttpRequest) -> "QuerySet[Subscription]":
    """Return the subscriptions to lists that the caller sees, with their recipients."""
    return Subscription.objects.visible_to(request.user).select_related("recipient")

"""Whom and what the pages of this app are about, for a user: the one place that narrows it."""

from django.db.models import QuerySet
from django.http import HttpRequest

from recipients.models import MailingList, Recipient


def recipients_of(_request: HttpRequest) -> "QuerySet[Recipient]":
    """Return the recipients whom this user may see."""
    return Recipient.objects.all()


def lists_of(_request: HttpRequest) -> "QuerySet[MailingList]":
    """Return the lists that this user may see, by name."""
    return MailingList.objects.order_by("name")

"""Whom and what the pages of this app are about, for a user: the one place that narrows it."""

from django.db.models import QuerySet
from django.http import HttpRequest

from recipients.models import Export, Import, MailingList, Recipient, Segment


def recipients_of(request: HttpRequest) -> "QuerySet[Recipient]":
    """Return the recipients whom this user may see."""
    return Recipient.objects.visible_to(request.user)


def lists_of(request: HttpRequest) -> "QuerySet[MailingList]":
    """Return the lists that this user may see, by name."""
    return MailingList.objects.visible_to(request.user).order_by("name")


def segments_of(request: HttpRequest) -> "QuerySet[Segment]":
    """Return the segments that this user may see, by name."""
    return Segment.objects.visible_to(request.user).order_by("name")


def imports_of(request: HttpRequest) -> "QuerySet[Import]":
    """Return the imports that this user may see, with their lists."""
    return Import.objects.visible_to(request.user).select_related("mailing_list")


def exports_of(request: HttpRequest) -> "QuerySet[Export]":
    """Return the exports that this user may see, with who asked for them."""
    return Export.objects.visible_to(request.user).select_related("created_by")

import uuid

from django.db import models
from django.db.models import Q

from recipients.models.imported import Imported
from recipients.validators import validate_header_text


class SubscriptionState(models.TextChoices):
    PENDING = "pending"  # asked to confirm (double opt-in), has not yet
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"


class Tracking(models.TextChoices):
    """What is measured of opens and clicks; of several words the most private one counts."""

    FULL = "full", "who opened and clicked"
    ANONYMOUS = "anonymous", "how often, without telling who"
    OFF = "off", "nothing"


class MailingList(models.Model):
    name = models.CharField(max_length=200, validators=[validate_header_text])
    description = models.TextField(blank=True, help_text="Shown where people choose their lists.")
    is_public = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Recipients may subscribe to it themselves where they choose their lists.",
    )
    tracking = models.CharField(
        "measuring",
        max_length=9,
        choices=Tracking,
        default=Tracking.FULL,
        db_default=Tracking.FULL,
        help_text="Of opens and clicks. Where campaign or installation want less, that holds.",
    )
    # The stable part of List-ID (RFC 2919 2): a renamed list stays the same list.
    identifier = models.UUIDField(default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]  # there are few
        constraints = [
            models.UniqueConstraint(fields=["name"], name="mailing_list_name_unique"),
            models.UniqueConstraint(fields=["identifier"], name="mailing_list_identifier_unique"),
            models.CheckConstraint(
                condition=Q(tracking__in=Tracking.values), name="mailing_list_tracking_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Subscription(Imported):
    """Where a recipient stands with a list now; how it came to that is in the consent ledger."""

    # PostgreSQL does not check these two: it would lock the list's row for each row of an import,
    # which takes longer than the row. What is deleted takes its subscriptions with it in Python.
    recipient = models.ForeignKey(
        "recipients.Recipient", on_delete=models.CASCADE, db_constraint=False
    )
    mailing_list = models.ForeignKey(
        MailingList, on_delete=models.CASCADE, db_index=False, db_constraint=False
    )
    state = models.CharField(max_length=12, choices=SubscriptionState)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            # Its index also serves the snapshot and segments: a list's members and their states, in
            # order of recipient.
            models.UniqueConstraint(
                fields=["mailing_list", "recipient"], name="subscription_unique", include=["state"]
            ),
            models.CheckConstraint(
                condition=Q(state__in=SubscriptionState.values), name="subscription_state_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient} on {self.mailing_list}: {self.state}"

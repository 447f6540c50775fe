"""Who may be mailed: recipients, the lists they are on, and the addresses nobody may mail."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q

from recipients.validators import validate_header_text


class SubscriptionState(models.TextChoices):
    PENDING = "pending"  # asked to confirm (double opt-in), has not yet
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"


class SuppressionReason(models.TextChoices):
    BOUNCE = "bounce", "hard bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBED = "unsubscribed", "asked for no mail at all"
    MANUAL = "manual", "added by staff"


class Field(models.Model):
    """A custom field of recipients: a column of some import, a name in templates."""

    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="field_name_unique")]

    def __str__(self) -> str:
        return self.name


class MailingList(models.Model):
    name = models.CharField(max_length=200, validators=[validate_header_text])
    description = models.TextField(blank=True)
    # The stable part of List-ID (RFC 2919 2): a renamed list stays the same list.
    identifier = models.UUIDField(default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]  # there are few
        constraints = [
            models.UniqueConstraint(fields=["name"], name="mailing_list_name_unique"),
            models.UniqueConstraint(fields=["identifier"], name="mailing_list_identifier_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class RecipientQuerySet(models.QuerySet["Recipient"]):
    def subscribed_to(self, mailing_list: MailingList) -> Self:
        """Those whose subscription to the list is confirmed."""
        return self.filter(
            subscription__mailing_list=mailing_list,
            subscription__state=SubscriptionState.CONFIRMED,
        )

    def not_suppressed(self) -> Self:
        """Those whose address nobody has asked us to leave alone."""
        return self.exclude(Exists(Suppression.objects.filter(key=OuterRef("key"))))


class Recipient(models.Model):
    # As written by its owner, with the domain as A-label: what RCPT TO says.
    address = models.CharField(max_length=254)
    # The address for comparing: lower case, domain as A-label.
    key = models.CharField(max_length=254, editable=False)
    domain = models.CharField(max_length=253, editable=False)
    needs_smtputf8 = models.BooleanField(default=False, editable=False)
    fields = models.JSONField(default=dict, blank=True)
    language = models.CharField(max_length=35, blank=True)  # BCP 47
    time_zone = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = RecipientQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], name="recipient_key_unique"),
            models.CheckConstraint(
                condition=Q(key__contains="@") & ~Q(domain=""), name="recipient_key_is_address"
            ),
        ]

    def __str__(self) -> str:
        return self.address


class Subscription(models.Model):
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE)
    mailing_list = models.ForeignKey(MailingList, on_delete=models.CASCADE, db_index=False)
    state = models.CharField(max_length=12, choices=SubscriptionState)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            # Its index also serves the snapshot: a list's members in order of recipient.
            models.UniqueConstraint(
                fields=["mailing_list", "recipient"], name="subscription_unique"
            ),
            models.CheckConstraint(
                condition=Q(state__in=SubscriptionState.values), name="subscription_state_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient} on {self.mailing_list}: {self.state}"


class Suppression(models.Model):
    """An address that is not to be mailed, whoever asks; it need not be a recipient's."""

    key = models.CharField("address", max_length=254)
    reason = models.CharField(max_length=12, choices=SuppressionReason)
    source = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], name="suppression_key_unique"),
            models.CheckConstraint(
                condition=Q(reason__in=SuppressionReason.values), name="suppression_reason_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} ({self.reason})"

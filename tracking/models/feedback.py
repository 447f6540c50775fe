"""What mail systems, providers and people say about messages that were sent."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from recipients.mentions import alone
from tracking.models.deliveries import Delivery


class EventKind(models.TextChoices):
    FAILED = "failed", _("Failed")  # the next hop refused it while it was handed over
    BOUNCED = "bounced", _("Bounced")  # it was taken, and came back
    DELAYED = "delayed", _("Delayed")  # a mail system is still trying; no bounce
    DELIVERED = "delivered", _("Delivered")  # a provider says that the mailbox has it
    COMPLAINED = "complained", _("Complained")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")


class Category(models.TextChoices):
    """Why a message came back; `tracking.bounces` tells them apart."""

    INVALID_ADDRESS = "invalid_address", _("no such mailbox")
    INVALID_DOMAIN = "invalid_domain", _("no such domain")
    DISABLED = "disabled", _("mailbox switched off")
    MAILBOX_FULL = "mailbox_full", _("mailbox full")
    TOO_LARGE = "too_large", _("message too large")
    POLICY_CONTENT = "policy_content", _("refused for what it says")
    POLICY_REPUTATION = "policy_reputation", _("refused for who sends it")
    AUTH = "auth", _("SPF, DKIM, DMARC, PTR or TLS")
    RATE = "rate", _("too many messages")
    TRANSIENT = "transient", _("passing trouble")
    EXPIRED = "expired", _("given up after trying")
    LOOP = "loop", _("mail loop")
    RENDERING = "rendering", _("could not be made for the recipient")
    UNKNOWN = "unknown", _("reason not told")


class EventSource(models.TextChoices):
    HANDOVER = "handover", _("answer of the next hop")
    MAIL = "mail", _("message to the envelope sender")
    WEBHOOK = "webhook", _("provider")
    LINK = "link", _("link in the message")


class DeliveryEventQuerySet(models.QuerySet["DeliveryEvent"]):
    def of_run(self, run_id: int) -> Self:
        return self.filter(run_id=run_id)

    def uncounted(self) -> Self:
        """What the tallies do not know of yet, in the order in which it was noted."""
        return self.filter(counted_at__isnull=True).order_by("id")

    def departures_of(self, delivery: Delivery) -> Self:
        """That its recipient left something by a link in it."""
        return self.filter(delivery=delivery, kind=EventKind.UNSUBSCRIBED)

    def recount(self) -> int:
        """Have the tallies look at these again; return how many."""
        return self.update(counted_at=None)

    def to_follow(self) -> Self:
        """What they mean for the address is still to be done."""
        return self.filter(is_to_follow=True)

    def to_refuse(self) -> Self:
        """To follow, by a strict code, which says all that is to be known."""
        return self.to_follow().filter(is_hard=True).order_by("noted_at")

    def to_weigh(self, *, noted_before: datetime) -> Self:
        """To follow, beside all else that is told of the address, and noted until that time."""
        soft = self.to_follow().filter(is_hard=False, noted_at__lte=noted_before)
        return soft.order_by("noted_at")

    def returns_to(self, recipients: Iterable[int | None]) -> Self:
        """That a message to one of these recipients came back, or was refused."""
        kinds = [EventKind.BOUNCED, EventKind.FAILED]
        return self.filter(recipient_id__in=recipients, kind__in=kinds)


class DeliveryEvent(models.Model):
    """A fact about a message beside its state; `tracking.feedback` writes these, each once."""

    delivery = models.ForeignKey(
        "tracking.Delivery", on_delete=models.CASCADE, db_constraint=False, related_name="events"
    )
    run = models.ForeignKey(
        "campaigns.Run", on_delete=models.CASCADE, db_index=False, db_constraint=False
    )
    # Whose it was then, or is since a merge.
    recipient_id = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=12, choices=EventKind)
    category = models.CharField(max_length=17, choices=Category, blank=True, db_default="")
    # Of a bounce: an address that will never take a message, by a strict code.
    is_hard = models.BooleanField(default=False)
    reply_code = models.PositiveSmallIntegerField(null=True)
    enhanced_status_code = models.CharField(max_length=11, blank=True, db_default="")
    # Empty for what the next hop answered: the delivery has it.
    diagnostic = models.TextField(blank=True, db_default="")
    source = models.CharField(max_length=8, choices=EventSource)
    # What makes the same fact, told twice, the same one.
    source_key = models.CharField(max_length=100)
    at = models.DateTimeField()
    noted_at = models.DateTimeField(db_default=Now())
    counted_at = models.DateTimeField(null=True)
    # What it means for the address is still to be done (feedback.follow_due).
    is_to_follow = models.BooleanField(default=False, db_default=False)

    objects = DeliveryEventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "source_key"], name="delivery_event_told_once"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=EventKind.values), name="delivery_event_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(category__in=["", *Category.values]),
                name="delivery_event_category_known",
            ),
            models.CheckConstraint(
                condition=Q(source__in=EventSource.values), name="delivery_event_source_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                name="delivery_event_uncounted",
                condition=Q(counted_at__isnull=True),
            ),
            models.Index(
                fields=["is_hard", "noted_at"],
                name="delivery_event_to_follow",
                condition=Q(is_to_follow=True),
            ),
            models.Index(fields=["recipient_id", "at"], name="delivery_event_of_recipient"),
            # campaigns.sending.guard: what came back, and what of it lately
            models.Index(fields=["run", "kind", "at"], name="delivery_event_of_run"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.category}".strip()


class InboundStatus(models.TextChoices):
    NEW = "new", _("New")
    DONE = "done", _("Done")  # an event was made of it
    IGNORED = "ignored", _("Ignored")  # nothing for us: an automatic reply, say
    # somebody has to look: it says it is a bounce, and proves nothing
    QUARANTINED = "quarantined", _("Quarantined")


class InboundMessageQuerySet(models.QuerySet["InboundMessage"]):
    def new(self) -> Self:
        """What nobody has read yet."""
        return self.filter(status=InboundStatus.NEW)

    def handled(self, *, before: datetime) -> Self:
        """Read, and received before that time."""
        return self.exclude(status=InboundStatus.NEW).filter(received_at__lt=before)


class InboundMessage(models.Model):
    """A message that came to an envelope sender or to a mailbox of bounces; stored first."""

    digest = models.BinaryField(max_length=32)  # SHA-256 of the bytes
    raw = models.BinaryField(null=True)  # at most a megabyte; gone where somebody was erased
    # of the envelope, where it is known
    recipient = models.CharField(_("recipient"), max_length=320, blank=True)
    origin = models.CharField(_("origin"), max_length=200)  # the mailbox, or "pipe"
    received_at = models.DateTimeField(_("received at"))
    status = models.CharField(
        _("status"), max_length=11, choices=InboundStatus, default=InboundStatus.NEW
    )
    explanation = models.CharField(_("explanation"), max_length=300, blank=True)
    handled_at = models.DateTimeField(_("handled at"), null=True)
    # What it was about, where it proved that.
    delivery = models.ForeignKey(
        "tracking.Delivery",
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )

    objects = InboundMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("inbound message")
        verbose_name_plural = _("inbound messages")
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="inbound_message_once"),
            models.CheckConstraint(
                condition=Q(status__in=InboundStatus.values), name="inbound_message_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], name="inbound_message_new", condition=Q(status="new")),
            models.Index(fields=["received_at"], name="inbound_message_age"),
            # tracking.privacy: those about a person
            models.Index(
                fields=["delivery"],
                name="inbound_message_of_delivery",
                condition=Q(delivery__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.origin}, {self.received_at:%Y-%m-%d %H:%M} UTC: {self.status}"


class Mailbox(models.Model):
    """How a mailbox of bounces was last read; which ones there are, BOUNCE_MAILBOXES says."""

    address = models.CharField(_("address"), max_length=300)  # its URL without the password
    read_at = models.DateTimeField(_("read at"), null=True)
    # when there last was something in it
    received_at = models.DateTimeField(_("received at"), null=True)
    # of the last time; empty: none
    error = models.CharField(_("error"), max_length=500, blank=True)
    messages = models.PositiveBigIntegerField(_("messages"), default=0)

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        constraints = [models.UniqueConstraint(fields=["address"], name="mailbox_unique")]

    def __str__(self) -> str:
        return self.address


class WebhookEventQuerySet(models.QuerySet["WebhookEvent"]):
    def unhandled(self, *, asked_before: datetime) -> Self:
        """New, or without a delivery when they were looked at, and received before that time."""
        waiting = Q(explanation="") | Q(received_at__lte=asked_before)
        return self.filter(waiting, handled_at__isnull=True).order_by("id")

    def telling_of(self, keys: Iterable[str]) -> Self:
        """Of messages to these addresses. All that is kept is read, which is for weeks."""
        return self.filter(payload__recipient__iregex=alone(keys))


class WebhookEvent(models.Model):
    """What a provider told us, as Anymail reads it; stored first and worked off later."""

    provider = models.CharField(_("provider"), max_length=30)
    key = models.BinaryField(max_length=32)  # digest of what makes it this event and no other
    event_type = models.CharField(_("event type"), max_length=20)  # Anymail's word
    message_id = models.CharField(_("message id"), max_length=320, blank=True)
    # timestamp, recipient, metadata, reject_reason, description, mta_response, esp_event …
    payload = models.JSONField(_("payload"))
    received_at = models.DateTimeField(_("received at"))
    handled_at = models.DateTimeField(_("handled at"), null=True)
    explanation = models.CharField(_("explanation"), max_length=300, blank=True)

    objects = WebhookEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event of a provider")
        verbose_name_plural = _("events of providers")
        constraints = [models.UniqueConstraint(fields=["provider", "key"], name="webhook_once")]
        indexes = [
            models.Index(
                fields=["id"], name="webhook_unhandled", condition=Q(handled_at__isnull=True)
            ),
            models.Index(fields=["received_at"], name="webhook_age"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.event_type}"

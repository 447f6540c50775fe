"""The ledger: what became of every recipient of every run."""

import uuid
from datetime import datetime
from typing import Any, Self

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from recipients.models.lists import Viewer, hidden_lists
from recipients.recognising import read


class DeliveryState(models.TextChoices):
    QUEUED = "queued", _("Queued")
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent")  # the next hop answered 2yz to the end of DATA
    RETRY = "retry", _("Retry")  # deferred; to be attempted again at next_attempt_at
    FAILED = "failed", _("Failed")
    UNCONFIRMED = "unconfirmed", _("Unconfirmed")  # cut off between the end of DATA and its reply
    SKIPPED = "skipped", _("Skipped")
    CANCELLED = "cancelled", _("Cancelled")


OPEN_STATES = (DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.RETRY)


class SkipReason(models.TextChoices):
    SUPPRESSED = "suppressed", _("Suppressed")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
    UNCONFIRMED_OPT_IN = "unconfirmed_opt_in", _("opt-in not confirmed")
    DUPLICATE = "duplicate", _("address already in this run")
    NO_ADDRESS = "no_address", _("recipient was deleted")
    EXCLUDED = "excluded", _("on an excluded list or segment")
    PAUSED = "paused", _("wants no message for a while")


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def visible_to(self, user: Viewer) -> Self:
        """All; where a list is hidden from the user, those of the runs that they see."""
        if not hidden_lists(user):
            return self
        runs: Any = apps.get_model("campaigns", "Run")  # by name: this app knows nothing of it
        return self.filter(run__in=runs.objects.visible_to(user).values("pk"))

    def of_run(self, run_id: int) -> Self:
        return self.filter(run_id=run_id)

    def open(self) -> Self:
        """Not at their end yet: queued, being sent, or waiting for another attempt."""
        return self.filter(state__in=OPEN_STATES)

    def failed(self, *, since: datetime | None) -> Self:
        """Failed after that moment; None: whenever."""
        failed = self.filter(state=DeliveryState.FAILED)
        return failed.filter(finished_at__gt=since) if since else failed

    def queued_between(self, first: Any, last: Any, *, run: Any) -> Self:
        """Not attempted yet, of a run, by their ids: read by these and not through all of the run.

        (`+ 0` keeps the planner from the index on the run.)
        """
        of_run = self.annotate(of_run=F("run_id") + 0).filter(of_run=run)
        return of_run.filter(state=DeliveryState.QUEUED, id__range=(first, last))

    def doubted(self, *, before: datetime | None = None) -> Self:
        """In doubt: handed over, and nobody knows whether it arrived; since before that time."""
        doubted = self.filter(doubted_at__isnull=False, state=DeliveryState.UNCONFIRMED)
        return doubted.filter(doubted_at__lte=before) if before else doubted

    def sending(self) -> Self:
        """In a worker's hands."""
        return self.filter(state=DeliveryState.SENDING)

    def waiting(self, *, now: datetime) -> Self:
        """For another attempt, whose time has not come; the next ones first."""
        waiting = self.filter(state=DeliveryState.RETRY, next_attempt_at__gt=now)
        return waiting.order_by("next_attempt_at")

    def claimed_by(self, lease: uuid.UUID) -> Self:
        """Whose end the holder of this lease has not told yet."""
        return self.filter(
            lease=lease, state__in=(DeliveryState.SENDING, DeliveryState.UNCONFIRMED)
        )


class Delivery(models.Model):
    """One message to one recipient in one run. Rows are written by `tracking.ledger` alone."""

    # PostgreSQL does not check these two: it would lock the run and the recipient for each row,
    # which takes longer than the row. The snapshot holds the run's lock and reads recipients in the
    # statement that writes; of one that is deleted at that moment the id stays, and finds nobody.
    run = models.ForeignKey(
        "campaigns.Run",
        on_delete=models.PROTECT,
        db_index=False,
        db_constraint=False,
        verbose_name=_("run"),
    )
    recipient = models.ForeignKey(
        "recipients.Recipient",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        db_constraint=False,
        verbose_name=_("recipient"),
    )
    # The id of the TaskResult that says the same in Celery's words.
    task_id = models.UUIDField(db_default=RandomUUID(), editable=False)
    address = models.CharField(_("address"), max_length=254)
    # The recipient's key when the row was written: what makes two addresses the same.
    key = models.CharField(max_length=254, editable=False)
    domain = models.CharField(max_length=253)
    state = models.CharField(_("state"), max_length=11, choices=DeliveryState)
    skip_reason = models.CharField(
        _("skip reason"), max_length=20, choices=SkipReason, blank=True, db_default=""
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), db_default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), null=True, blank=True)
    # When a message last went out to wake a worker for this retry.
    dispatched_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Which claim holds the row; kept when it runs out, so that a late answer finds its row.
    lease = models.UUIDField(null=True, blank=True, editable=False)
    # Since when nobody knows whether it arrived; and when it was attempted again in spite of that.
    doubted_at = models.DateTimeField(null=True, blank=True, editable=False)
    resent_at = models.DateTimeField(null=True, blank=True, editable=False)
    reply_code = models.PositiveSmallIntegerField(_("reply code"), null=True, blank=True)
    enhanced_status_code = models.CharField(
        _("enhanced status code"), max_length=11, blank=True, db_default=""
    )
    diagnostic = models.TextField(_("diagnostic"), blank=True, db_default="")
    message_id = models.CharField("Message-ID", max_length=320, blank=True, db_default="")
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    attempted_at = models.DateTimeField(_("attempted at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(fields=["run", "recipient"], name="delivery_recipient_unique"),
            # I2: whatever happens to recipients' rows while a snapshot is taken.
            models.UniqueConstraint(
                fields=["run", "key"],
                condition=Q(skip_reason=""),
                name="delivery_address_unique",
            ),
            models.CheckConstraint(
                condition=Q(state__in=DeliveryState.values), name="delivery_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.SKIPPED) ^ Q(skip_reason=""),
                name="delivery_skipped_has_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state=DeliveryState.SENDING) | Q(lease__isnull=False),
                name="delivery_sending_has_lease",
            ),
            models.CheckConstraint(
                condition=~Q(state=DeliveryState.RETRY) | Q(next_attempt_at__isnull=False),
                name="delivery_retry_has_time",
            ),
        ]
        # None of these speaks of what changes when a message is claimed and sent (state, lease,
        # times, replies): such an update stays on its page of the table and touches no index (a HOT
        # update). With indexes on state and lease, a message cost PostgreSQL twice as much.
        indexes = [
            # retries.due: deferred ones whose time has come
            models.Index(
                fields=["next_attempt_at"],
                name="delivery_retry",
                condition=Q(next_attempt_at__isnull=False),
            ),
            # unconfirmed.resend_old, and the operator's look at what is in doubt
            models.Index(
                fields=["run", "doubted_at"],
                name="delivery_doubted",
                condition=Q(doubted_at__isnull=False),
            ),
            # tracking.privacy: those left out whose recipient is gone; the others are found by the
            # unique index on run and key
            models.Index(fields=["key"], name="delivery_skipped_key", condition=~Q(skip_reason="")),
        ]

    def __str__(self) -> str:
        return f"{self.address}: {self.state}"

    @property
    def said(self) -> str:
        """The diagnostic; where it is a sentence of ours, in the language of the reader."""
        return read(self.diagnostic)


class DepartureReason(models.TextChoices):
    TOO_MANY = "too_many", _("Too many messages")
    NOT_RELEVANT = "not_relevant", _("They are not about what I expected")
    NEVER_ASKED = "never_asked", _("I never asked for them")
    NO_LONGER = "no_longer", _("I do not need them any more")
    OTHER = "other", _("Another reason")


class Departure(models.Model):
    """Why somebody left by the link in a message, if they said so."""

    delivery = models.OneToOneField(
        Delivery, on_delete=models.CASCADE, primary_key=True, related_name="departure"
    )
    reason = models.CharField(max_length=12, choices=DepartureReason, blank=True)
    # A person's own words; they go where the person is erased.
    comment = models.CharField(max_length=1_000, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(reason__in=["", *DepartureReason.values]),
                name="departure_reason_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.delivery}, {self.reason or 'no reason'}"


class Lease(models.Model):
    """Some deliveries of a run in the hands of one worker; gone when their end is recorded."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    run = models.ForeignKey("campaigns.Run", on_delete=models.CASCADE, related_name="leases")
    until = models.DateTimeField()
    deliveries = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return f"{len(self.deliveries)} deliveries of run {self.run_id} until {self.until:%H:%M:%S}"


class RunCounters(models.Model):
    """How many deliveries of a run are in each state; moved by the statement that moves them."""

    run = models.OneToOneField(
        "campaigns.Run",
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="counters",
        verbose_name=_("run"),
    )
    queued = models.IntegerField(db_default=0)
    sending = models.IntegerField(db_default=0)
    sent = models.IntegerField(db_default=0)
    retry = models.IntegerField(db_default=0)
    failed = models.IntegerField(db_default=0)
    unconfirmed = models.IntegerField(db_default=0)
    skipped = models.IntegerField(db_default=0)
    cancelled = models.IntegerField(db_default=0)
    moved_at = models.DateTimeField(_("moved at"), db_default=Now())
    # When a message was last sent; how many in that minute of the clock, and in the one before it.
    sent_at = models.DateTimeField(null=True)
    minute_sent = models.IntegerField(db_default=0)
    minute_before = models.IntegerField(db_default=0)

    class Meta:
        verbose_name = _("run counters")
        verbose_name_plural = _("run counters")

    def __str__(self) -> str:
        return ", ".join(f"{n} {state}" for state, n in self.as_dict().items() if n)

    def as_dict(self) -> dict[str, int]:
        """Return the count of each state, in the order of a delivery's life."""
        return {state: getattr(self, state) for state in DeliveryState.values}

    @property
    def total(self) -> int:
        return sum(self.as_dict().values())

    @property
    def open(self) -> int:
        return self.queued + self.sending + self.retry

"""Outgoing webhooks: who wants to be told what, what is to be told, and how each call ended."""

import uuid
from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from recipients.models.lists import Viewer, hidden_lists
from recipients.validators import validate_header_text


class Happened(models.TextChoices):
    """What a program may be told of; `tracking/migrations/0003_outbox.py` notes these words."""

    SENT = "delivery.sent", _("a message was sent")
    FAILED = "delivery.failed", _("a message failed")
    SKIPPED = "delivery.skipped", _("a message that was queued was left out")
    DELIVERED = "delivery.delivered", _("a mailbox has a message, as a provider says")
    BOUNCED = "delivery.bounced", _("a message came back")
    COMPLAINED = "delivery.complained", _("somebody complained about a message")
    OPENED = "delivery.opened", _("a message was opened")
    CLICKED = "delivery.clicked", _("a link in a message was followed")
    UNSUBSCRIBED = "recipient.unsubscribed", _("somebody left a list")
    RUN_STARTED = "run.started", _("a run began")
    RUN_COMPLETED = "run.completed", _("a run was completed")
    RUN_HELD = "run.held", _("a run waits for a person")
    IMPORT_FINISHED = "import.finished", _("an import came to its end")


TEST = "test"  # a call that somebody asked for by a button


class WhyOff(models.TextChoices):
    FAILING = "failing", _("for a day no call succeeded")
    GONE = "gone", _("it answered that it is gone for good (410)")


class EndpointQuerySet(models.QuerySet["Endpoint"]):
    def visible_to(self, user: Viewer) -> Self:
        """All; none where a list is hidden from the user, for a webhook tells of everybody."""
        return self.none() if hidden_lists(user) else self

    def active(self) -> Self:
        """Switched on: told of what happens."""
        return self.filter(is_active=True)

    def failing(self) -> Self:
        """Switched on, and the last call failed."""
        return self.active().filter(failing_since__isnull=False)

    def callable(self, *, now: datetime) -> Self:
        """Switched on, and not resting after calls that failed."""
        rested = Q(rest_until=None) | Q(rest_until__lte=now)
        return self.active().filter(rested)

    def notice_due(self, *, now: datetime) -> Self:
        """Switched off by Godwit, and staff are to be told of it."""
        return self.filter(notice_due_at__lte=now)


class Endpoint(models.Model):
    """A URL of a program elsewhere that wants to be told."""

    name = models.CharField(_("name"), max_length=100, validators=[validate_header_text])
    url = models.CharField(_("URL"), max_length=500)
    kinds = ArrayField(models.CharField(max_length=30, choices=Happened), verbose_name=_("events"))
    # As campaigns.secrets encrypts them; the former one signs as well, until its time is over.
    encrypted_secret = models.TextField(editable=False)
    encrypted_former_secret = models.TextField(blank=True, default="", editable=False)
    former_secret_until = models.DateTimeField(null=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    # Where no person switched it off.
    why_off = models.CharField(max_length=7, choices=WhyOff, blank=True, default="", editable=False)
    # When staff are to be told of that; None: they have been.
    notice_due_at = models.DateTimeField(null=True, editable=False)
    # How many calls in a row failed, since when, and until when none is made.
    failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    rest_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = EndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        constraints = [
            models.UniqueConstraint(fields=["name"], name="endpoint_name_unique"),
            models.CheckConstraint(
                condition=Q(kinds__contained_by=Happened.values), name="endpoint_kinds_known"
            ),
            models.CheckConstraint(
                condition=Q(why_off="") | Q(why_off__in=WhyOff.values, is_active=False),
                name="endpoint_off_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(failures=0, failing_since=None)
                | Q(failures__gt=0, failing_since__isnull=False),
                name="endpoint_failing_has_time",
            ),
            models.CheckConstraint(
                condition=Q(notice_due_at=None) | Q(failing_since__isnull=False) & ~Q(why_off=""),
                name="endpoint_notice_of_failing",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Happening(models.Model):
    """What one statement did that somebody wants to be told of; gone when calls are made of it.

    `tracking.ledger` and triggers write these, in the transaction of what happened, and none where
    nobody has asked for that kind.
    """

    # Of what the ids of its calls are made; a number would come again in a restored database.
    key = models.UUIDField(db_default=RandomUUID())
    kind = models.CharField(max_length=30)
    at = models.DateTimeField(db_default=Now())
    # Of deliveries, events, hits, subscriptions, runs or imports, as the kind says.
    subjects = ArrayField(models.BigIntegerField())
    # The delivery that each of them is about; None where they are deliveries, or about none.
    deliveries = ArrayField(models.BigIntegerField(), null=True)
    recipient_id = models.BigIntegerField(null=True)  # where no delivery says whose it is

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=Happened.values), name="happening_kind_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {len(self.subjects)}"


def webhook_id(event: uuid.UUID) -> str:
    """Return an event's id as its receiver sees it; the same at each attempt and in a replay."""
    return f"evt_{event.hex}"


class CallState(models.TextChoices):
    WAITING = "waiting", _("Waiting")  # to be made, or made again, or under way
    DONE = "done", _("Taken")  # the endpoint answered 2yz
    GIVEN_UP = "given_up", _("Given up")  # a day long it did not


class CallQuerySet(models.QuerySet["Call"]):
    def waiting(self) -> Self:
        return self.filter(state=CallState.WAITING)

    def to_be_made(self) -> Self:
        """Waiting, and the endpoint is switched on; else they wait until it is."""
        return self.waiting().filter(endpoint__is_active=True)

    def given_up(self) -> Self:
        return self.filter(state=CallState.GIVEN_UP)

    def matching(self, *, state: str | None = None, kind: str | None = None) -> Self:
        """Of a state and of a kind, each where it is asked for."""
        asked = {"state": state, "kind": kind}
        return self.filter(**{name: value for name, value in asked.items() if value})

    def under_way(self, *, now: datetime) -> Self:
        """In a worker's hands."""
        return self.waiting().filter(leased_until__gt=now)


class Call(models.Model):
    """One event to be told to one endpoint, by one POST after the other until it is taken.

    What it says is read when it is made: nobody's address is kept here.
    """

    # PostgreSQL does not check it: it would lock the endpoint's row for each of a hundred thousand.
    endpoint = models.ForeignKey(
        Endpoint,
        on_delete=models.CASCADE,
        related_name="calls",
        db_index=False,
        db_constraint=False,
    )
    event = models.UUIDField()  # the webhook-id: the same at each attempt, and in a replay
    kind = models.CharField(max_length=30)
    at = models.DateTimeField()
    subject = models.BigIntegerField(null=True)
    # Whose order counts: of two calls of one lane the later one waits. None: nobody's.
    lane = models.BigIntegerField(null=True)
    state = models.CharField(max_length=8, choices=CallState, default=CallState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    # A worker that died gives nothing back: it is made again after this.
    leased_until = models.DateTimeField(null=True)
    first_at = models.DateTimeField(null=True)  # when it was first made
    last_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)  # of the last answer; None: there was none
    # How the last answer began, or why there was none.
    answer = models.CharField(max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())

    objects = CallQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=[*Happened.values, TEST]), name="call_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=CallState.values), name="call_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=CallState.WAITING) | Q(next_at__isnull=False),
                name="call_waiting_has_time",
            ),
        ]
        indexes = [
            # the next ones of an endpoint
            models.Index(
                fields=["endpoint", "next_at", "id"],
                name="call_waiting",
                condition=Q(state="waiting"),
            ),
            # whether an earlier one of the lane waits
            models.Index(
                fields=["endpoint", "lane", "id"],
                name="call_waiting_lane",
                condition=Q(state="waiting"),
            ),
            # how many of them are in a worker's hands
            models.Index(
                fields=["endpoint", "leased_until"],
                name="call_leased",
                condition=Q(leased_until__isnull=False),
            ),
            # the log, newest first
            models.Index(fields=["endpoint", "id"], name="call_log"),
            # what was given up: the page, health, and who has it made again
            models.Index(
                fields=["endpoint", "id"], name="call_given_up", condition=Q(state="given_up")
            ),
            # endpoints.forget_old: rows lie in the order in which they were made
            BrinIndex(fields=["created_at"], name="call_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.endpoint}"

    @property
    def webhook_id(self) -> str:
        return webhook_id(self.event)

"""Campaigns, what they are sent through, and their runs."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q

from recipients.validators import validate_header_text
from templates_app.models import EmailTemplate, TemplateVersion


class Transport(models.Model):
    """A named way out: an SMTP server, or any email backend of Django's or Anymail's."""

    name = models.CharField(max_length=100)
    # The URL with its credentials, encrypted (campaigns.secrets); campaigns.sending.transports
    # says which forms there are.
    encrypted_url = models.TextField(editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name"], name="transport_name_unique")]

    def __str__(self) -> str:
        return self.name


class Sender(models.Model):
    display_name = models.CharField(max_length=200, blank=True, validators=[validate_header_text])
    address = models.CharField(max_length=254)
    reply_to = models.CharField(max_length=254, blank=True)
    envelope_domain = models.CharField(
        max_length=253,
        blank=True,
        help_text="Domain of the envelope sender, where bounces arrive. Empty: the address's own.",
    )
    transport = models.ForeignKey(
        Transport,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        help_text="Empty: the installation's own, from EMAIL_URL.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["display_name", "address"], name="sender_mailbox_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.display_name} <{self.address}>" if self.display_name else self.address

    @property
    def domain(self) -> str:
        return self.envelope_domain or self.address.rpartition("@")[2]


class CampaignStatus(models.TextChoices):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def due(self, *, now: datetime) -> Self:
        """Scheduled for this moment or an earlier one, and not fired yet for it."""
        return self.filter(status=CampaignStatus.SCHEDULED, next_fire_at__lte=now)

    def ids(self) -> list[int]:
        return list(self.values_list("pk", flat=True))


class Campaign(models.Model):
    # A template may write it into the subject.
    name = models.CharField(max_length=200, validators=[validate_header_text])
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT)
    template = models.ForeignKey(EmailTemplate, on_delete=models.PROTECT)
    version = models.ForeignKey(
        TemplateVersion,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        help_text="The content, frozen when the campaign was scheduled.",
    )
    lists = models.ManyToManyField("recipients.MailingList", related_name="campaigns")
    status = models.CharField(
        max_length=9, choices=CampaignStatus, default=CampaignStatus.DRAFT, editable=False
    )
    next_fire_at = models.DateTimeField(null=True, blank=True, editable=False)
    cron = models.CharField(
        max_length=100, blank=True, editable=False, help_text="Empty: it is sent once."
    )
    time_zone = models.CharField(max_length=64, default="UTC", editable=False)
    late_limit = models.DurationField(
        default=timedelta(hours=24),
        help_text="A run that begins later than this after its time waits for a person.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=CampaignStatus.values), name="campaign_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=CampaignStatus.SCHEDULED) | Q(version__isnull=False),
                name="campaign_scheduled_has_version",
            ),
            models.CheckConstraint(
                condition=Q(next_fire_at__isnull=True) | Q(status=CampaignStatus.SCHEDULED),
                name="campaign_fires_only_when_scheduled",
            ),
        ]
        indexes = [
            # the tick: campaigns whose time has come
            models.Index(
                fields=["next_fire_at"], name="campaign_due", condition=Q(status="scheduled")
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RunStatus(models.TextChoices):
    PREPARING = "preparing"  # the audience is being written down; nothing has gone out
    SENDING = "sending"
    PAUSED = "paused"
    HELD = "held"  # a person must say go
    COMPLETED = "completed"
    CANCELLED = "cancelled"


ACTIVE_RUN_STATUSES = (
    RunStatus.PREPARING,
    RunStatus.SENDING,
    RunStatus.PAUSED,
    RunStatus.HELD,
)


class RunQuerySet(models.QuerySet["Run"]):
    def active(self) -> Self:
        """Neither completed nor cancelled."""
        return self.filter(status__in=ACTIVE_RUN_STATUSES)

    def with_open_deliveries(self) -> Self:
        return self.filter(
            Q(counters__queued__gt=0) | Q(counters__sending__gt=0) | Q(counters__retry__gt=0)
        )

    def unfinished(self) -> Self:
        """Where something may still have to be done, unless a person has to say so first."""
        going = Q(status__in=(RunStatus.PREPARING, RunStatus.SENDING, RunStatus.PAUSED))
        unwritten = Q(status=RunStatus.CANCELLED, prepared_at__isnull=True)
        left_open = Q(pk__in=Run.objects.with_open_deliveries().values("pk"))
        return self.filter(going | unwritten | left_open).exclude(status=RunStatus.HELD)

    def having(self, *statuses: RunStatus) -> Self:
        return self.filter(status__in=statuses)

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def ids(self) -> list[int]:
        return list(self.values_list("pk", flat=True))

    def with_counters(self) -> Self:
        return self.select_related("counters", "campaign")


class Run(models.Model):
    """One firing of a campaign."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, related_name="runs", db_index=False
    )
    version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT)
    occurrence = models.DateTimeField(help_text="The time at which it was due.")
    status = models.CharField(max_length=9, choices=RunStatus, default=RunStatus.PREPARING)
    held_reason = models.CharField(max_length=200, blank=True)
    # When a person said go; then it is not held again for being late.
    released_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The sender's at the firing: a Message-ID is the same at each attempt.
    sender_domain = models.CharField(max_length=253, editable=False)
    # How far the snapshot of the audience has come: the last recipient's id.
    snapshot_cursor = models.BigIntegerField(default=0, editable=False)
    # Everybody written down so far, those left out included; deliveries of the run add up to it.
    audience = models.PositiveIntegerField(default=0, editable=False)
    prepared_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            # A double fire makes no second run.
            models.UniqueConstraint(
                fields=["campaign", "occurrence"], name="run_occurrence_unique"
            ),
            models.CheckConstraint(
                condition=Q(status__in=RunStatus.values), name="run_status_known"
            ),
        ]
        indexes = [
            # the sweep: runs that may need a push
            models.Index(
                fields=["id"],
                name="run_active",
                condition=Q(status__in=["preparing", "sending", "paused", "held"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}, {self.occurrence:%Y-%m-%d %H:%M} UTC"

    def is_too_late(self, *, now: datetime) -> bool:
        """Whether it has to wait for a person, who has not said go."""
        return not self.released_at and now - self.occurrence > self.campaign.late_limit

    def hold(self) -> None:
        self.status = RunStatus.HELD
        self.held_reason = f"due at {self.occurrence:%Y-%m-%d %H:%M} UTC, later than its limit"


class PageState(models.TextChoices):
    WAITING = "waiting"
    OPEN = "open"  # its chord was sent
    CLOSED = "closed"  # each of its deliveries was attempted or left out


class Page(models.Model):
    """Some thousand deliveries of a run, sent by one chord."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="pages", db_index=False)
    number = models.PositiveIntegerField()
    first_delivery = models.BigIntegerField()
    last_delivery = models.BigIntegerField()
    state = models.CharField(max_length=7, choices=PageState, default=PageState.WAITING)
    # How many of its deliveries were queued at the last look, and since when that is so.
    left = models.PositiveIntegerField(default=0)
    moved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="page_number_unique"),
            models.CheckConstraint(
                condition=Q(state__in=PageState.values), name="page_state_known"
            ),
            models.CheckConstraint(
                condition=Q(first_delivery__lte=models.F("last_delivery")),
                name="page_range_ordered",
            ),
        ]
        indexes = [
            # pages.open and the sweep: what is in flight or waits for its turn
            models.Index(
                fields=["run", "number"],
                name="page_unclosed",
                condition=Q(state__in=["waiting", "open"]),
            ),
        ]

    def __str__(self) -> str:
        return f"page {self.number} of run {self.run_id}"

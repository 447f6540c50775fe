"""Campaigns, what they are sent through, and their runs."""

import uuid
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from campaigns import reasons
from campaigns.queues import OUR_OWN, validate_queue
from recipients.models import Tracking
from recipients.models.lists import Viewer, hidden_lists
from recipients.recognising import read
from recipients.validators import validate_header_text
from templates_app.models import EmailTemplate, MediaBlob, MediaFile, TemplateVersion

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


def _limit(
    name: "StrPromise", help_text: "StrPromise"
) -> "models.PositiveIntegerField[int | None, int | None]":
    return models.PositiveIntegerField(
        name, null=True, blank=True, validators=[MinValueValidator(1)], help_text=help_text
    )


def _positive(*names: str) -> Q:
    return Q(*(Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__gt": 0}) for name in names))


class Transport(models.Model):
    """A named way out: an SMTP server, or any email backend of Django's or Anymail's."""

    name = models.CharField(_("name"), max_length=100)
    # The URL with its credentials, encrypted (campaigns.secrets); campaigns.sending.transports
    # says which forms there are.
    encrypted_url = models.TextField(editable=False)
    # They hold over all workers (campaigns.sending.gates); changed by services.set_limits.
    per_second = _limit(_("per second"), _("Messages a second. Empty: no limit."))
    per_hour = _limit(_("per hour"), _("Messages in an hour of the clock. Empty: no limit."))
    per_day = _limit(_("per day"), _("Messages in a day of UTC. Empty: no limit."))
    connections = _limit(
        _("connections"), _("Connections at the same time, of all workers. Empty: no limit.")
    )
    message_mb = _limit(
        _("message mb"),
        _(
            "Megabytes of one message as it is sent, attachments and all. Empty: as"
            " MESSAGE_MB says."
        ),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("transport")
        verbose_name_plural = _("transports")
        constraints = [
            models.UniqueConstraint(fields=["name"], name="transport_name_unique"),
            models.CheckConstraint(
                condition=_positive(
                    "per_second", "per_hour", "per_day", "connections", "message_mb"
                ),
                name="transport_limits_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Sender(models.Model):
    display_name = models.CharField(
        _("display name"), max_length=200, blank=True, validators=[validate_header_text]
    )
    address = models.CharField(_("address"), max_length=254)
    reply_to = models.CharField(_("reply to"), max_length=254, blank=True)
    envelope_domain = models.CharField(
        _("envelope domain"),
        max_length=253,
        blank=True,
        help_text=_(
            "Domain of the envelope sender, where bounces arrive. Empty: the address's own."
        ),
    )
    dkim_domain = models.CharField(
        _("DKIM domain"),
        max_length=253,
        blank=True,
        help_text=_("Its active keys sign the messages. Empty: the relay does."),
    )
    postal_address = models.CharField(
        _("postal address"),
        max_length=300,
        blank=True,
        help_text=_("What {{ sender_address }} writes. The law asks for it in many countries."),
    )
    queue = models.CharField(
        _("queue"),
        max_length=50,
        blank=True,
        validators=[validate_queue],
        help_text=_(
            "One that QUEUES names. Its workers send what is not urgent. Empty: campaigns."
        ),
    )
    # Without one: the installation's own way out, from EMAIL_URL.
    transports = models.ManyToManyField(
        Transport, through="Route", related_name="senders", verbose_name=_("transports")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        constraints = [
            models.UniqueConstraint(
                fields=["display_name", "address"], name="sender_mailbox_unique"
            ),
            models.CheckConstraint(
                condition=~Q(queue__in=OUR_OWN),
                name="sender_queue_not_our_own",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.display_name} <{self.address}>" if self.display_name else self.address

    @property
    def domain(self) -> str:
        return self.envelope_domain or self.address.rpartition("@")[2]


class DKIMAlgorithm(models.TextChoices):
    RSA = "rsa-sha256", _("RSA (2048 bits)")
    ED25519 = "ed25519-sha256", "Ed25519"


class DKIMKeyQuerySet(models.QuerySet["DKIMKey"]):
    def signing_for(self, domain: str) -> Self:
        """Active, and of this domain; the oldest first."""
        return self.filter(domain=domain, is_active=True).order_by("pk")


class DKIMKey(models.Model):
    """A private key whose public half is published in the DNS, at selector._domainkey.domain."""

    domain = models.CharField(_("domain"), max_length=253)
    selector = models.CharField(_("selector"), max_length=63)
    algorithm = models.CharField(_("algorithm"), max_length=14, choices=DKIMAlgorithm)
    encrypted_key = models.TextField(editable=False)  # PEM, as campaigns.secrets encrypts it
    is_active = models.BooleanField(_("is active"), default=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = DKIMKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("DKIM key")
        verbose_name_plural = _("DKIM keys")
        constraints = [
            models.UniqueConstraint(fields=["domain", "selector"], name="dkim_selector_unique"),
            models.CheckConstraint(
                condition=Q(algorithm__in=DKIMAlgorithm.values), name="dkim_algorithm_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"


class Route(models.Model):
    """A transport of a sender; several share its messages by their weights."""

    sender = models.ForeignKey(
        Sender,
        on_delete=models.CASCADE,
        related_name="routes",
        db_index=False,
        verbose_name=_("sender"),
    )
    transport = models.ForeignKey(
        Transport, on_delete=models.PROTECT, related_name="routes", verbose_name=_("transport")
    )
    weight = models.PositiveSmallIntegerField(
        _("weight"),
        default=1,
        validators=[MinValueValidator(1)],
        help_text=_("Its share: of 3 and 1, the first takes three quarters."),
    )

    class Meta:
        verbose_name = _("route")
        verbose_name_plural = _("routes")
        constraints = [
            models.UniqueConstraint(fields=["sender", "transport"], name="route_unique"),
            models.CheckConstraint(condition=Q(weight__gt=0), name="route_weight_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.sender} by {self.transport}"


class DomainGroup(models.Model):
    """A domain whose mailboxes stand behind the same mail exchanger as those of others."""

    domain = models.CharField(_("domain"), max_length=253)
    group = models.CharField(
        _("group"),
        max_length=253,
        help_text=_("A name like google, or a domain that stands for all of them."),
    )

    class Meta:
        verbose_name = _("domain group")
        verbose_name_plural = _("domain groups")
        constraints = [
            models.UniqueConstraint(fields=["domain"], name="domain_group_domain_unique")
        ]

    def __str__(self) -> str:
        return f"{self.domain}: {self.group}"


class Windows(models.Model):
    """What was used up of the clock's present second and hour and of UTC's present day."""

    second_at = models.DateTimeField(null=True, editable=False)
    second_used = models.PositiveIntegerField(default=0, editable=False)
    hour_at = models.DateTimeField(null=True, editable=False)
    hour_used = models.PositiveIntegerField(default=0, editable=False)
    day_at = models.DateTimeField(null=True, editable=False)
    day_used = models.PositiveIntegerField(default=0, editable=False)
    # Until when those that had to wait are spread already, so that they do not come all at once.
    spread_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True


class DomainLimit(Windows):
    """How many messages the mailboxes of a domain, or of a group of domains, may be sent."""

    group = models.CharField(
        _("domain or group"),
        max_length=253,
        help_text=_("example.org, or a group: google, microsoft, yahoo, apple …"),
    )
    transport = models.ForeignKey(
        Transport,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        help_text=_("Empty: what leaves by all transports together."),
        verbose_name=_("transport"),
    )
    per_second = _limit(_("per second"), _("Messages a second. Empty: no limit."))
    per_hour = _limit(_("per hour"), _("Messages in an hour of the clock. Empty: no limit."))
    per_day = _limit(_("per day"), _("Messages in a day of UTC. Empty: no limit."))

    class Meta:
        verbose_name = _("domain limit")
        verbose_name_plural = _("domain limits")
        constraints = [
            models.UniqueConstraint(
                fields=["group", "transport"], name="domain_limit_unique", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=_positive("per_second", "per_hour", "per_day"),
                name="domain_limit_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} by {self.transport}" if self.transport else self.group


class GateQuerySet(models.QuerySet["Gate"]):
    def limited(self, *, now: datetime) -> Self:
        """Shut, or open to some messages at once only."""
        return self.filter(Q(shut_until__gt=now) | Q(allowance__isnull=False))


class Gate(Windows):
    """Whether messages may pass: by a transport, or by it to a group of domains.

    Here, and nowhere else, is what all workers have to agree on; so it survives them and the
    broker. A row is made when something has to be written.
    """

    transport = models.ForeignKey(  # None: the installation's own, from EMAIL_URL
        Transport, on_delete=models.CASCADE, null=True, related_name="gates"
    )
    group = models.CharField(max_length=253, blank=True, default="")  # empty: to everybody
    # Shut by the answers of the next hop: nothing passes until then.
    shut_until = models.DateTimeField(null=True)
    shut_at = models.DateTimeField(null=True)
    trips = models.PositiveSmallIntegerField(default=0)  # how often in a row it was shut
    # Messages that pass at once while it closes slowly; None: as many as come.
    allowance = models.PositiveIntegerField(null=True)
    cause = models.CharField(max_length=20, blank=True, default="")
    answer = models.TextField(blank=True, default="")  # of the next hop, verbatim

    objects = GateQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transport", "group"], name="gate_unique", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        way = str(self.transport or "EMAIL_URL")
        return f"{way} to {self.group}" if self.group else way


class Slot(models.Model):
    """Connections that a worker may have to a transport whose connections are limited."""

    lease = models.UUIDField()
    transport = models.ForeignKey(
        Transport, on_delete=models.CASCADE, related_name="slots", db_index=False
    )
    connections = models.PositiveIntegerField()
    until = models.DateTimeField()  # a worker that died gives nothing back

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transport", "lease"], name="slot_lease_unique")
        ]

    def __str__(self) -> str:
        return f"{self.connections} of {self.transport}"


class CampaignStatus(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    FINISHED = "finished", _("Finished")
    CANCELLED = "cancelled", _("Cancelled")


class Priority(models.TextChoices):
    CAMPAIGN = "campaign", _("Campaign")
    TRANSACTIONAL = "transactional", _("Transactional: urgent, waits for no other campaign")


class UnconfirmedPolicy(models.TextChoices):
    """What becomes of a message that may have arrived or not."""

    HOLD = "hold", _("leave it to a person")
    RESEND = "resend", _("send it again, once")


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def due(self, *, now: datetime) -> Self:
        """Scheduled for this moment or an earlier one, and not fired yet for it."""
        return self.filter(status=CampaignStatus.SCHEDULED, next_fire_at__lte=now)

    def visible_to(self, user: Viewer) -> Self:
        """All; where a list is hidden from the user, those that speak of lists that are not alone.

        A segment asks about everybody, so a campaign with one is hidden as well. What single
        messages go by (`Campaign.is_stream`) has no page, and is shown to nobody.
        """
        shown = self.filter(is_stream=False)
        if not (hidden := hidden_lists(user)):
            return shown
        beyond = (
            Campaign.lists.through.objects.filter(mailinglist__in=hidden),
            Campaign.excluded_lists.through.objects.filter(mailinglist__in=hidden),
            Campaign.segments.through.objects.all(),
            Campaign.excluded_segments.through.objects.all(),
        )
        named = (Exists(rows.filter(campaign=OuterRef("pk"))) for rows in beyond)
        return shown.exclude(reduce(or_, map(Q, named)))

    def coming(self) -> Self:
        """Those that are going to fire, or to fire again."""
        return self.filter(next_fire_at__isnull=False)

    def times(self) -> list[tuple[int, datetime]]:
        """Return the id and the time of each, the earliest first."""
        due = self.coming().order_by("next_fire_at")
        return [(pk, at) for pk, at in due.values_list("pk", "next_fire_at") if at]

    def ids(self) -> list[int]:
        return list(self.values_list("pk", flat=True))


class Campaign(models.Model):
    # A template may write it into the subject.
    name = models.CharField(_("name"), max_length=200, validators=[validate_header_text])
    sender = models.ForeignKey(Sender, on_delete=models.PROTECT, verbose_name=_("sender"))
    # Not optional to its readers: a stream alone has none (campaign_stream_or_template), for each
    # of its messages has a content of its own, and no page asks a stream.
    template: "models.ForeignKey[EmailTemplate, EmailTemplate]" = models.ForeignKey(
        EmailTemplate,
        on_delete=models.PROTECT,
        null=True,  # type: ignore[misc]
        verbose_name=_("template"),
    )
    # What the single messages of a sender go by (campaigns.transactional); each is a run of it. It
    # has no audience, and is neither scheduled nor shown among the campaigns.
    is_stream = models.BooleanField(default=False, db_default=False, editable=False)
    version = models.ForeignKey(
        TemplateVersion,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        help_text=_("The content, frozen when the campaign was scheduled."),
        verbose_name=_("version"),
    )
    # The audience: who is on one of the lists or answers to one of the segments, but to none of
    # the excluded ones (campaigns.audience).
    lists = models.ManyToManyField(
        "recipients.MailingList", blank=True, related_name="campaigns", verbose_name=_("lists")
    )
    segments = models.ManyToManyField(
        "recipients.Segment", blank=True, related_name="campaigns", verbose_name=_("segments")
    )
    excluded_lists = models.ManyToManyField(
        "recipients.MailingList",
        blank=True,
        related_name="excluding_campaigns",
        verbose_name=_("excluded lists"),
    )
    excluded_segments = models.ManyToManyField(
        "recipients.Segment",
        blank=True,
        related_name="excluding_campaigns",
        verbose_name=_("excluded segments"),
    )
    status = models.CharField(
        _("status"),
        max_length=9,
        choices=CampaignStatus,
        default=CampaignStatus.DRAFT,
        editable=False,
    )
    next_fire_at = models.DateTimeField(_("next fire at"), null=True, blank=True, editable=False)
    cron = models.CharField(
        max_length=100, blank=True, editable=False, help_text=_("Empty: it is sent once.")
    )
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", editable=False)
    follows_recipients = models.BooleanField(
        _("at each recipient's own time"),
        default=False,
        help_text=_(
            "The time is that of the recipient's time zone; where none is known, of the campaign's."
        ),
    )
    # What the clock shows then, as if it were UTC; of what is sent once at each one's own time.
    wall_time = models.DateTimeField(null=True, blank=True, editable=False)
    hours_from = models.TimeField(
        _("not earlier than"),
        null=True,
        blank=True,
        help_text=_("Messages leave between these times of the day, on each day."),
    )
    hours_until = models.TimeField(_("and not later than"), null=True, blank=True)
    priority = models.CharField(
        _("priority"), max_length=13, choices=Priority, default=Priority.CAMPAIGN
    )
    late_limit = models.DurationField(
        _("late limit"),
        default=timedelta(hours=24),
        help_text=_("A run that begins later than this after its time waits for a person."),
    )
    time_to_live = models.DurationField(
        _("time to live"),
        default=timedelta(hours=72),
        validators=[MinValueValidator(timedelta(minutes=1))],
        help_text=_("What is not delivered so long after a run began has failed."),
    )
    tracking = models.CharField(
        _("measuring"),
        max_length=9,
        choices=Tracking,
        default=Tracking.FULL,
        help_text=_(
            "Of opens and clicks. Where a list or the installation wants less, that holds."
        ),
    )
    unconfirmed_policy = models.CharField(
        _("unconfirmed policy"),
        max_length=6,
        choices=UnconfirmedPolicy,
        default=UnconfirmedPolicy.HOLD,
        help_text=_(
            "Where the connection broke after the message was handed over: sent again, it may"
            " arrive twice."
        ),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        permissions = [("approve_campaign", _("Can approve what another person wants to send"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=CampaignStatus.values), name="campaign_status_known"
            ),
            models.CheckConstraint(
                condition=Q(is_stream=True) ^ Q(template__isnull=False),
                name="campaign_stream_or_template",
            ),
            models.CheckConstraint(
                condition=Q(is_stream=False) | ~Q(status=CampaignStatus.SCHEDULED),
                name="campaign_stream_never_fires",
            ),
            models.UniqueConstraint(
                fields=["sender"], condition=Q(is_stream=True), name="campaign_stream_unique"
            ),
            models.CheckConstraint(
                condition=Q(priority__in=Priority.values), name="campaign_priority_known"
            ),
            models.CheckConstraint(
                condition=Q(tracking__in=Tracking.values), name="campaign_tracking_known"
            ),
            models.CheckConstraint(
                condition=Q(unconfirmed_policy__in=UnconfirmedPolicy.values),
                name="campaign_unconfirmed_policy_known",
            ),
            models.CheckConstraint(
                condition=~Q(status=CampaignStatus.SCHEDULED) | Q(version__isnull=False),
                name="campaign_scheduled_has_version",
            ),
            models.CheckConstraint(
                condition=Q(next_fire_at__isnull=True) | Q(status=CampaignStatus.SCHEDULED),
                name="campaign_fires_only_when_scheduled",
            ),
            models.CheckConstraint(
                condition=Q(hours_from=None, hours_until=None)
                | (
                    Q(hours_from__isnull=False, hours_until__isnull=False)
                    & ~Q(hours_from=models.F("hours_until"))
                ),
                name="campaign_hours_are_a_span",
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


class When(models.TextChoices):
    NOW = "now", _("as soon as it is confirmed")
    AT = "at", _("once, at a time")
    CRON = "cron", _("again and again")


class Plan(models.Model):
    """When a draft is to be sent, until somebody confirms it; without one, nobody has said."""

    campaign = models.OneToOneField(Campaign, on_delete=models.CASCADE, related_name="plan")
    when = models.CharField(max_length=4, choices=When)
    at = models.DateTimeField(null=True, blank=True)
    cron = models.CharField(max_length=100, blank=True)
    time_zone = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(when=When.NOW, at=None, cron="")
                | (Q(when=When.AT, at__isnull=False) & Q(cron=""))
                | (Q(when=When.CRON, at=None) & ~Q(cron="")),
                name="plan_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}, {self.get_when_display()}"


class Approval(models.Model):
    """What one person asks to send, and another one has looked at: this content, this audience."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="approvals", db_index=False
    )
    # Of content and audience (campaigns.preflight.verdict): another one needs another approval.
    fingerprint = models.CharField(max_length=64)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "fingerprint"], name="approval_unique"),
            models.CheckConstraint(
                condition=~Q(approved_by=models.F("asked_by")), name="approval_by_another_person"
            ),
            models.CheckConstraint(
                condition=Q(approved_by="", approved_at=None)
                | (~Q(approved_by="") & Q(approved_at__isnull=False)),
                name="approval_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}, asked for by {self.asked_by}"


class CampaignAttachmentQuerySet(models.QuerySet["CampaignAttachment"]):
    def wanted_by(self, campaign_id: int) -> Self:
        """What the campaign attaches when it is scheduled the next time, in order."""
        return self.filter(campaign=campaign_id, is_wanted=True).order_by("position", "pk")

    def pinned_by(self, campaign_id: int) -> Self:
        """What it sends as it is scheduled now, in order."""
        return self.filter(campaign=campaign_id, blob__isnull=False).order_by("position", "pk")


class CampaignAttachment(models.Model):
    """A file that goes with each message of a campaign."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="attachments", db_index=False
    )
    # templates_app.media.library.delete refuses as long as the campaign may be sent.
    file = models.ForeignKey(MediaFile, on_delete=models.CASCADE, related_name="attachments")
    # The bytes that are sent: those that the file had when the campaign was scheduled.
    blob = models.ForeignKey(
        MediaBlob, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    position = models.PositiveSmallIntegerField(default=0)
    # Taken away from a campaign that is scheduled: it is sent until that is scheduled anew.
    is_wanted = models.BooleanField(default=True, editable=False)

    objects = CampaignAttachmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("attachment")
        constraints = [
            models.UniqueConstraint(fields=["campaign", "file"], name="campaign_attachment_unique")
        ]

    def __str__(self) -> str:
        return str(self.file)


class PreflightStatus(models.TextChoices):
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    STOPPED = "stopped", _("Stopped")  # by a person, or because another one was begun


class PreflightQuerySet(models.QuerySet["Preflight"]):
    def running(self) -> Self:
        """Not at its end, and not stopped."""
        return self.filter(status=PreflightStatus.RUNNING)


class Preflight(models.Model):
    """What workers look at before a campaign is sent: its whole audience, its links, its sender."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="preflights", db_index=False
    )
    version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="+")
    # Of content, audience and sender (campaigns.preflight.verdict): with another one it is stale.
    fingerprint = models.CharField(max_length=64)
    status = models.CharField(
        max_length=7, choices=PreflightStatus, default=PreflightStatus.RUNNING
    )
    started_by = models.CharField(max_length=150)
    started_at = models.DateTimeField()
    moved_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = PreflightQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=PreflightStatus.values), name="preflight_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status=PreflightStatus.RUNNING) ^ Q(finished_at__isnull=False),
                name="preflight_finished_has_time",
            ),
            models.UniqueConstraint(
                fields=["campaign"],
                condition=Q(status=PreflightStatus.RUNNING),
                name="preflight_one_running",
            ),
        ]
        indexes = [
            # verdict.judge: the newest one of a campaign
            models.Index(fields=["campaign", "id"], name="preflight_of_campaign"),
        ]

    def __str__(self) -> str:
        return f"preflight of {self.version}"


class PreflightKind(models.TextChoices):
    AUTHENTICATION = "authentication", _("Authentication")
    MESSAGE = "message", _("Message")  # one of them, as it would leave
    LINKS = "links", _("Links")
    AUDIENCE = "audience", _("Audience")  # a slice of it


class PreflightStep(models.Model):
    """Some seconds of a preflight's work; each may be made twice, and counts once."""

    preflight = models.ForeignKey(
        Preflight, on_delete=models.CASCADE, related_name="steps", db_index=False
    )
    kind = models.CharField(max_length=14, choices=PreflightKind)
    number = models.PositiveIntegerField(default=0)
    # Of a slice of the audience: ids of recipients above the one, up to the other.
    after = models.BigIntegerField(default=0)
    upto = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    findings = models.JSONField(default=list)
    tally = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["preflight", "kind", "number"], name="preflight_step_unique"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=PreflightKind.values), name="preflight_step_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number} of {self.preflight_id}"


class SenderCheckQuerySet(models.QuerySet["SenderCheck"]):
    def free(self, *, now: datetime) -> Self:
        """Wanted, and nobody is at it."""
        nobody = Q(leased_until=None) | Q(leased_until__lte=now)
        return self.filter(nobody, wanted_at__isnull=False)

    def awaited(self) -> Self:
        """Of senders in whose name something is going to be sent."""
        return self.filter(sender__in=Campaign.objects.coming().values("sender"))

    def with_errors(self) -> Self:
        return self.filter(findings__contains=[{"severity": "error"}])


class SenderCheck(models.Model):
    """What was last found about a sender: asked when it is saved, and each night."""

    sender = models.OneToOneField(
        Sender, on_delete=models.CASCADE, primary_key=True, related_name="checked"
    )
    wanted_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    findings = models.JSONField(default=list)

    objects = SenderCheckQuerySet.as_manager()

    def __str__(self) -> str:
        return f"check of {self.sender}"


class AcceptedWarning(models.Model):
    """Somebody wants to send in spite of a warning; it holds until content or audience change."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="accepted_warnings", db_index=False
    )
    fingerprint = models.CharField(max_length=64)
    name = models.CharField(max_length=50)
    accepted_by = models.CharField(max_length=150)
    accepted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "fingerprint", "name"], name="accepted_warning_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}, accepted by {self.accepted_by}"


class RunStatus(models.TextChoices):
    # The audience is being written down; nothing has gone out.
    PREPARING = "preparing", _("Preparing")
    SENDING = "sending", _("Sending")
    PAUSED = "paused", _("Paused")
    HELD = "held", _("Held")  # a person must say go
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")


ACTIVE_RUN_STATUSES = (
    RunStatus.PREPARING,
    RunStatus.SENDING,
    RunStatus.PAUSED,
    RunStatus.HELD,
)


_LONGEST_REASON = 200


class RunQuerySet(models.QuerySet["Run"]):
    def of_campaigns(self) -> Self:
        """All but the single messages."""
        return self.filter(message=None)

    def visible_to(self, user: Viewer, *, with_messages: bool = False) -> Self:
        """Those of campaigns; where a list is hidden from the user, that went beyond none of them.

        A campaign may have had another audience when a run of it was fired.

        :param with_messages: single messages as well; not where a list is hidden: nobody knows
            whether their recipients are on it.
        """
        if not (hidden := hidden_lists(user)):
            return self if with_messages else self.of_campaigns()
        by_hidden = Run.lists.through.objects.filter(mailinglist__in=hidden, run=OuterRef("pk"))
        shown = Campaign.objects.visible_to(user).values("pk")
        return self.filter(campaign__in=shown).exclude(Exists(by_hidden))

    def active(self) -> Self:
        """Neither completed nor cancelled."""
        return self.filter(status__in=ACTIVE_RUN_STATUSES)

    def with_open_deliveries(self) -> Self:
        return self.filter(
            Q(counters__queued__gt=0) | Q(counters__sending__gt=0) | Q(counters__retry__gt=0)
        )

    def without_success(self) -> Self:
        """Of which nothing was sent, and nothing may have been."""
        return self.filter(counters__sent=0, counters__unconfirmed=0)

    def resending(self) -> Self:
        """Where what is in doubt is sent again, and something is."""
        resends = Q(campaign__unconfirmed_policy=UnconfirmedPolicy.RESEND)
        return self.filter(resends, counters__unconfirmed__gt=0).exclude(status=RunStatus.CANCELLED)

    def unfinished(self) -> Self:
        """Campaigns' runs with something left to do, unless a person has to say so first."""
        going = Q(status__in=(RunStatus.PREPARING, RunStatus.SENDING, RunStatus.PAUSED))
        unwritten = Q(status=RunStatus.CANCELLED, prepared_at__isnull=True)
        left_open = Q(pk__in=Run.objects.with_open_deliveries().values("pk"))
        in_doubt = Q(pk__in=Run.objects.resending().values("pk"))
        unfinished = self.of_campaigns().filter(going | unwritten | left_open | in_doubt)
        return unfinished.exclude(status=RunStatus.HELD)

    def having(self, *statuses: RunStatus) -> Self:
        return self.filter(status__in=statuses)

    def hold(self, reason: str) -> int:
        """Have these runs wait for a person, and say why; return how many."""
        return self.update(status=RunStatus.HELD, held_reason=reason[:_LONGEST_REASON])

    def pause(self, reason: str = "") -> int:
        """Have nothing more of these runs claimed until a person says go; return how many."""
        return self.update(
            status=RunStatus.PAUSED, held_reason=reason[:_LONGEST_REASON], warning=""
        )

    def warn(self, reason: str) -> int:
        """Say what a person should look at while these runs go on; nothing: there is none."""
        return self.update(warning=reason[:_LONGEST_REASON])

    def note_obstacle(self, reason: str) -> int:
        """Say what is in the way of these runs, which go on by themselves when it is gone."""
        return self.update(obstacle=reason[:_LONGEST_REASON])

    def newest_first(self) -> Self:
        return self.order_by("-id")

    def ids(self) -> list[int]:
        return list(self.values_list("pk", flat=True))

    def with_counters(self) -> Self:
        return self.select_related("counters", "campaign")


class MessageQuerySet(models.QuerySet["Message"]):
    def open(self) -> Self:
        """Not at their end yet."""
        return self.filter(look_at__isnull=False)


class Message(models.Model):
    """A single message that a program asked for; its run is of one recipient."""

    # Its name outside: no number of ours, and none that could be guessed.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # As `Recipient.key`; empty where the person was erased.
    key = models.CharField(max_length=254, blank=True)
    language = models.CharField(max_length=35, blank=True)
    # What its template is filled with; nothing of it is kept when the message is at its end.
    fields = models.JSONField(default=dict)
    # When somebody looks after it, if nobody has before: its task is lost, a limit keeps it, it is
    # attempted again. None: it is at its end.
    look_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    objects = MessageQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        permissions = [("send_message", _("Can send single messages"))]
        indexes = [
            # transactional.due, each second; gates.admit, where a limit is to be shared
            models.Index(
                fields=["look_at"], name="message_open", condition=Q(look_at__isnull=False)
            ),
            # tracking.privacy: what was sent to an address whose recipient is gone
            models.Index(fields=["key"], name="message_key", condition=~Q(key="")),
            # transactional.forget_old
            models.Index(fields=["created_at"], name="message_created"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Run(models.Model):
    """One firing of a campaign, or a single message."""

    campaign = models.ForeignKey(
        Campaign,
        on_delete=models.PROTECT,
        related_name="runs",
        db_index=False,
        verbose_name=_("campaign"),
    )
    message = models.OneToOneField(
        Message, on_delete=models.PROTECT, null=True, editable=False, related_name="run"
    )
    version = models.ForeignKey(
        TemplateVersion, on_delete=models.PROTECT, verbose_name=_("version")
    )
    occurrence = models.DateTimeField(_("occurrence"), help_text=_("The time at which it was due."))
    status = models.CharField(
        _("status"), max_length=9, choices=RunStatus, default=RunStatus.PREPARING
    )
    held_reason = models.CharField(max_length=_LONGEST_REASON, blank=True)
    # What the last worker that tried has found in its way; empty where it could send.
    obstacle = models.CharField(max_length=_LONGEST_REASON, blank=True, editable=False)
    # When a person said go; then it is not held again for being late.
    released_at = models.DateTimeField(null=True, blank=True, editable=False)
    # What of it was over then (campaigns.sending.guard).
    sent_before = models.PositiveIntegerField(default=0, editable=False)
    failed_before = models.PositiveIntegerField(default=0, editable=False)
    # What a person should look at while it goes on.
    warning = models.CharField(max_length=_LONGEST_REASON, blank=True, default="", editable=False)
    # The most private word of installation, lists and campaign when it was fired.
    tracking = models.CharField(
        max_length=9, choices=Tracking, default=Tracking.OFF, editable=False
    )
    # The sender's at the firing: a Message-ID is the same at each attempt.
    sender_domain = models.CharField(max_length=253, editable=False)
    # What the recipient's clock shows when it may go to them, as if it were UTC; None: at once.
    wall_time = models.DateTimeField(null=True, blank=True, editable=False)
    # How far the snapshot of the audience has come: the last recipient's id.
    snapshot_cursor = models.BigIntegerField(default=0, editable=False)
    # Everybody written down so far, those left out included; deliveries of the run add up to it.
    audience = models.PositiveIntegerField(_("audience"), default=0, editable=False)
    # By which it was written down: these are what its messages' links leave, ever after.
    lists = models.ManyToManyField(
        "recipients.MailingList", blank=True, editable=False, related_name="runs"
    )
    prepared_at = models.DateTimeField(_("prepared at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        constraints = [
            # A double fire makes no second run. Messages may come at the same moment.
            models.UniqueConstraint(
                fields=["campaign", "occurrence", "message"],
                name="run_occurrence_unique",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(status__in=RunStatus.values), name="run_status_known"
            ),
            models.CheckConstraint(
                condition=Q(tracking__in=Tracking.values), name="run_tracking_known"
            ),
        ]
        indexes = [
            # the sweep: runs that may need a push
            models.Index(
                fields=["id"],
                name="run_active",
                condition=Q(status__in=["preparing", "sending", "paused", "held"]),
            ),
            # pages and sums that speak of campaigns: however many messages there are between
            models.Index(fields=["id"], name="run_of_campaign", condition=Q(message=None)),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}, {self.occurrence:%Y-%m-%d %H:%M} UTC"

    def is_too_late(self, *, now: datetime) -> bool:
        """Whether it has to wait for a person, who has not said go."""
        return not self.released_at and now - self.occurrence > self.campaign.late_limit

    def is_too_old(self, *, at: datetime) -> bool:
        """Whether it has outlived its time to live at that moment, counted from its start.

        When a person says go, after a pause or when it was held, it is counted anew.
        """
        since = max(filter(None, (self.started_at, self.released_at)), default=at)
        return at - since > self.campaign.time_to_live

    @property
    def why_held(self) -> str:
        """Say why it waits for a person, in the reader's language."""
        return read(self.held_reason)

    @property
    def why_warned(self) -> str:
        return read(self.warning)

    @property
    def lateness(self) -> str:
        """Say why it is held if it is too late."""
        return reasons.LATE % {"at": f"{self.occurrence:%Y-%m-%d %H:%M}"}


class RunAttachmentQuerySet(models.QuerySet["RunAttachment"]):
    def in_order(self, run_id: int) -> Self:
        return self.filter(run=run_id).order_by("position")


class RunAttachment(models.Model):
    """A file that went, or goes, with each message of a run. Never changed."""

    run = models.ForeignKey(
        Run, on_delete=models.CASCADE, related_name="attachments", db_index=False
    )
    blob = models.ForeignKey(MediaBlob, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField()

    objects = RunAttachmentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "position"], name="run_attachment_unique")
        ]

    def __str__(self) -> str:
        return self.name


class Instance(models.Model):
    """Which installation this database belongs to, and where it lay then; one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    installation = models.CharField(max_length=200, blank=True)
    place = models.CharField(max_length=100)
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="instance_only_one")]

    def __str__(self) -> str:
        return self.installation or "unnamed"


class PageState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    OPEN = "open", _("Open")  # its chord was sent
    CLOSED = "closed", _("Closed")  # each of its deliveries was attempted or left out


class Page(models.Model):
    """Some thousand deliveries of a run, sent by one chord."""

    run = models.ForeignKey(
        Run, on_delete=models.CASCADE, related_name="pages", db_index=False, verbose_name=_("run")
    )
    number = models.PositiveIntegerField(_("number"))
    first_delivery = models.BigIntegerField()
    last_delivery = models.BigIntegerField()
    state = models.CharField(_("state"), max_length=7, choices=PageState, default=PageState.WAITING)
    # How many of its deliveries were queued at the last look, and since when that is so.
    left = models.PositiveIntegerField(default=0)
    moved_at = models.DateTimeField(_("moved at"), null=True, blank=True)
    # When a waiting page is looked at again that a limit or a shut gate keeps.
    resume_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("page")
        verbose_name_plural = _("pages")
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
            # pages.due_runs, each second: what a limit or a gate kept, and may go on
            models.Index(
                fields=["resume_at"],
                name="page_resumes",
                condition=Q(state="waiting", resume_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"page {self.number} of run {self.run_id}"


class ReportFrequency(models.TextChoices):
    DAILY = "daily", _("Each day")
    WEEKLY = "weekly", _("Each week, on Monday")
    AFTER_RUN = "after_run", _("A day after each run has ended")


class ReportSubscription(models.Model):
    """A member of staff who wants the figures by mail; `campaigns.summaries` sends them."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_index=False,
        related_name="report_subscriptions",
    )
    frequency = models.CharField(max_length=9, choices=ReportFrequency)
    # Up to when they were told; claimed before a message is sent, so that nobody gets two.
    last_sent_at = models.DateTimeField()
    # What the last attempt met with; empty where it was sent.
    problem = models.CharField(max_length=300, blank=True, default="", editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "frequency"], name="report_subscription_unique"
            ),
            models.CheckConstraint(
                condition=Q(frequency__in=ReportFrequency.values),
                name="report_subscription_frequency_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_frequency_display().lower()}"

    @property
    def why_not_sent(self) -> str:
        """Say what the last attempt met with, in the reader's language."""
        return read(self.problem)

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from recipients.models.consent import ConsentWording
from recipients.models.fields import Field
from recipients.models.lists import MailingList
from recipients.models.people import Recipient
from recipients.recognising import read
from recipients.validators import validate_header_text

# So long may a person take to confirm; who never does is forgotten then.
CONFIRM_WITHIN = timedelta(days=30)
# One message that asks to confirm goes to an address in this time, however often it is asked for.
QUIET = timedelta(hours=24)


class SignupForm(models.Model):
    """A page, or a form in somebody's page, by which people subscribe to a list."""

    slug = models.SlugField(_("slug"), max_length=80, help_text=_("Its page is /subscribe/SLUG."))
    mailing_list = models.ForeignKey(
        MailingList,
        on_delete=models.CASCADE,
        related_name="forms",
        verbose_name=_("mailing list"),
    )
    # Who asks to confirm, and by which transport; empty: the oldest sender.
    sender = models.ForeignKey(
        "campaigns.Sender",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sender"),
    )
    # It is in the subject of the message that asks to confirm.
    title = models.CharField(_("title"), max_length=200, validators=[validate_header_text])
    introduction = models.TextField(_("introduction"), blank=True)
    wording = models.TextField(
        _("wording"),
        help_text=_("What people agree to; it is kept with each consent, word for word."),
    )
    language = models.CharField(
        _("language"), max_length=35, blank=True, help_text=_("BCP 47: en, vi, pt-BR.")
    )
    fields = models.ManyToManyField(
        Field,
        blank=True,
        help_text=_("Asked beside the address."),
        verbose_name=_("fields"),
    )
    # All that ever stood in it: a copy in somebody's page may still show earlier words.
    wordings = models.ManyToManyField(ConsentWording, blank=True, editable=False)
    welcome_subject = models.CharField(
        _("welcome subject"),
        max_length=200,
        blank=True,
        validators=[validate_header_text],
        help_text=_("Empty: Welcome to, and the list's name."),
    )
    welcome_text = models.TextField(
        _("welcome text"),
        blank=True,
        help_text=_(
            "Sent once, when a person confirms for the first time. Empty: nothing is sent."
        ),
    )
    is_open = models.BooleanField(_("is open"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("sign-up form")
        verbose_name_plural = _("sign-up forms")
        constraints = [models.UniqueConstraint(fields=["slug"], name="signup_form_slug_unique")]

    def __str__(self) -> str:
        return self.title


class SignupQuerySet(models.QuerySet["Signup"]):
    def fresh(self, *, now: datetime) -> Self:
        """Young enough to be confirmed."""
        return self.filter(asked_at__gt=now - CONFIRM_WITHIN)

    def stale(self, *, now: datetime) -> Self:
        """Too old to be confirmed."""
        return self.filter(asked_at__lte=now - CONFIRM_WITHIN)


class Signup(models.Model):
    """Somebody asked for a list in a recipient's name; nothing comes of it until they confirm.

    Its answers are nobody's yet, and who has left the list stays so: anybody may type an address.
    """

    recipient = models.ForeignKey(
        Recipient, on_delete=models.CASCADE, related_name="signups", db_index=False
    )
    mailing_list = models.ForeignKey(MailingList, on_delete=models.CASCADE)
    form = models.ForeignKey(SignupForm, on_delete=models.SET_NULL, null=True)
    wording = models.BinaryField(max_length=32)  # the words that were shown: ConsentWording.digest
    answers = models.JSONField(default=dict)  # in the form of Recipient.fields
    asked_at = models.DateTimeField()

    objects = SignupQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["recipient", "mailing_list"], name="signup_unique")
        ]
        indexes = [
            # retention: those that were never confirmed
            models.Index(fields=["asked_at"], name="signup_age")
        ]

    def __str__(self) -> str:
        return f"{self.recipient} asks for {self.mailing_list}"


class SignupWindow(models.Model):
    """How often forms were used within an hour of the clock: from a network, or for an address."""

    # 192.0.2.0/24, 2001:db8::/48; or digits of the address's digest (recipients.consent.subject).
    who = models.CharField(max_length=50)
    hour = models.DateTimeField()
    used = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["who", "hour"], name="signup_window_unique")]

    def __str__(self) -> str:
        return f"{self.who}: {self.used}"


class NoticeKind(models.TextChoices):
    CONFIRMATION = "confirmation", _("asks to confirm a subscription")
    PRIVACY = "privacy", _("leads to what is known of a person")
    WELCOME = "welcome", _("greets a new subscriber")


class NoticeQuerySet(models.QuerySet["Notice"]):
    def open(self) -> Self:
        """Neither sent nor given up."""
        return self.filter(sent_at__isnull=True, failed_at__isnull=True)

    def due(self, *, now: datetime) -> Self:
        """To be sent now: their time has come, and no worker has them in its hands."""
        return self.open().filter(next_attempt_at__lte=now)

    def handed_over(self, *, since: datetime) -> Self:
        """Open ones, and those that a worker took after that moment, whatever came of it."""
        taken = Q(claimed_at__gt=since)
        return self.filter(taken | Q(sent_at__isnull=True, failed_at__isnull=True))


class Notice(models.Model):
    """A message of ours to one person, which is no campaign; `campaigns.notices` sends it.

    Its id is in the links of that message (tracking.tokens), so the row stays.
    """

    kind = models.CharField(max_length=12, choices=NoticeKind)
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE)
    # The recipient's key when it was written: its links are for whoever reads that mailbox.
    key = models.CharField(max_length=254)
    form = models.ForeignKey(SignupForm, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    # When a worker last took it, and when the next one may: a day later, if it did not come back.
    claimed_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveSmallIntegerField(db_default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    diagnostic = models.TextField(blank=True, db_default="")

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("message of ours")
        verbose_name_plural = _("messages of ours")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=NoticeKind.values), name="notice_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(sent_at__isnull=True) | Q(failed_at__isnull=True),
                name="notice_one_end",
            ),
            # However many ask at once, one message is on its way.
            models.UniqueConstraint(
                fields=["recipient", "kind"],
                condition=Q(sent_at__isnull=True, failed_at__isnull=True),
                name="notice_open_once",
            ),
        ]
        indexes = [
            # campaigns.notices: what is to be sent
            models.Index(
                fields=["next_attempt_at"],
                name="notice_open",
                condition=Q(sent_at__isnull=True, failed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"

    @property
    def said(self) -> str:
        """The diagnostic; where it is a sentence of ours, in the language of the reader."""
        return read(self.diagnostic)

from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from recipients.models.imported import Imported
from recipients.models.lists import (
    MailingList,
    Subscription,
    SubscriptionState,
    Viewer,
    hidden_lists,
)
from recipients.models.suppression import Suppression


class TrackingConsent(models.TextChoices):
    UNKNOWN = "unknown", _("not asked")
    GRANTED = "granted", _("Granted")
    DENIED = "denied", _("Denied")


class RecipientQuerySet(models.QuerySet["Recipient"]):
    def subscribed_to(self, mailing_list: MailingList) -> Self:
        """Those whose subscription to the list is confirmed."""
        return self.filter(
            subscription__mailing_list=mailing_list,
            subscription__state=SubscriptionState.CONFIRMED,
        )

    def not_suppressed(self) -> Self:
        """Those whose address, and whose domain, nobody has asked us to leave alone."""
        return self.exclude(Exists(Suppression.objects.of_outer()))

    def visible_to(self, user: Viewer) -> Self:
        """Everybody; where a list is hidden from the user, those who are on one that is not."""
        if not hidden_lists(user):
            return self
        shown = Subscription.objects.visible_to(user).filter(recipient=OuterRef("pk"))
        return self.filter(Exists(shown))


class Recipient(Imported):
    # As written by its owner, with the domain as A-label: what RCPT TO says.
    address = models.CharField(_("address"), max_length=254)
    # The address for comparing: lower case, domain as A-label.
    key = models.CharField(max_length=254, editable=False)
    domain = models.CharField(max_length=253, editable=False)
    # What another system calls them, by which its programs find them; empty: it has no name.
    external_id = models.CharField(max_length=200, blank=True, default="", db_default="")
    needs_smtputf8 = models.BooleanField(default=False, editable=False)
    # By the names of `Field`, in the form that `FieldKind` says.
    fields = models.JSONField(_("fields"), default=dict, blank=True)
    language = models.CharField(_("language"), max_length=35, blank=True)  # BCP 47
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    tracking_consent = models.CharField(
        _("tracking consent"),
        max_length=7,
        choices=TrackingConsent,
        default=TrackingConsent.UNKNOWN,
        db_default=TrackingConsent.UNKNOWN,
    )
    paused_until = models.DateField(
        _("paused until"), null=True, blank=True, help_text=_("Wants no message before that day.")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = RecipientQuerySet.as_manager()

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="recipient_key_unique"),
            # Only those that have one are in its index.
            models.UniqueConstraint(
                fields=["external_id"],
                name="recipient_external_id_unique",
                condition=~Q(external_id=""),
            ),
            models.CheckConstraint(
                condition=Q(key__contains="@") & ~Q(domain=""), name="recipient_key_is_address"
            ),
            models.CheckConstraint(
                condition=Q(tracking_consent__in=TrackingConsent.values),
                name="recipient_tracking_consent_known",
            ),
        ]
        permissions = [
            ("export_recipient", _("Can take recipients out as a file")),
            ("erase_recipient", _("Can erase all that is known of a recipient")),
            ("merge_recipient", _("Can merge recipients who are the same person")),
        ]

    def __str__(self) -> str:
        return self.address


class Tag(models.Model):
    """A word that staff put on recipients; nobody subscribes to it, and no recipient sees it."""

    name = models.CharField(_("name"), max_length=100)
    recipients = models.ManyToManyField(Recipient, through="Tagging", related_name="tags")
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["name"]  # there are few
        constraints = [models.UniqueConstraint(fields=["name"], name="tag_name_unique")]

    def __str__(self) -> str:
        return self.name


class Tagging(Imported):
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, db_index=False)
    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE)

    class Meta:
        constraints = [
            # Its index also serves segments: all who have a tag.
            models.UniqueConstraint(fields=["tag", "recipient"], name="tagging_unique")
        ]

    def __str__(self) -> str:
        return f"{self.tag}: {self.recipient}"

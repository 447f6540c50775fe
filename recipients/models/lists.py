import uuid
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from recipients.models.imported import Imported
from recipients.validators import validate_header_text


class SubscriptionState(models.TextChoices):
    PENDING = "pending", _("Pending")  # asked to confirm (double opt-in), has not yet
    CONFIRMED = "confirmed", _("Confirmed")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")


class Tracking(models.TextChoices):
    """What is measured of opens and clicks; of several words the most private one counts."""

    FULL = "full", _("who opened and clicked")
    ANONYMOUS = "anonymous", _("how often, without telling who")
    OFF = "off", _("nothing")


Viewer = AbstractBaseUser | AnonymousUser


class MailingListQuerySet(models.QuerySet["MailingList"]):
    def hidden_from(self, user: Viewer) -> Self:
        """Limited to others, where the user may not see those as well."""
        if user.has_perm("recipients.see_limited_lists"):  # type: ignore[union-attr]
            return self.none()
        pk = user.pk or 0  # of who is not signed in it is None, which would find each that has none
        mine = Q(limited_to_users=pk) | Q(limited_to_groups__user=pk)
        let_in = MailingList.objects.filter(mine, is_limited=True)
        return self.filter(is_limited=True).exclude(pk__in=let_in.values("pk"))

    def visible_to(self, user: Viewer) -> Self:
        """Not limited to others."""
        return self.exclude(pk__in=hidden) if (hidden := hidden_lists(user)) else self


def hidden_lists(user: Viewer) -> tuple[int, ...]:
    """Return the ids of the lists that this user may not see; asked for once, as permissions are.

    Most often there are none: then what is narrowed by them is not narrowed, and costs nothing.
    """
    known: tuple[int, ...] | None = getattr(user, "_hidden_lists", None)
    if known is None:
        hidden = MailingList.objects.hidden_from(user).order_by("pk").values_list("pk", flat=True)
        known = tuple(hidden)
        user._hidden_lists = known  # type: ignore[union-attr]  # noqa: SLF001
    return known


class MailingList(models.Model):
    name = models.CharField(_("name"), max_length=200, validators=[validate_header_text])
    description = models.TextField(
        _("description"), blank=True, help_text=_("Shown where people choose their lists.")
    )
    is_public = models.BooleanField(
        _("is public"),
        default=False,
        db_default=False,
        help_text=_("Recipients may subscribe to it themselves where they choose their lists."),
    )
    tracking = models.CharField(
        _("measuring"),
        max_length=9,
        choices=Tracking,
        default=Tracking.FULL,
        db_default=Tracking.FULL,
        help_text=_("Of opens and clicks. Where campaign or installation want less, that holds."),
    )
    # The stable part of List-ID (RFC 2919 2): a renamed list stays the same list.
    identifier = models.UUIDField(_("identifier"), default=uuid.uuid4, editable=False)
    # Said apart from who they are: where the last of them goes, it does not open to everybody.
    is_limited = models.BooleanField(
        _("limited"),
        default=False,
        db_default=False,
        help_text=_("Only these users and groups see it, its recipients and its campaigns."),
    )
    limited_to_users = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="limited_lists",
        verbose_name=_("limited to users"),
    )
    limited_to_groups = models.ManyToManyField(
        "auth.Group",
        blank=True,
        related_name="limited_lists",
        verbose_name=_("limited to groups"),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = MailingListQuerySet.as_manager()

    class Meta:
        verbose_name = _("mailing list")
        verbose_name_plural = _("mailing lists")
        ordering = ["name"]  # there are few
        constraints = [
            models.UniqueConstraint(fields=["name"], name="mailing_list_name_unique"),
            models.UniqueConstraint(fields=["identifier"], name="mailing_list_identifier_unique"),
            models.CheckConstraint(
                condition=Q(tracking__in=Tracking.values), name="mailing_list_tracking_known"
            ),
        ]
        permissions = [("see_limited_lists", _("Can see lists that are limited to others"))]

    def __str__(self) -> str:
        return self.name


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    def visible_to(self, user: Viewer) -> Self:
        """Of a list that the user sees."""
        return self.exclude(mailing_list__in=hidden) if (hidden := hidden_lists(user)) else self


class Subscription(Imported):
    """Where a recipient stands with a list now; how it came to that is in the consent ledger."""

    # PostgreSQL does not check these two: it would lock the list's row for each row of an import,
    # which takes longer than the row. What is deleted takes its subscriptions with it in Python.
    recipient = models.ForeignKey(
        "recipients.Recipient",
        on_delete=models.CASCADE,
        db_constraint=False,
        verbose_name=_("recipient"),
    )
    mailing_list = models.ForeignKey(
        MailingList,
        on_delete=models.CASCADE,
        db_index=False,
        db_constraint=False,
        verbose_name=_("mailing list"),
    )
    state = models.CharField(_("state"), max_length=12, choices=SubscriptionState)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(_("changed at"), auto_now=True)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
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

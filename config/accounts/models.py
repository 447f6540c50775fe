from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class GivenPermission(models.Model):
    """A permission that a role has been given once; if it is not there now, somebody took it."""

    role = models.CharField(max_length=30)
    permission = models.CharField(max_length=150)  # app.codename

    class Meta:
        verbose_name = _("given permission")
        verbose_name_plural = _("given permissions")
        constraints = [
            models.UniqueConstraint(fields=["role", "permission"], name="given_permission_unique")
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.permission}"


class Theme(models.TextChoices):
    AUTO = "", _("As the system is")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class Profile(models.Model):
    """How somebody wants to see the pages."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="profile"
    )
    # Empty: the one that the browser asks for.
    language = models.CharField(max_length=10, blank=True, choices=settings.LANGUAGES)
    # Empty: the installation's.
    time_zone = models.CharField(max_length=64, blank=True)
    theme = models.CharField(max_length=5, blank=True, choices=Theme)

    class Meta:
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(theme__in=Theme.values), name="profile_theme_known"
            )
        ]

    def __str__(self) -> str:
        return f"profile of {self.user}"


class Origin(models.TextChoices):
    WEB = "web", _("Web page")
    COMMAND = "command", _("Command")
    ITSELF = "itself", _("Godwit itself, or SQL by hand")


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def of(self, kind: str, pk: str) -> Self:
        """All that is known of one thing: `campaigns.campaign`, `5`."""
        return self.filter(kind=kind, object_id=pk)


class AuditEntry(models.Model):
    """Who did what to what: written by triggers (migrations/0002_audit.py), and never changed."""

    at = models.DateTimeField()
    # The name as it was then; users may go.
    actor = models.CharField(max_length=200)
    user_id = models.BigIntegerField(null=True)
    origin = models.CharField(max_length=7, choices=Origin)
    ip = models.GenericIPAddressField(null=True)
    act = models.CharField(max_length=50)
    kind = models.CharField(max_length=100)  # app.model; empty: of nothing that has a row
    object_id = models.CharField(max_length=40, blank=True)
    name = models.CharField(max_length=200, blank=True)  # what it was called
    # The columns that changed. No address of a recipient is in them.
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    rows = models.PositiveIntegerField(default=1)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        default_permissions = ("view",)
        indexes = [
            # the history of one thing
            models.Index(fields=["kind", "object_id", "-id"], name="audit_of_object"),
            # what one person did
            models.Index(fields=["actor", "-id"], name="audit_by_actor"),
            # retention, and the page's days
            models.Index(fields=["at"], name="audit_at"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(origin__in=Origin.values), name="audit_origin_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.act} {self.kind} {self.object_id}"

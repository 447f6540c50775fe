from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _


class GivenPermission(models.Model):
    """A permission that a role has been given once; if it is not there now, somebody took it."""

    role = models.CharField(max_length=30)
    permission = models.CharField(max_length=150)  # app.codename

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["role", "permission"], name="given_permission_unique")
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.permission}"


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
        verbose_name_plural = "audit entries"
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

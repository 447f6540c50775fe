from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
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
    # Single keys; who speaks to their computer presses them without meaning to (WCAG 2.1.4).
    shortcuts = models.BooleanField(default=True)

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
    API = "api", _("HTTP API")
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


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, *, now: datetime) -> Self:
        """Neither revoked nor expired, of somebody who may sign in."""
        lasts = Q(expires_at=None) | Q(expires_at__gt=now)
        return self.filter(lasts, revoked_at=None, user__is_active=True)


class ApiKey(models.Model):
    """What a program shows to act as its user, with some of what that user may do."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys"
    )
    name = models.CharField(max_length=100)
    # The part of the key by which it is found, and told from others on its page.
    prefix = models.CharField(max_length=12)
    # SHA-256 of the whole key, which nobody can guess: it has 256 random bits.
    digest = models.BinaryField(max_length=32)
    # `app.codename`. All of them, so that a key does not get what its user is given later.
    scopes = ArrayField(models.CharField(max_length=150), default=list)
    # Said apart from which: where the last of them is deleted, it does not open to all lists.
    is_limited = models.BooleanField(default=False, db_default=False)
    lists = models.ManyToManyField("recipients.MailingList", blank=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)  # to the minute
    revoked_at = models.DateTimeField(null=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        default_permissions = ("view", "change")
        constraints = [models.UniqueConstraint(fields=["prefix"], name="api_key_prefix_unique")]

    def __str__(self) -> str:
        return self.name

    def stands(self, *, now: datetime) -> str:
        """Return `works`, `expired` or `revoked`."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= now else "works"


class IdempotentAnswer(models.Model):
    """The answer to a request with an Idempotency-Key, written in the transaction of its effect."""

    holder = models.CharField(max_length=40)  # `key 5`, `user 3`
    endpoint = models.CharField(max_length=300)  # `POST /api/v1/lists`
    key = models.CharField(max_length=255)
    request = models.BinaryField(max_length=32)  # SHA-256 of what was sent
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["holder", "endpoint", "key"], name="idempotent_answer_unique"
            )
        ]
        indexes = [
            # retention
            models.Index(fields=["created_at"], name="idempotent_answer_at")
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} of {self.holder}: {self.status}"


class SignedIn(models.Model):
    """A person's client that signed in by the API: what its refresh token stands for."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # SHA-256 of the newest refresh token; each is used once.
    digest = models.BinaryField(max_length=32)
    # Of the web session that it was taken from, which takes it along; empty: none.
    session_key = models.CharField(max_length=40, blank=True)
    # As it was; with a new password it does not count any more.
    auth_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["digest"], name="signed_in_digest_unique")]
        indexes = [
            # retention
            models.Index(fields=["expires_at"], name="signed_in_expires")
        ]

    def __str__(self) -> str:
        return f"{self.user}, until {self.expires_at:%Y-%m-%d %H:%M}"

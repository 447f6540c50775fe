import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from recipients.models.lists import MailingList, Viewer, hidden_lists
from recipients.models.people import Tag
from recipients.translatable import Translatable

UPLOADS = "imports"  # the directory of their files


class ImportStatus(models.TextChoices):
    MAPPING = "mapping", _("waiting for its columns to be named")  # or shown
    CHECKING = "checking", _("being checked")  # the file is read into a staging table
    CHECKED = "checked", _("checked")  # what would happen is known; a person says go
    IMPORTING = "importing", _("being imported")
    STOPPED = "stopped", _("stopped")  # by a person, in its midst; it may go on
    DONE = "done", _("done")
    FAILED = "failed", _("failed")  # the file as a whole cannot be read
    UNDONE = "undone", _("undone")


class MergePolicy(models.TextChoices):
    """What becomes of the fields of a recipient whom an import finds; blanks change nothing."""

    FILL = "fill", _("Fill what is blank, keep what is there")
    OVERWRITE = "overwrite", _("Overwrite what is there")
    LEAVE = "leave", _("Leave known recipients as they are")


def stored_under(_import: "Import", name: str) -> str:
    """Return where a file is kept: no part of the name comes from a user."""
    suffix = "".join(c for c in name.rpartition(".")[2].lower() if c.isalnum())[:4]
    return f"{UPLOADS}/{uuid.uuid4().hex}.{suffix or 'csv'}"


class ImportQuerySet(models.QuerySet["Import"]):
    def visible_to(self, user: Viewer) -> Self:
        """All; where a list is hidden from the user, theirs and those into a list that is not."""
        if not (hidden := hidden_lists(user)):
            return self
        into_shown = Q(mailing_list__isnull=False) & ~Q(mailing_list__in=hidden)
        return self.filter(into_shown | Q(created_by=user.pk))


class Import(models.Model):
    """A file of recipients, on its way into the base."""

    file = models.FileField(upload_to=stored_under, blank=True, editable=False)
    file_name = models.CharField(_("file name"), max_length=255)  # as its owner calls it
    sha256 = models.CharField(max_length=64, editable=False)
    size = models.BigIntegerField(editable=False)  # bytes
    mailing_list = models.ForeignKey(
        MailingList,
        on_delete=models.SET_NULL,
        null=True,
        verbose_name=_("mailing list"),
    )
    tags = models.ManyToManyField(
        Tag,
        blank=True,
        verbose_name=_("tags"),
    )
    policy = models.CharField(
        _("policy"), max_length=9, choices=MergePolicy, default=MergePolicy.OVERWRITE
    )
    declaration = models.CharField(
        _("where the consent comes from"),
        max_length=200,
        blank=True,
        help_text=_("Kept with each consent: paper forms of the fair in Hanoi, March 2026."),
    )
    # How the file is read (recipients.importing.layout.Layout), found or chosen.
    layout = models.JSONField(default=dict, editable=False)
    status = models.CharField(
        max_length=9, choices=ImportStatus, default=ImportStatus.MAPPING, editable=False
    )
    # Why it failed, or was stopped (Translatable.stored); empty where nothing is wrong.
    trouble = models.JSONField(default=list, editable=False)
    # Of the file's rows: how many were read; of their addresses: how many there are, and how many
    # of those are merged.
    rows = models.BigIntegerField(default=0, editable=False)
    addresses = models.BigIntegerField(null=True, editable=False)
    merged = models.BigIntegerField(default=0, editable=False)
    new = models.BigIntegerField(_("new"), default=0, editable=False)
    changed = models.BigIntegerField(_("changed"), default=0, editable=False)
    unchanged = models.BigIntegerField(default=0, editable=False)
    duplicates = models.BigIntegerField(default=0, editable=False)
    invalid = models.BigIntegerField(_("invalid"), default=0, editable=False)
    suppressed = models.BigIntegerField(default=0, editable=False)
    # What the check found, for a person: role and disposable addresses, typing errors.
    findings = models.JSONField(default=dict, editable=False)
    # Since when nothing moved: a step whose message, or worker, was lost is sent again.
    moved_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    finished_at = models.DateTimeField(null=True, editable=False)

    objects = ImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=ImportStatus.values), name="import_status_known"
            ),
            models.CheckConstraint(
                condition=Q(policy__in=MergePolicy.values), name="import_policy_known"
            ),
        ]
        indexes = [
            # the sweep: imports whose worker may have died
            models.Index(
                fields=["id"],
                name="import_active",
                condition=Q(status__in=["checking", "importing"]),
            )
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def problem(self) -> str:
        return str(Translatable.of(self.trouble)) if self.trouble else ""


class ImportSlice(models.Model):
    """Some of an import's addresses, merged in one transaction."""

    importing = models.ForeignKey(
        Import, on_delete=models.CASCADE, related_name="slices", db_index=False
    )
    number = models.PositiveIntegerField()
    is_merged = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["importing", "number"], name="import_slice_unique")
        ]

    def __str__(self) -> str:
        return f"slice {self.number} of {self.importing}"


class ImportChange(models.Model):
    """What an import changed of a recipient: fields, language and time zone of before, and when."""

    # PostgreSQL does not check these two: to lock both rows again for each row of an import takes
    # 10 µs, a quarter of the change. What is deleted takes its changes with it in Python. That of
    # the import is not indexed, because only its undoing asks.
    importing = models.ForeignKey(
        Import,
        on_delete=models.CASCADE,
        related_name="changes",
        db_index=False,
        db_constraint=False,
    )
    recipient = models.ForeignKey(
        "recipients.Recipient", on_delete=models.CASCADE, db_index=False, db_constraint=False
    )
    before = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["recipient", "importing"], name="import_change_unique")
        ]

    def __str__(self) -> str:
        return f"{self.recipient}, before {self.importing}"

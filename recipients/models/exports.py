import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from recipients.models.lists import MailingList, Viewer, hidden_lists
from recipients.models.segments import Segment


class ExportStatus(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    WRITING = "writing", _("Writing")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class ExportFormat(models.TextChoices):
    CSV = "csv", "CSV"
    XLSX = "xlsx", _("XLSX, for spreadsheets")
    JSONL = "jsonl", _("JSON lines, values as they are stored")


def kept_under(export: "Export", _name: str) -> str:
    """Return where a file is kept: no part of the name comes from a user, or can be guessed."""
    return f"exports/{uuid.uuid4().hex}.{export.format}"


class ExportQuerySet(models.QuerySet["Export"]):
    def visible_to(self, user: Viewer) -> Self:
        """All; where a list is hidden from the user, theirs and those of a list that is not."""
        if not (hidden := hidden_lists(user)):
            return self
        of_shown = Q(mailing_list__isnull=False) & ~Q(mailing_list__in=hidden)
        return self.filter(of_shown | Q(created_by=user.pk))


class Export(models.Model):
    """Who took which recipients out, and when: the row stays, its file only for some days."""

    # Both empty: everybody. `what` says it for good; lists and segments may go.
    mailing_list = models.ForeignKey(
        MailingList,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("mailing list"),
    )
    segment = models.ForeignKey(
        Segment,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("segment"),
    )
    # What recipients.finding.Filter asked, until the file is written; else empty.
    asked = models.JSONField(default=dict, editable=False)
    what = models.CharField(_("recipients"), max_length=300, editable=False)
    format = models.CharField(
        _("format"), max_length=5, choices=ExportFormat, default=ExportFormat.CSV
    )
    status = models.CharField(
        _("status"),
        max_length=7,
        choices=ExportStatus,
        default=ExportStatus.WAITING,
        editable=False,
    )
    problem = models.CharField(_("problem"), max_length=500, blank=True, editable=False)
    rows = models.BigIntegerField(_("rows"), null=True, editable=False)
    # Empty where it was written to a file by the command, and where it has expired.
    file = models.FileField(upload_to=kept_under, blank=True, editable=False)
    # None: whoever is logged in to the machine.
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created at"), editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)
    expires_at = models.DateTimeField(_("expires at"), null=True, editable=False)

    objects = ExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=ExportStatus.values), name="export_status_known"
            ),
            models.CheckConstraint(
                condition=Q(format__in=ExportFormat.values), name="export_format_known"
            ),
            models.CheckConstraint(
                condition=Q(mailing_list__isnull=True) | Q(segment__isnull=True),
                name="export_one_audience",
            ),
            models.CheckConstraint(
                condition=Q(file="") | Q(expires_at__isnull=False), name="export_file_expires"
            ),
        ]
        indexes = [
            # exporting.waiting, at each sweep
            models.Index(
                fields=["id"],
                name="export_open",
                condition=Q(status__in=["waiting", "writing"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.what}, {self.created_at:%Y-%m-%d %H:%M} UTC"

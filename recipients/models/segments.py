import uuid
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from recipients.models.lists import Viewer, hidden_lists


class SegmentQuerySet(models.QuerySet["Segment"]):
    def visible_to(self, user: Viewer) -> Self:
        """All; none where a list is hidden from the user, for a segment asks about everybody."""
        return self.none() if hidden_lists(user) else self


class Segment(models.Model):
    """A saved question about recipients; who answers to it is found anew each time it is used."""

    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), blank=True)
    # A tree of rules, in the form that recipients.segments reads.
    rules = models.JSONField()
    # The stable part of List-ID (RFC 2919 2) where a campaign has no list.
    identifier = models.UUIDField(default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    objects = SegmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["name"]  # there are few
        constraints = [
            models.UniqueConstraint(fields=["name"], name="segment_name_unique"),
            models.UniqueConstraint(fields=["identifier"], name="segment_identifier_unique"),
        ]

    def __str__(self) -> str:
        return self.name

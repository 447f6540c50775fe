from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class FieldKind(models.TextChoices):
    """What a field's values are, and how `Recipient.fields` (JSON) holds them."""

    TEXT = "text", _("Text")  # a string
    NUMBER = "number", _("Number")  # a number
    DATE = "date", _("Date")  # a string, 2026-12-04
    BOOLEAN = "boolean", _("Yes or no")  # true or false
    CHOICE = "choice", _("One of several")  # a string, one of `choices`


class Field(models.Model):
    """A custom field of recipients: a column of some import, a name in templates."""

    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("kind"), max_length=7, choices=FieldKind, default=FieldKind.TEXT)
    choices = ArrayField(
        models.CharField(max_length=200), default=list, blank=True, verbose_name=_("choices")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("field")
        verbose_name_plural = _("fields")
        constraints = [
            models.UniqueConstraint(fields=["name"], name="field_name_unique"),
            models.CheckConstraint(condition=Q(kind__in=FieldKind.values), name="field_kind_known"),
            models.CheckConstraint(
                condition=Q(kind=FieldKind.CHOICE) ^ Q(choices=[]), name="field_choice_has_choices"
            ),
        ]

    def __str__(self) -> str:
        return self.name

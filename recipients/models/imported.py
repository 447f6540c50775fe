from django.db import models


class Imported(models.Model):
    """A row that an import may have made."""

    # The import that made it; not indexed, because only its undoing asks.
    imported_by = models.ForeignKey(
        "recipients.Import",
        on_delete=models.DO_NOTHING,
        null=True,
        blank=True,
        editable=False,
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        abstract = True

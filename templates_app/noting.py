"""Tells the audit log which template or file was taken out: that changes no row.

`recipients.noting` does the same for its own; neither of the two apps knows the other.
"""

from django.db import connection, models


def note_download(row: models.Model) -> None:
    """Write down that somebody downloaded something; the database knows who."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT accounts_audit_write('downloaded', %s, %s, %s, NULL, NULL, 1)",
            [row._meta.label_lower, str(row.pk), str(row)],  # noqa: SLF001
        )

"""Tells the audit log what changes no row: a file that was fetched, a test that was sent."""

from django.db import connection


def note(act: str, *, kind: str, pk: int, name: str = "") -> None:
    """Write down what somebody did; the database knows who, if they are signed in.

    :param kind: of what: `campaigns.campaign`; `act` and `name` hold no address of a recipient.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT accounts_audit_write(%s, %s, %s, %s, NULL, NULL, 1)",
            [act, kind, str(pk), name],
        )

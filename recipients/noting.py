"""Tells the audit log what changes no row: a file that was fetched, a test that was sent."""

from datetime import datetime

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


def count_of(act: str, *, kind: str, by: int, since: datetime) -> int:
    """Return how often somebody did this to things of this kind, as the audit log knows it.

    :param by: the id of the account.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM accounts_auditentry"
            " WHERE at > %s AND user_id = %s AND act = %s AND kind = %s",
            [since, by, act, kind],
        )
        [(count,)] = cursor.fetchall()
    return int(count)

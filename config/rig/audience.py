"""Invented people, as many as are asked for, made by the database."""

from django.db import connection

from recipients.models import Field, MailingList
from recipients.services import get_list

FIELDS = ("first_name", "last_name", "city")

_FIRST = ["Ada", "Ben", "Chi", "Dao", "Eva", "José", "Anaïs", "Søren", "Lan", "Kofi", "Mai"]
_LAST = ["Adler", "Brook", "Crane", "Drake", "Finch", "Heron", "Knot", "Lark", "Owl", "Swan"]
_CITY = ["Nome", "Anchorage", "Suva", "Auckland", "Hobart", "Hanoi", "Berlin", "Lisbon"]

# Fifty domains, all reserved (RFC 2606).
_RECIPIENTS = """
INSERT INTO recipients_recipient
       (address, key, domain, needs_smtputf8, fields, language, time_zone, created_at, updated_at)
SELECT 'r' || n || '@' || domain, 'r' || n || '@' || domain, domain, false,
       jsonb_build_object('first_name', (%(first)s::text[])[1 + n %% %(firsts)s],
                          'last_name', (%(last)s::text[])[1 + n %% %(lasts)s],
                          'city', (%(city)s::text[])[1 + n %% %(cities)s]),
       '', '', now(), now()
  FROM generate_series(1, %(count)s) AS n,
       LATERAL (SELECT 'd' || n %% 50 || '.example' AS domain) AS place
"""

_SUBSCRIPTIONS = """
INSERT INTO recipients_subscription (mailing_list_id, recipient_id, state, created_at, changed_at)
SELECT %(list)s, id, 'confirmed', now(), now()
  FROM (SELECT id FROM recipients_recipient ORDER BY id LIMIT %(count)s) AS first
"""


def make_recipients(count: int) -> None:
    """Make so many recipients, each with values for all of `FIELDS`."""
    Field.objects.bulk_create([Field(name=name) for name in FIELDS], ignore_conflicts=True)
    names = {"first": _FIRST, "last": _LAST, "city": _CITY}
    sizes = {"firsts": len(_FIRST), "lasts": len(_LAST), "cities": len(_CITY)}
    with connection.cursor() as cursor:
        cursor.execute(_RECIPIENTS, {**names, **sizes, "count": count})


def make_list(count: int) -> MailingList:
    """Make a list of the first `count` recipients."""
    mailing_list = get_list(f"The first {count:,}")
    with connection.cursor() as cursor:
        cursor.execute(_SUBSCRIPTIONS, {"list": mailing_list.pk, "count": count})
    return mailing_list


def tidy_up() -> None:
    """Leave the database as it is after a quiet hour: what was written does not cost later."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")

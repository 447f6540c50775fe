"""Whether this database is the one that this installation works with, or a copy of it.

A database that was restored or copied believes that campaigns are due which have been sent since.
It remembers which installation it belongs to (INSTANCE_ID, which is kept outside of it) and where
it lies; where one of the two is another, nothing goes out until a person says so.
"""

import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from campaigns import reasons
from campaigns.models import Instance, Run, RunStatus

LOOK_AGAIN = 1.0  # seconds for which an answer is taken for granted in a process
# What no dump holds, and every restore or copy changes; restarts, minor upgrades and a standby that
# takes over do not.
_PLACE = """
    SELECT oid::text || '.' || 'campaigns_run'::regclass::oid::text
      FROM pg_database WHERE datname = current_database()
"""


@dataclass
class _Answer:
    looked_at: float = -LOOK_AGAIN
    reason: str | None = None


_last = _Answer()


def check() -> str | None:
    """Return why nothing may go out from this database, or None; asked again once a second."""
    now = time.monotonic()
    if now - _last.looked_at >= LOOK_AGAIN:
        _last.reason = reasons.RESTORED if differences() else None
        _last.looked_at = now
    return _last.reason


def differences() -> list[str]:
    """Return what is other than the database remembers; an empty database is ours from now on."""
    place = _place()
    known, _ = Instance.objects.get_or_create(
        defaults={"installation": settings.INSTANCE_ID, "place": place}
    )
    found = []
    if known.place != place:
        found.append("the database lies elsewhere: it was restored, or is a copy")
    if known.installation != settings.INSTANCE_ID:
        found.append("INSTANCE_ID is another one: it belongs to another installation")
    return found


def hold_all() -> int:
    """Hold the runs that are under way; return how many."""
    return Run.objects.having(RunStatus.PREPARING, RunStatus.SENDING).hold(reasons.RESTORED)


@transaction.atomic
def confirm(*, now: datetime) -> None:
    """Take the database for this installation's own, as it is and where it is.

    Runs that were under way in it are held, though no tick came before.
    """
    hold_all()
    Instance.objects.update_or_create(
        defaults={"installation": settings.INSTANCE_ID, "place": _place(), "confirmed_at": now}
    )
    _last.looked_at = -LOOK_AGAIN


def is_from_before(occurrence: datetime) -> bool:
    """Whether this was due before a restored or copied database was confirmed."""
    return Instance.objects.filter(confirmed_at__gt=occurrence).exists()


def _place() -> str:
    with connection.cursor() as cursor:
        cursor.execute(_PLACE)
        return str(cursor.fetchone()[0])

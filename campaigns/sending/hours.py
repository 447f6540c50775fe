"""When a recipient may be mailed: at their own time, in the hours of a campaign, not in quiet ones.

Who may not be mailed yet waits as `retry`, uncounted, as those do whom a limit keeps back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction

from campaigns.models import Campaign, Priority, Run
from campaigns.sending.keeping import Kept, keep

# The zone in which each day begins first: what goes out at everybody's own time begins there.
FIRST_ZONE = "Etc/GMT-14"
# Hours that leave each other no room are never open; what waits for them lives as long as it may.
_ROUNDS = 4

Span = tuple[time, time]
"""From the first up to the second; over midnight where that is the earlier one."""

_CLAIMABLE = """
    SELECT delivery.id, coalesce(recipient.time_zone, '')
      FROM tracking_delivery delivery
      LEFT JOIN recipients_recipient recipient ON recipient.id = delivery.recipient_id
     WHERE delivery.id = ANY(%(ids)s::bigint[]) AND delivery.run_id = %(run)s
       AND (delivery.state = 'queued'
            OR (delivery.state = 'retry' AND delivery.next_attempt_at <= %(now)s))
"""


@dataclass(frozen=True, slots=True)
class Hours:
    """What keeps a run's messages back, besides limits."""

    zone: str
    """The campaign's; also of recipients of whom none is known."""
    wall_time: datetime | None = None
    """Not before this, on the recipient's clock; without a zone."""
    allowed: Span | None = None
    by_recipient: bool = False
    """Whether these hours are the recipient's; else they are the campaign's."""
    quiet: Span | None = None
    """On the recipient's clock."""

    def open_at(self, now: datetime, zone: str) -> datetime:
        """Return when a recipient in that zone may be mailed: `now`, or a later time."""
        theirs = ZoneInfo(zone or self.zone)
        at = now
        if self.wall_time:
            at = max(at, self.wall_time.replace(tzinfo=theirs).astimezone(UTC))
        hours = theirs if self.by_recipient else ZoneInfo(self.zone)
        for _ in range(_ROUNDS):
            before = at
            if self.quiet and is_within(at, self.quiet, theirs):
                at = _next(at, self.quiet[1], theirs)
            if self.allowed and not is_within(at, self.allowed, hours):
                at = _next(at, self.allowed[0], hours)
            if at == before:
                break
        return at


def is_within(at: datetime, span: Span, zone: ZoneInfo) -> bool:
    """Whether a moment is in a span of the day."""
    clock = at.astimezone(zone).time()
    start, end = span
    return start <= clock < end if start < end else clock >= start or clock < end


def _next(at: datetime, clock: time, zone: ZoneInfo) -> datetime:
    """Return the next time that clocks in a zone show this."""
    local = at.astimezone(zone)
    shown = datetime.combine(local.date(), clock, tzinfo=zone)
    if shown.astimezone(UTC) <= at:
        shown = datetime.combine(local.date() + timedelta(days=1), clock, tzinfo=zone)
    return shown.astimezone(UTC)


def hours_of(run: Run) -> Hours | None:
    """Return what keeps a run's messages back; None where they may leave at any time.

    :param run: with its campaign.
    """
    campaign = run.campaign
    is_urgent = campaign.priority == Priority.TRANSACTIONAL
    quiet = None if is_urgent else settings.QUIET_HOURS
    allowed = allowed_of(campaign)
    if not (quiet or allowed or run.wall_time):
        return None
    return Hours(
        campaign.time_zone,
        run.wall_time.replace(tzinfo=None) if run.wall_time else None,
        allowed,
        campaign.follows_recipients,
        quiet,
    )


def allowed_of(campaign: Campaign) -> Span | None:
    """Return the hours in which a campaign's messages may leave; None for all."""
    if campaign.hours_from is None or campaign.hours_until is None:
        return None
    return campaign.hours_from, campaign.hours_until


def first_instant(wall_time: datetime) -> datetime:
    """Return when a time without a zone comes to the first of all zones."""
    return wall_time.replace(tzinfo=ZoneInfo(FIRST_ZONE)).astimezone(UTC)


def hold_back(run_id: int, ids: list[int], hours: Hours, *, now: datetime) -> list[int]:
    """Return those of `ids` that may be mailed now; the others wait for their hour."""
    with transaction.atomic(durable=True):
        kept = _kept(hours, _zones(run_id, ids, now=now), now=now)
        keep(run_id, kept, now=now)
    waiting = set(kept.ids)
    return [one for one in ids if one not in waiting]


def _zones(run_id: int, ids: list[int], *, now: datetime) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIMABLE, {"ids": ids, "run": run_id, "now": now})
        return list(cursor.fetchall())


def _kept(hours: Hours, zones: Iterable[tuple[int, str]], *, now: datetime) -> Kept:
    opens: dict[str, datetime] = {}
    kept = Kept([], [])
    for one, zone in zones:
        if zone not in opens:
            opens[zone] = hours.open_at(now, zone)
        if opens[zone] > now:
            kept.ids.append(one)
            kept.times.append(opens[zone])
    return kept

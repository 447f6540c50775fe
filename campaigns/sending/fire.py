"""Fire: turn campaigns whose time has come into runs, once for each occurrence."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim
from django.db import transaction

from campaigns.models import Campaign, Run, RunStatus


def next_occurrence(cron: str, *, time_zone: str, after: datetime) -> datetime:
    """Return the first time after `after` that the crontab expression names in its time zone, UTC.

    :raises cronsim.CronSimError: where the expression cannot be read or names no time.
    """
    return next(CronSim(cron, after.astimezone(ZoneInfo(time_zone)))).astimezone(UTC)


def fire_due(*, now: datetime) -> list[int]:
    """Make a run of each due campaign and return the ids of those that may be prepared.

    Two processes may do this at once: the campaign's row is claimed by its occurrence.
    """
    runs = [_fire(campaign, now=now) for campaign in Campaign.objects.due(now=now)]
    return [run.pk for run in runs if run and run.status == RunStatus.PREPARING]


@transaction.atomic(durable=True)
def _fire(campaign: Campaign, *, now: datetime) -> Run | None:
    occurrence = campaign.next_fire_at
    assert occurrence and campaign.version_id  # noqa: S101, PT018 - constraints of the table
    following = (
        next_occurrence(campaign.cron, time_zone=campaign.time_zone, after=now)
        if campaign.cron
        else None
    )
    due = Campaign.objects.due(now=now).filter(pk=campaign.pk, next_fire_at=occurrence)
    if not due.update(next_fire_at=following):
        return None
    late = now - occurrence > campaign.late_limit
    return Run.objects.create(
        campaign=campaign,
        version_id=campaign.version_id,
        occurrence=occurrence,
        status=RunStatus.HELD if late else RunStatus.PREPARING,
        held_reason=f"due at {occurrence:%Y-%m-%d %H:%M} UTC, later than its limit" if late else "",
    )

"""Fire: turn campaigns whose time has come into runs, once for each occurrence."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from django.db import transaction

from campaigns import reasons
from campaigns.models import Campaign, Run, RunAttachment, RunStatus
from campaigns.sending import hours, instance
from campaigns.sending.attached import files_of_campaign
from recipients.models import Tracking
from tracking import measuring, registry
from tracking.hits import targets
from tracking.models import RunCounters

_FIELDS = 5  # the library would take a sixth one, for seconds: nobody mails each second


def next_occurrence(cron: str, *, time_zone: str, after: datetime) -> datetime:
    """Return the first time after `after` that the crontab expression names in its time zone, UTC.

    :raises cronsim.CronSimError: where the expression cannot be read or names no time.
    """
    if len(cron.split()) != _FIELDS:
        raise CronSimError(f"it needs {_FIELDS} fields, {len(cron.split())} are given")
    return next(CronSim(cron, after.astimezone(ZoneInfo(time_zone)))).astimezone(UTC)


def _none(_run: Run) -> str:
    return ""


@transaction.atomic(durable=True)
def fire(campaign_id: int, *, now: datetime, doubt: Callable[[Run], str] = _none) -> int | None:
    """Make a run of a campaign that is due, and return its id if it may be prepared.

    :param doubt: says why a person has to say go first, or nothing.

    The campaign's row is locked and its time moved on in one transaction; of two processes that do
    this at once, one finds nothing due.
    """
    due = Campaign.objects.due(now=now).select_for_update(of=("self",), skip_locked=True)
    campaign = due.select_related("sender").filter(pk=campaign_id).first()
    if campaign is None or campaign.next_fire_at is None or campaign.version is None:
        return None
    occurrence, campaign.next_fire_at = campaign.next_fire_at, _following(campaign, after=now)
    campaign.save(update_fields=["next_fire_at", "updated_at"])
    run, is_new = Run.objects.get_or_create(
        campaign=campaign,
        occurrence=occurrence,
        defaults={
            "version": campaign.version,
            "sender_domain": campaign.sender.domain,
            "wall_time": _wall_time(campaign, occurrence),
            "tracking": measuring.mode(campaign.tracking, lists=campaign.lists.all()),
        },
    )
    if not is_new:
        return None
    RunCounters.objects.create(run=run)
    _attach(run)
    if run.tracking != Tracking.OFF:
        registry.links_of(campaign.version)
        transaction.on_commit(partial(publish_targets, run.pk), robust=True)
    if reason := _doubt(run, now=now) or doubt(run):
        Run.objects.filter(pk=run.pk).hold(reason)
        return None
    return run.pk if run.status == RunStatus.PREPARING else None


def _attach(run: Run) -> None:
    """Note which bytes go with each message: the campaign may be scheduled anew meanwhile."""
    files = files_of_campaign(run.campaign)
    RunAttachment.objects.bulk_create(
        RunAttachment(run=run, position=position, **file._asdict())
        for position, file in enumerate(files)
    )


def publish_targets(run_id: int) -> None:
    """Have the links of a run lead on while the database is away."""
    targets.store(run_id, registry.targets_of_run(run_id))


def _doubt(run: Run, *, now: datetime) -> str:
    """Return why a person has to say go, or nothing."""
    if run.is_too_late(now=now):
        return run.lateness
    return reasons.DUE_BEFORE if instance.is_from_before(run.occurrence) else ""


def _following(campaign: Campaign, *, after: datetime) -> datetime | None:
    if not campaign.cron:
        return None
    zone = hours.FIRST_ZONE if campaign.follows_recipients else campaign.time_zone
    return next_occurrence(campaign.cron, time_zone=zone, after=after)


def _wall_time(campaign: Campaign, occurrence: datetime) -> datetime | None:
    """Return what a recipient's clock has to show, as if it were UTC; None: nothing."""
    if not campaign.follows_recipients or campaign.wall_time:
        return campaign.wall_time
    return occurrence.astimezone(ZoneInfo(hours.FIRST_ZONE)).replace(tzinfo=UTC)

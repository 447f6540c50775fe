"""Sentences about campaigns, for people."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Campaign, CampaignStatus, Run, RunStatus

SOON = timedelta(minutes=10)


def moment(at: datetime, time_zone: str) -> str:
    """Say a time in its zone, and in UTC where that differs."""
    local = at.astimezone(ZoneInfo(time_zone))
    day, when = formats.date_format(local, "D"), formats.date_format(local, "DATETIME_FORMAT")
    text = f"{day} {when} {time_zone.replace('_', ' ')}"
    if local.utcoffset():
        text += f" ({at.astimezone(UTC):%H:%M} UTC)"
    return text


def departure(at: datetime, time_zone: str, *, now: datetime) -> str:
    """Say a time in its zone, in the reader's where that differs, and how far away it is."""
    parts = [_in_zone(at, time_zone)]
    mine = timezone.get_current_timezone_name()
    if _differs(at, time_zone, mine):
        parts.append(_("%s for you") % _in_zone(at, mine))
    if at > now:
        parts.append(_("in %s") % span(at - now))
    return " · ".join(parts)


def span(length: timedelta) -> str:
    """Say a length of time by its two largest units."""
    seconds = max(0, round(length.total_seconds()))
    if seconds < 120:
        return ngettext("%d second", "%d seconds", seconds) % seconds
    minutes = seconds // 60
    if minutes < 120:
        return ngettext("%d minute", "%d minutes", minutes) % minutes
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    days, hours = divmod(hours, 24)
    said = ngettext("%d day", "%d days", days) % days
    if not hours or days >= 14:
        return said
    return _("%(days)s %(hours)d h") % {"days": said, "hours": hours}


def zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _in_zone(at: datetime, time_zone: str) -> str:
    local = at.astimezone(ZoneInfo(time_zone))
    offset = f"{local:%z}"
    utc = "UTC" if not local.utcoffset() else f"UTC{offset[:3]}:{offset[3:]}"
    day = formats.date_format(local, "D")
    when = formats.date_format(local, "DATETIME_FORMAT")
    place = time_zone.rpartition("/")[2].replace("_", " ")
    return f"{day} {when} {utc}" if place == "UTC" else f"{day} {when} {place} ({utc})"


def _differs(at: datetime, one: str, other: str) -> bool:
    return at.astimezone(ZoneInfo(one)).utcoffset() != at.astimezone(ZoneInfo(other)).utcoffset()


def schedule(campaign: Campaign) -> str:
    """Say when a campaign is sent; empty where no time is set."""
    if campaign.next_fire_at is None:
        return ""
    at = moment(campaign.next_fire_at, campaign.time_zone)
    if not campaign.cron:
        return at
    return _("%(at)s, then again by “%(cron)s”") % {"at": at, "cron": campaign.cron}


def situation(campaign: Campaign) -> str:
    """Say where a campaign stands in its life."""
    if campaign.status == CampaignStatus.DRAFT:
        return _("Not scheduled. Nothing will be sent.")
    if campaign.status == CampaignStatus.CANCELLED:
        return _("Cancelled. Nothing more will be sent.")
    if campaign.status == CampaignStatus.FINISHED:
        return _("Everybody in the audience has an outcome.")
    if campaign.next_fire_at is None:
        return _("Its time has come.")
    return _("It is sent on %s.") % schedule(campaign)


def why_locked(campaign: Campaign) -> str:
    """Say why a campaign may not be edited; empty where it may."""
    if campaign.status == CampaignStatus.SCHEDULED and campaign.next_fire_at:
        return _("It is scheduled. Take it back to edit it.")
    if campaign.status != CampaignStatus.DRAFT:
        state = campaign.get_status_display().lower()
        return _("It is %s; nothing of it can be edited. A copy can.") % state
    if campaign.runs.active().exists():
        return _("It is being sent; it can be edited when the run has ended.")
    return ""


def standing(campaign: Campaign, run: Run | None, *, now: datetime) -> tuple[str, str]:
    """Say in a word how a campaign stands; return the state that gives it shape and colour, too.

    :param run: the newest one, with its counters.
    """
    if run and run.status in (RunStatus.PAUSED, RunStatus.HELD, RunStatus.SENDING):
        return run.status, run.get_status_display()
    if run and run.status == RunStatus.PREPARING:
        return RunStatus.SENDING, _("Departing")
    if campaign.status == CampaignStatus.SCHEDULED and campaign.next_fire_at:
        is_soon = campaign.next_fire_at - now < SOON
        return campaign.status, _("Departing") if is_soon else campaign.get_status_display()
    if campaign.status == CampaignStatus.FINISHED and run and run.counters.unconfirmed:
        count = run.counters.unconfirmed
        return "unconfirmed", _("Finished, %d in doubt") % count
    return campaign.status, campaign.get_status_display()

"""Sentences about campaigns, for people."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from campaigns.models import Campaign, CampaignStatus


def moment(at: datetime, time_zone: str) -> str:
    """Say a time in its zone, and in UTC where that differs."""
    local = at.astimezone(ZoneInfo(time_zone))
    text = f"{local:%a} {local.day} {local:%b %Y, %H:%M} {time_zone.replace('_', ' ')}"
    if local.utcoffset():
        text += f" ({at.astimezone(UTC):%H:%M} UTC)"
    return text


def schedule(campaign: Campaign) -> str:
    """Say when a campaign is sent; empty where no time is set."""
    if campaign.next_fire_at is None:
        return ""
    at = moment(campaign.next_fire_at, campaign.time_zone)
    return f"{at}, then again by “{campaign.cron}”" if campaign.cron else at


def situation(campaign: Campaign) -> str:
    """Say where a campaign stands in its life."""
    if campaign.status == CampaignStatus.DRAFT:
        return "Not scheduled. Nothing will be sent."
    if campaign.status == CampaignStatus.CANCELLED:
        return "Cancelled. Nothing more will be sent."
    if campaign.status == CampaignStatus.FINISHED:
        return "Everybody in the audience has an outcome."
    if campaign.next_fire_at is None:
        return "Its time has come."
    return f"It is sent on {schedule(campaign)}."

"""What the commands about campaigns have in common."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.reports import CampaignReport, report
from campaigns.services import Refused
from recipients.validators import time_zones
from templates_app.media import Refused as FileRefused
from templates_app.services import Refused as ContentRefused

BY_COMMAND = "command line"  # who is said to have done what a command does


class Command(BaseCommand):
    """A command that reports a refusal in one line and exits with 1."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except (Refused, ContentRefused, FileRefused) as refusal:
            raise CommandError(str(refusal)) from None


class CampaignCommand(Command):
    """A command about one campaign."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, help="the campaign's id")

    def campaign(self, options: dict[str, Any]) -> Campaign:
        campaign = Campaign.objects.filter(pk=options["id"]).first()
        if campaign is None:
            raise CommandError(f"there is no campaign {options['id']}")
        return campaign


def follow(campaign: Campaign) -> Iterator[CampaignReport]:
    """Look at a campaign twice a second, until nothing more will happen to it by itself."""
    while True:
        campaign.refresh_from_db()
        found = report(campaign, now=timezone.now())
        yield found
        if found.has_ended:
            return
        time.sleep(0.5)


def add_schedule_arguments(parser: CommandParser, *, required: bool) -> None:
    when = parser.add_mutually_exclusive_group(required=required)
    when.add_argument(
        "--at",
        metavar="ISO-8601",
        help="2026-12-04T09:00+01:00; without an offset it is a time in --timezone",
    )
    when.add_argument("--now", action="store_true", help="at once")
    when.add_argument("--cron", metavar="EXPR", help="each time this crontab names")
    parser.add_argument("--timezone", default="UTC", metavar="ZONE", help="like Europe/Berlin")
    parser.add_argument(
        "--accept",
        default=[],
        action="append",
        metavar="WARNING",
        help="send in spite of the preflight's warning of this name; repeatable",
    )


def schedule_options(options: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """Return what `services.schedule` takes, or nothing where no time was given."""
    zone = options["timezone"]
    if zone not in time_zones():
        raise Refused(f"{zone!r} is no time zone; write one like Europe/Berlin")
    common = {"time_zone": zone, "accepted": options["accept"], "by": BY_COMMAND}
    if options["cron"] is not None:
        return {"cron": options["cron"], **common}
    if options["now"]:
        return {"at": now, **common}
    if options["at"] is not None:
        return {"at": _moment(options["at"], zone), **common}
    return {}


def _moment(text: str, zone: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(f"{text!r} is no ISO 8601 time like 2026-12-04T09:00") from None
    return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))

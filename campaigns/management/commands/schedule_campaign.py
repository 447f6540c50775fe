from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from campaigns.management.base import CampaignCommand, add_schedule_arguments, schedule_options
from campaigns.services import schedule


class Command(CampaignCommand):
    help = "Schedule a campaign: its content is frozen, and it is sent at the time given."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_schedule_arguments(parser, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        campaign = schedule(self.campaign(options), now=now, **schedule_options(options, now=now))
        self.stdout.write(
            f"campaign {campaign.pk} is sent at {campaign.next_fire_at:%Y-%m-%dT%H:%M:%SZ}"
        )

from typing import Any

from campaigns.management.base import CampaignCommand
from campaigns.services import pause


class Command(CampaignCommand):
    help = "Pause a campaign that is being sent. What a worker holds at this moment still goes out."

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = self.campaign(options)
        pause(campaign)
        self.stdout.write(f"campaign {campaign.pk} is paused")

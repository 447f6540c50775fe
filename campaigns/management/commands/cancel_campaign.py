from typing import Any

from django.utils import timezone

from campaigns.management.base import CampaignCommand
from campaigns.services import cancel


class Command(CampaignCommand):
    help = "Cancel a campaign for good. What a worker holds at this moment still goes out."

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = self.campaign(options)
        count = cancel(campaign, now=timezone.now())
        self.stdout.write(f"campaign {campaign.pk} is cancelled; {count} recipients are not mailed")

from typing import Any

from django.utils import timezone

from campaigns.management.base import CampaignCommand
from campaigns.services import resume
from campaigns.tasks import prepare


class Command(CampaignCommand):
    help = "Let a paused or held campaign go on."

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = self.campaign(options)
        for run_id in resume(campaign, now=timezone.now()):
            prepare.delay(run_id)
        self.stdout.write(f"campaign {campaign.pk} goes on")

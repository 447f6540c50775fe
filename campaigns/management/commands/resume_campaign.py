from typing import Any

from django.utils import timezone

from campaigns.management.base import CampaignCommand
from campaigns.services import resume
from campaigns.tasks import go_on
from recipients.hurry import hurry_after_commit


class Command(CampaignCommand):
    help = "Let a paused or held campaign go on."

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = self.campaign(options)
        for run_id in resume(campaign, now=timezone.now()):
            hurry_after_commit(go_on, run_id)
        self.stdout.write(f"campaign {campaign.pk} goes on")

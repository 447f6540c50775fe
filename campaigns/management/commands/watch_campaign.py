from typing import Any

from django.core.management.base import CommandError

from campaigns.management.base import CampaignCommand, follow
from campaigns.models import CampaignStatus, RunStatus
from campaigns.reports import CampaignReport

WIDTH = 30  # characters of the bar


class Command(CampaignCommand):
    help = "Watch a campaign go out, until its run has ended (exit code 1 where it was cancelled)."

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = self.campaign(options)
        # On a terminal the line is written over; in a file each look is a line.
        end = "\r" if self.stdout.isatty() else "\n"
        for report in follow(campaign):
            self.stdout.write(f"{progress_line(report):<100}", ending=end)
            run = report.run
        self.stdout.write("")
        if campaign.status == CampaignStatus.CANCELLED or (
            run and run.status == RunStatus.CANCELLED
        ):
            raise CommandError(f"campaign {campaign.pk} was cancelled")


def progress_line(report: CampaignReport) -> str:
    """Return a bar, the counts that are not zero, the rate and the time that is left."""
    progress = report.progress
    if progress is None:
        return f"{report.campaign.status}; it has not begun"
    filled = WIDTH * progress.percent // 100
    bar = "#" * filled + "." * (WIDTH - filled)
    counts = ", ".join(f"{count} {state}" for state, count in progress.counts.items() if count)
    pace = f", {progress.pace}" if progress.pace else ""
    left = f", {progress.time_left} left" if progress.time_left else ""
    waiting = f". {report.waiting}" if report.waiting else ""
    return f"[{bar}] {progress.run.status}: {counts}{pace}{left}{waiting}"

from typing import Any

from django.core.management.base import CommandError

from campaigns.management.base import CampaignCommand, follow
from campaigns.reports import CampaignStatus

WIDTH = 30  # characters of the bar


class Command(CampaignCommand):
    help = "Watch a campaign go out, until its run has ended (exit code 1 where it was cancelled)."

    def handle(self, *args: Any, **options: Any) -> None:
        # On a terminal the line is written over; in a file each look is a line.
        end = "\r" if self.stdout.isatty() else "\n"
        for status in follow(self.campaign(options)):
            self.stdout.write(f"{progress_line(status):<100}", ending=end)
        self.stdout.write("")
        if "cancelled" in {status.status, status.run_status}:
            raise CommandError(f"campaign {status.id} was cancelled")


def progress_line(status: CampaignStatus) -> str:
    """Return a bar, the counts that are not zero, the rate and the time that is left."""
    if status.run is None:
        return f"{status.status}; it has not begun"
    filled = int(WIDTH * status.progress)
    counts = ", ".join(f"{count} {state}" for state, count in status.counts.items() if count)
    left = f", {status.seconds_left:.0f} s left" if status.seconds_left else ""
    bar = "#" * filled + "." * (WIDTH - filled)
    return f"[{bar}] {status.run_status}: {counts} ({status.rate:.0f}/s{left})"

import os
import time
from typing import TYPE_CHECKING, Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns.management.base import follow
from campaigns.models import Campaign
from campaigns.reports import CampaignReport
from config import demo
from config.embedded import EmbeddedError
from config.env import is_given
from config.management.commands.services import embedded_services

if TYPE_CHECKING:
    from config.one_machine import Running

PATIENCE_SECONDS = 120


class Command(BaseCommand):
    help = (
        "Start all of Godwit on this machine, send the demo campaign to its end, print what became "
        "of its recipients, and stop; exit code 1 where that does not add up."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        if is_given(os.environ, "EMAIL_URL"):
            raise CommandError(
                "the demo mails invented people; unset EMAIL_URL, it uses the catcher"
            )
        # Here, because a production installation has none of the packages that this needs.
        from config.one_machine import run
        from config.processes import Ports, RunError

        try:
            done = run(embedded_services(), ports=Ports(), prepare=self.prepare, when_up=self.send)
        except (EmbeddedError, RunError) as error:
            raise CommandError(str(error)) from None
        if not done:
            raise CommandError("stopped before the end")

    def prepare(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)

    def send(self, running: "Running") -> None:
        """Send the campaign, compare the books, and let everything stop."""
        campaign = demo.create(now=timezone.now())
        self.stdout.write(f"campaign {campaign.pk} is due at {campaign.next_fire_at:%H:%M:%S} UTC")
        report = self._watch(campaign)
        self._print(report)
        call_command("verify_ledger", campaign.pk, stdout=self.stdout)
        if report.counts["sent"] != demo.RECIPIENTS:
            raise CommandError(f"{report.counts['sent']} of {demo.RECIPIENTS} were sent")
        running.stop()

    def _watch(self, campaign: Campaign) -> CampaignReport:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for report in follow(campaign):
            if report.has_ended:
                return report
            if time.monotonic() > deadline:
                break
        raise CommandError(f"the run has not ended within {PATIENCE_SECONDS} seconds")

    def _print(self, report: CampaignReport) -> None:
        if report.progress:
            self.stdout.write(f"run {report.progress.run.status}, {report.progress.pace}")
        for state, count in report.counts.items():
            self.stdout.write(f"  {state:<12}{count:>6}")
        self.stdout.write(f"  {'together':<12}{sum(report.counts.values()):>6}")

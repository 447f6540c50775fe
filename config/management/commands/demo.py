import os
import time
from typing import TYPE_CHECKING, Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns.management.base import follow
from campaigns.models import Campaign
from campaigns.reports import CampaignStatus
from config import demo
from config.embedded import EmbeddedError
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
        if os.environ.get("EMAIL_URL", "").strip():
            raise CommandError(
                "the demo mails invented people; unset EMAIL_URL, it uses the catcher"
            )
        # Here, because a production installation has none of the packages that this needs.
        from config.one_machine import run
        from config.processes import Ports, RunError

        try:
            run(embedded_services(), ports=Ports(), prepare=self.prepare, when_up=self.send)
        except (EmbeddedError, RunError) as error:
            raise CommandError(str(error)) from None

    def prepare(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)

    def send(self, running: "Running") -> None:
        """Send the campaign, compare the books, and let everything stop."""
        campaign = demo.create(now=timezone.now())
        self.stdout.write(f"campaign {campaign.pk} is due at {campaign.next_fire_at:%H:%M:%S} UTC")
        status = self._watch(campaign)
        self._print(status)
        call_command("verify_ledger", campaign.pk, stdout=self.stdout)
        if status.counts["sent"] != demo.RECIPIENTS:
            raise CommandError(f"{status.counts['sent']} of {demo.RECIPIENTS} were sent")
        running.stop()

    def _watch(self, campaign: Campaign) -> CampaignStatus:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for status in follow(campaign):
            if status.ended:
                return status
            if time.monotonic() > deadline:
                break
        raise CommandError(f"the run has not ended within {PATIENCE_SECONDS} seconds")

    def _print(self, status: CampaignStatus) -> None:
        self.stdout.write(f"run {status.run} {status.run_status}, {status.rate:.0f} messages/s")
        for state, count in status.counts.items():
            self.stdout.write(f"  {state:<12}{count:>6}")
        self.stdout.write(f"  {'together':<12}{sum(status.counts.values()):>6}")

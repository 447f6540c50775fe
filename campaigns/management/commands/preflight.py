import json
import time
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from campaigns import tasks
from campaigns.management.base import BY_COMMAND, CampaignCommand
from campaigns.models import Campaign, Preflight, PreflightStatus
from campaigns.preflight import dry_run, jobs, verdict
from campaigns.preflight.findings import Finding, Severity
from campaigns.preflight.verdict import Verdict
from campaigns.services import Refused

SECONDS_AT_A_TIME = 1.0


class Command(CampaignCommand):
    help = (
        "Look at a campaign before it is sent: content, whole audience, links, sender; exit code 1"
        " where something blocks it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--json", action="store_true")
        parser.add_argument(
            "--accept",
            default=[],
            action="append",
            metavar="WARNING",
            help="send in spite of the warning of this name; repeatable",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign, now = self.campaign(options), timezone.now()
        try:
            preflight = jobs.start(campaign, by=BY_COMMAND, now=now)
            _finish(preflight)
            if names := options["accept"]:
                jobs.accept(campaign, names=names, by=BY_COMMAND, now=timezone.now())
        except jobs.Refused as refusal:
            raise Refused(str(refusal)) from None
        found = verdict.judge(campaign, preflight.version, now=timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps(as_dict(campaign, found)))
        else:
            for line in _lines(found):
                self.stdout.write(line)
        if found.errors:
            raise CommandError(f"errors that block campaign {campaign.pk}: {len(found.errors)}")


def as_dict(campaign: Campaign, found: Verdict) -> dict[str, Any]:
    """Return what programs read."""
    tally = dry_run.tally_of(found.preflight).as_dict() if found.preflight else None
    return {
        "campaign": campaign.pk,
        "may_be_scheduled": found.may_be_scheduled,
        "findings": [each.as_dict() for each in found.findings],
        "accepted": {
            name: {"by": each.accepted_by, "at": each.accepted_at.isoformat()}
            for name, each in found.accepted.items()
        },
        "audience": tally,
    }


def _finish(preflight: Preflight) -> None:
    """Work on it until it has ended, beside the workers if there are any."""
    tasks.wake_preflight(preflight.pk)
    while Preflight.objects.running().filter(pk=preflight.pk).exists():
        if not jobs.work(preflight.pk, clock=timezone.now, seconds=SECONDS_AT_A_TIME):
            time.sleep(0.1)  # workers are at what is left
    preflight.refresh_from_db()
    if preflight.status == PreflightStatus.STOPPED:
        raise Refused("somebody has stopped it, or begun another one")


def _lines(found: Verdict) -> Iterator[str]:
    for each in found.findings:
        yield f"{_severity(each, found)} {each.name}: {each}"
        if each.remedy:
            yield f"    {each.remedy}"
        if each.recipients:
            yield f"    recipients: {', '.join(map(str, each.recipients))}"
    if found.preflight:
        tally = dry_run.tally_of(found.preflight)
        yield f"{tally.recipients:,} messages were tried, the largest of {tally.largest[0]:,} bytes"


def _severity(finding: Finding, found: Verdict) -> str:
    if finding.severity is Severity.WARNING and finding.name in found.accepted:
        return f"warning (accepted by {found.accepted[finding.name].accepted_by})"
    return finding.severity.value

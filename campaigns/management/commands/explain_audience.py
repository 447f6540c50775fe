import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from campaigns.audience import Arithmetic, Audience
from campaigns.explanation import Explanation
from campaigns.management.base import CampaignCommand
from campaigns.services import Refused
from recipients.addresses import BadAddress
from recipients.segments.grammar import BadRules


class Command(CampaignCommand):
    help = (
        "Say whom a campaign would reach at this moment, and whom it leaves out and why; with an "
        "address, why (not) this person."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("address", nargs="?")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        audience, now = Audience(self.campaign(options)), timezone.now()
        found: Arithmetic | Explanation
        try:
            if options["address"] is None:
                found = audience.arithmetic(now=now)
            else:
                found = audience.explain_address(options["address"], now=now)
        except (BadAddress, BadRules) as error:
            raise Refused(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(found.as_dict()))
            return
        for line in _sum(found) if isinstance(found, Arithmetic) else _reasons(found):
            self.stdout.write(line)


def _sum(found: Arithmetic) -> Iterator[str]:
    for line in found.lines():
        yield f"{line.count:>12,}  {line.text}" + (f": {line.detail}" if line.detail else "")


def _reasons(found: Explanation) -> Iterator[str]:
    yield f"{found.address}: {found.verdict}"
    for title, grounds in found.grounds:
        for ground in grounds:
            yield f"  {title}: {ground}"

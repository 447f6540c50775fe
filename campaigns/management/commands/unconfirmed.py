from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from campaigns.management.base import CampaignCommand
from campaigns.models import Campaign, RunStatus
from campaigns.sending import single
from campaigns.services import Refused
from tracking import unconfirmed
from tracking.models import Delivery, DeliveryQuerySet


class Command(CampaignCommand):
    help = (
        "List the messages of a campaign that may have arrived or not, or settle what became of "
        "them: the next hop's log knows their Message-IDs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--mark-sent", action="store_true", help="they have arrived")
        how.add_argument("--resend", action="store_true", help="send them once more")
        parser.add_argument(
            "--address", action="append", default=[], help="this one only; may be repeated"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = self.campaign(options)
        found = _chosen(campaign, options["address"])
        ids = list(found.values_list("pk", flat=True))
        now = timezone.now()
        if options["mark_sent"]:
            count = unconfirmed.mark_sent(ids, reason=unconfirmed.AN_OPERATOR_SAYS, now=now)
            self.stdout.write(f"{count} marked as sent")
        elif options["resend"]:
            count = unconfirmed.resend(ids, now=now)
            single.wake(ids, now=now)
            self.stdout.write(f"{count} will be sent once more")
        else:
            self._print(found)

    def _print(self, found: DeliveryQuerySet) -> None:
        for delivery in found.order_by("pk"):
            at = f"{delivery.attempted_at:%Y-%m-%d %H:%M:%S} UTC"
            self.stdout.write(f"{delivery.address}  {at}  {delivery.message_id}")


def _chosen(campaign: Campaign, addresses: list[str]) -> DeliveryQuerySet:
    """Return what is in doubt, in runs that were not cancelled."""
    runs = campaign.runs.exclude(status=RunStatus.CANCELLED).ids()
    found = Delivery.objects.doubted().filter(run__in=runs)
    known = set(found.values_list("address", flat=True))
    if unknown := [address for address in addresses if address not in known]:
        raise Refused(f"not in doubt in campaign {campaign.pk}: {', '.join(unknown)}")
    return found.filter(address__in=addresses) if addresses else found

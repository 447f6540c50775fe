from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from campaigns.management.base import Command as BaseCommand
from campaigns.management.base import add_schedule_arguments, schedule_options
from campaigns.models import Priority
from campaigns.services import Refused, create_campaign, get_sender, schedule
from recipients.models import MailingList, Segment, Tracking
from templates_app.media.library import find
from templates_app.models import EmailTemplate

_AUDIENCE = {
    "--list": "who is on it",
    "--segment": "who answers to it",
    "--exclude-list": "but nobody who is on it",
    "--exclude-segment": "but nobody who answers to it",
}


class Command(BaseCommand):
    help = "Create a campaign, and schedule it where a time is given; prints its id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--template", required=True, metavar="NAME")
        for option, meaning in _AUDIENCE.items():
            parser.add_argument(
                option, default=[], action="append", metavar="NAME", help=f"{meaning}; repeatable"
            )
        parser.add_argument(
            "--sender", required=True, metavar="MAILBOX", help='"News <news@example.org>"'
        )
        parser.add_argument(
            "--attach",
            default=[],
            action="append",
            metavar="PATH",
            help="a file of the media library, like Docs/plan.pdf; repeatable",
        )
        parser.add_argument("--urgent", action="store_true", help="it waits for no other campaign")
        parser.add_argument(
            "--tracking",
            choices=Tracking.values,
            default=Tracking.FULL.value,
            help="what is measured of opens and clicks, where lists and installation allow it",
        )
        add_schedule_arguments(parser, required=False)

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["list"] or options["segment"]):
            raise Refused("a campaign needs at least one list or segment")
        campaign = create_campaign(
            options["name"],
            sender=get_sender(options["sender"]),
            template=_template(options["template"]),
            lists=[_mailing_list(name) for name in options["list"]],
            segments=[_segment(name) for name in options["segment"]],
            excluded_lists=[_mailing_list(name) for name in options["exclude_list"]],
            excluded_segments=[_segment(name) for name in options["exclude_segment"]],
            priority=Priority.TRANSACTIONAL if options["urgent"] else Priority.CAMPAIGN,
            attachments=[find(path) for path in options["attach"]],
            tracking=Tracking(options["tracking"]),
        )
        now = timezone.now()
        if when := schedule_options(options, now=now):
            schedule(campaign, now=now, **when)
        self.stdout.write(str(campaign.pk))


def _template(name: str) -> EmailTemplate:
    template = EmailTemplate.objects.filter(name=name).first()
    if template is None:
        raise CommandError(f"there is no template {name!r}; create_template makes one")
    return template


def _mailing_list(name: str) -> MailingList:
    mailing_list = MailingList.objects.filter(name=name).first()
    if mailing_list is None:
        raise CommandError(f"there is no list {name!r}; import_recipients makes one")
    return mailing_list


def _segment(name: str) -> Segment:
    segment = Segment.objects.filter(name=name).first()
    if segment is None:
        raise CommandError(f"there is no segment {name!r}; make it on the page Segments")
    return segment

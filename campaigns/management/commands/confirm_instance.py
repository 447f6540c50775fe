from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from campaigns.management.base import Command as BaseCommand
from campaigns.models import Campaign, Run, RunStatus
from campaigns.sending import instance


class Command(BaseCommand):
    help = (
        "Say that a database that was restored or copied is this installation's from now on. Until "
        "then nothing goes out; held runs wait for resume_campaign."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="yes, it may send")

    def handle(self, *args: Any, **options: Any) -> None:
        found = instance.differences()
        if not found:
            self.stdout.write("this database is this installation's already")
            return
        for difference in found:
            self.stdout.write(difference)
        if not options["yes"]:
            raise CommandError("nothing goes out; with --yes it may, and another copy must not")
        now = timezone.now()
        instance.confirm(now=now)
        held = Run.objects.having(RunStatus.HELD).count()
        self.stdout.write(f"confirmed; runs that are held and wait for resume_campaign: {held}")
        if due := Campaign.objects.due(now=now).count():
            self.stdout.write(f"campaigns whose time is over, which will be held, too: {due}")

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tracking.inbound import handling, polling


class Command(BaseCommand):
    help = "Empty the mailboxes of bounces at once, and read what was in them."

    def handle(self, *args: Any, **options: Any) -> None:
        addresses = polling.mailboxes()
        if not addresses:
            raise CommandError("no mailbox is named; set BOUNCE_MAILBOXES")
        faults = []
        for address in addresses:
            before = timezone.now()
            mailbox = polling.poll(address, clock=timezone.now)
            if mailbox is None:
                self.stdout.write(f"{address}: another process reads it at this moment")
            elif mailbox.error:
                faults.append(f"{address}: {mailbox.error}")
            else:
                is_new = mailbox.received_at is not None and mailbox.received_at >= before
                self.stdout.write(f"{address}: {'emptied' if is_new else 'nothing new'}")
        handling.handle_new(now=timezone.now())
        if faults:
            raise CommandError("; ".join(faults))

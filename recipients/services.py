"""What people do with recipients: import them, subscribe and unsubscribe them, leave them alone."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from recipients.csv_reader import BadLine, RecipientReader, Row
from recipients.models import (
    Field,
    MailingList,
    Recipient,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from recipients.validators import in_one_line

BATCH = 2_000  # rows in one transaction


@dataclass(slots=True)
class ImportReport:
    """What became of the lines of a file; `suppressed` ones are among the others as well."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    duplicates: int = 0
    invalid: int = 0
    suppressed: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Refused(Exception):
    """What was asked for cannot be done; the text says why."""


def get_list(name: str) -> MailingList:
    """Return the list of this name, made if there is none.

    :raises Refused: a list cannot have this name.
    """
    name = name.strip()
    if known := MailingList.objects.filter(name=name).first():
        return known
    mailing_list = MailingList(name=name)
    try:
        mailing_list.full_clean()
    except ValidationError as error:
        raise Refused(f"list {name!r}: {in_one_line(error)}") from None
    mailing_list.save()
    return mailing_list


def import_recipients(
    reader: RecipientReader, *, mailing_list: MailingList, on_bad_line: Callable[[BadLine], None]
) -> ImportReport:
    """Import rows batch by batch and subscribe each recipient to the list.

    A file may be imported again: blanks overwrite nothing, and who has left the list, or is
    suppressed, stays so. The first line of an address counts, later ones are duplicates.
    """
    report = ImportReport()
    Field.objects.bulk_create([Field(name=name) for name in reader.fields], ignore_conflicts=True)
    seen: set[str] = set()
    lines = iter(reader)
    while batch := list(islice(lines, BATCH)):
        rows = list(_sort_out(batch, seen=seen, report=report, on_bad_line=on_bad_line))
        _import_batch(rows, mailing_list=mailing_list, report=report)
    return report


def _sort_out(
    lines: Iterable[Row | BadLine],
    *,
    seen: set[str],
    report: ImportReport,
    on_bad_line: Callable[[BadLine], None],
) -> Iterator[Row]:
    for line in lines:
        if isinstance(line, BadLine):
            report.invalid += 1
            on_bad_line(line)
        elif line.address.key in seen:
            report.duplicates += 1
        else:
            seen.add(line.address.key)
            yield line


@transaction.atomic
def _import_batch(rows: list[Row], *, mailing_list: MailingList, report: ImportReport) -> None:
    keys = [row.address.key for row in rows]
    known = {
        recipient.key: recipient
        for recipient in Recipient.objects.filter(key__in=keys).order_by("pk").select_for_update()
    }
    new = [_recipient(row) for row in rows if row.address.key not in known]
    changed = [
        recipient
        for row in rows
        if (recipient := known.get(row.address.key)) and _merge(recipient, row)
    ]
    Recipient.objects.bulk_create(new, ignore_conflicts=True)
    Recipient.objects.bulk_update(changed, ["fields", "updated_at"])
    _subscribe(keys, mailing_list)
    report.new += len(new)
    report.changed += len(changed)
    report.unchanged += len(known) - len(changed)
    report.suppressed += Suppression.objects.filter(key__in=keys).count()


def _recipient(row: Row) -> Recipient:
    return Recipient(
        address=row.address.addr_spec,
        key=row.address.key,
        domain=row.address.domain,
        needs_smtputf8=row.address.needs_smtputf8,
        fields=row.fields,
    )


def _merge(recipient: Recipient, row: Row) -> bool:
    """Take over what the row does not leave blank; return whether that changed anything."""
    filled = {name: value for name, value in row.fields.items() if value}
    merged = {**row.fields, **recipient.fields, **filled}
    if merged == recipient.fields:
        return False
    recipient.fields = merged
    recipient.updated_at = timezone.now()
    return True


def _subscribe(keys: list[str], mailing_list: MailingList) -> None:
    """Subscribe those who have no subscription to the list yet; an unsubscribed one has."""
    recipients = Recipient.objects.filter(key__in=keys).values_list("pk", flat=True)
    Subscription.objects.bulk_create(
        (
            Subscription(
                recipient_id=pk, mailing_list=mailing_list, state=SubscriptionState.CONFIRMED
            )
            for pk in recipients
        ),
        ignore_conflicts=True,
    )


def unsubscribe(recipient: Recipient, *, lists: Iterable[MailingList]) -> int:
    """Unsubscribe a recipient from these lists; return from how many it had not been yet."""
    subscriptions = Subscription.objects.filter(recipient=recipient, mailing_list__in=list(lists))
    return subscriptions.exclude(state=SubscriptionState.UNSUBSCRIBED).update(
        state=SubscriptionState.UNSUBSCRIBED, changed_at=timezone.now()
    )


def suppress(key: str, *, reason: SuppressionReason, source: str) -> bool:
    """Let nobody mail this address any more; return whether that is new."""
    _, created = Suppression.objects.get_or_create(
        key=key, defaults={"reason": reason, "source": source[:200]}
    )
    return created

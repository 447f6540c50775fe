"""What became of a sender's messages of late: how many were refused, and who complained."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q

from campaigns.models import Run, Sender
from campaigns.preflight.findings import Finding, Place, Severity
from recipients.models import Suppression, SuppressionReason
from tracking.models import Delivery, DeliveryState

DAYS = 7
ENOUGH = 1_000  # messages; of fewer, one person's complaint would say too much
# Parts of the messages. Gmail and Yahoo ask for less than 0.1 % of complaints, and never 0.3 %.
_COMPLAINTS = (0.001, 0.003)
_REFUSED = (0.02, 0.05)


@dataclass(frozen=True, slots=True)
class Record:
    """Messages of the last days that had an answer."""

    mailed: int
    refused: int
    """For good, at once or by a bounce."""
    complaints: int


def record_of(sender: Sender, *, now: datetime) -> Record:
    """Count the messages of runs that began within the last days, and what was said of them."""
    since = now - timedelta(days=DAYS)
    runs = Run.objects.filter(campaign__sender=sender, started_at__gt=since)
    deliveries = Delivery.objects.filter(run__in=runs)
    sent = deliveries.filter(state=DeliveryState.SENT)
    refused = Q(state=DeliveryState.FAILED, reply_code__gte=500)
    counts = deliveries.aggregate(
        sent=Count("pk", filter=Q(state=DeliveryState.SENT)), refused=Count("pk", filter=refused)
    )
    of_sent = Suppression.objects.filter(
        Exists(sent.filter(key=OuterRef("key"))), created_at__gt=since
    )
    later = of_sent.aggregate(
        bounced=Count("pk", filter=Q(reason=SuppressionReason.BOUNCE)),
        complained=Count("pk", filter=Q(reason=SuppressionReason.COMPLAINT)),
    )
    return Record(
        mailed=counts["sent"] + counts["refused"],
        refused=counts["refused"] + later["bounced"],
        complaints=later["complained"],
    )


def check(record: Record) -> Iterator[Finding]:
    """Judge a sender by what receivers count against it."""
    if record.mailed < ENOUGH:
        return
    yield from _judged(
        "complaints",
        record.complaints,
        record.mailed,
        _COMPLAINTS,
        "complained",
        "Mail those alone who asked for it lately, and show the way out sooner.",
    )
    yield from _judged(
        "refused",
        record.refused,
        record.mailed,
        _REFUSED,
        "were refused for good",
        "Leave out old addresses, and those that nobody confirmed.",
    )


def _judged(
    name: str, count: int, mailed: int, limits: tuple[float, float], what: str, remedy: str
) -> Iterator[Finding]:
    warns, blocks = limits
    part = count / mailed
    if part >= warns:
        severity = Severity.ERROR if part >= blocks else Severity.WARNING
        said = (
            f"of {mailed:,} messages of this sender in the last {DAYS} days, {count:,} {what} "
            f"({part:.2%}; {warns:.1%} is too many)"
        )
        yield Finding(severity, f"sender-{name}", said, remedy, Place.RECIPIENTS)

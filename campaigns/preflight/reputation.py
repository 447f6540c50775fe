"""What became of a sender's messages of late: how many were refused, and who complained."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Count, Q, Sum

from campaigns.models import Run, Sender
from campaigns.preflight.findings import Finding, Place, Severity
from recipients.translatable import Translatable
from tracking.models import DeliveryEvent, EventKind, RunCounters

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
    sent = RunCounters.objects.filter(run__in=runs).aggregate(sent=Sum("sent", default=0))["sent"]
    refused = Q(kind=EventKind.FAILED, reply_code__gte=500)
    bounced = Q(kind=EventKind.BOUNCED, is_hard=True)
    complained = Q(kind=EventKind.COMPLAINED)
    told = DeliveryEvent.objects.filter(refused | bounced | complained, run__in=runs).aggregate(
        refused=Count("delivery", distinct=True, filter=refused),
        bounced=Count("delivery", distinct=True, filter=bounced),
        complained=Count("delivery", distinct=True, filter=complained),
    )
    return Record(
        mailed=sent + told["refused"],
        refused=told["refused"] + told["bounced"],
        complaints=told["complained"],
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
        Translatable(
            "of %(mailed)s messages of this sender in the last %(days)s days, %(count)s complained"
            " (%(part).2f%%; %(limit).1f%% is too many)"
        ),
        Translatable("Mail those alone who asked for it lately, and show the way out sooner."),
    )
    yield from _judged(
        "refused",
        record.refused,
        record.mailed,
        _REFUSED,
        Translatable(
            "of %(mailed)s messages of this sender in the last %(days)s days, %(count)s were"
            " refused for good (%(part).2f%%; %(limit).1f%% is too many)"
        ),
        Translatable("Leave out old addresses, and those that nobody confirmed."),
    )


def _judged(
    name: str,
    count: int,
    mailed: int,
    limits: tuple[float, float],
    sentence: Translatable,
    remedy: Translatable,
) -> Iterator[Finding]:
    warns, blocks = limits
    part = count / mailed
    if part >= warns:
        severity = Severity.ERROR if part >= blocks else Severity.WARNING
        of = {"mailed": mailed, "days": DAYS, "count": count}
        said = replace(sentence, values={**of, "part": 100 * part, "limit": 100 * warns})
        yield Finding(severity, f"sender-{name}", said, remedy, Place.RECIPIENTS)

"""Senders are looked at without a campaign, too: when they are saved, and each night.

Want, claim, act, record: what is wanted again while somebody is at it is done once more.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db import transaction

from campaigns.models import Campaign, Sender, SenderCheck
from campaigns.preflight import hosts, senders
from campaigns.preflight.findings import Finding, Severity, for_trial
from campaigns.preflight.senders import World

LEASE = timedelta(minutes=5)  # longer than a few relays and the DNS keep somebody waiting

logger = logging.getLogger(__name__)


def want(sender_ids: Iterable[int], *, now: datetime) -> list[int]:
    """Have senders looked at; return their ids."""
    checks = [SenderCheck(sender_id=pk, wanted_at=now) for pk in sender_ids]
    SenderCheck.objects.bulk_create(
        checks, update_conflicts=True, unique_fields=["sender"], update_fields=["wanted_at"]
    )
    return [check.sender_id for check in checks]


def want_awaited(*, now: datetime) -> list[int]:
    """Have those looked at in whose name something is going to be sent; return their ids."""
    awaited = Campaign.objects.coming().order_by("sender").values_list("sender", flat=True)
    return want(awaited.distinct(), now=now)


def standing_still(*, since: datetime, now: datetime) -> list[int]:
    """Return the senders that are wanted for long, and from now on those that are new."""
    new = Sender.objects.filter(checked=None).values_list("pk", flat=True)
    free = SenderCheck.objects.free(now=now).filter(wanted_at__lte=since)
    return [*want(new, now=now), *free.values_list("pk", flat=True)]


def check(sender_id: int, *, clock: Callable[[], datetime], world: World | None = None) -> None:
    """Look at a sender, if that is wanted and nobody is at it."""
    if claimed := claim(sender_id, now=(now := clock())):
        found = senders.check(claimed.sender, world or World(), now=now)
        if hosts.is_reserved(claimed.sender.address.rpartition("@")[2]):
            found = for_trial(found)
        for error in record(claimed, found, now=clock()):
            logger.error("sender %s: %s (%s)", claimed.sender, error, error.name)


def claim(sender_id: int, *, now: datetime) -> SenderCheck | None:
    """Take a check, for `LEASE`; None where it is not wanted, or somebody is at it."""
    free = SenderCheck.objects.free(now=now).filter(pk=sender_id)
    if not free.update(leased_until=now + LEASE):
        return None
    return SenderCheck.objects.select_related("sender").filter(pk=sender_id).first()


@transaction.atomic(durable=True)
def record(claimed: SenderCheck, found: list[Finding], *, now: datetime) -> list[Finding]:
    """Write down what was found; return the errors that were not there before."""
    ours = SenderCheck.objects.select_for_update(of=("self",))
    check = ours.filter(pk=claimed.pk, leased_until=claimed.leased_until).first()
    if check is None:
        return []  # it took longer than its lease, or the sender was deleted
    known = set(errors_of(check))
    check.findings = [each.stored for each in found]
    check.checked_at, check.leased_until = now, None
    check.wanted_at = None if check.wanted_at == claimed.wanted_at else check.wanted_at
    check.save()
    return [error for error in errors_of(check) if error not in known]


def findings_of(check: SenderCheck) -> list[Finding]:
    """Return what was found about a sender, errors first."""
    order = list(Severity)
    found = [Finding.of(each) for each in check.findings]
    return sorted(found, key=lambda each: order.index(each.severity))


def errors_of(check: SenderCheck) -> list[Finding]:
    return [each for each in findings_of(check) if each.severity is Severity.ERROR]


def troubled() -> list[tuple[Sender, list[Finding]]]:
    """Return the senders that something is going to be sent by, and that have errors."""
    checks = SenderCheck.objects.awaited().with_errors().select_related("sender")
    return [(check.sender, errors_of(check)) for check in checks.order_by("pk")]

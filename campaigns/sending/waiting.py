"""Say in one sentence why a run waits, and until when."""

from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns.models import DomainLimit, Gate, PageState, Run, RunStatus, Transport
from campaigns.sending import breaker, domain_gates, gates, hours, lanes
from recipients.recognising import read
from tracking.models import Delivery, RunCounters

_BY_THE_CLOCK = gettext_noop("the recipients who are left may be mailed at other hours of the day")
_LOOKED_AT = 1_000  # of those that wait, to know which domains keep them


def why(run: Run, *, now: datetime) -> str:
    """Return the sentence; empty where the run waits for no queue, transport or domain."""
    counters = RunCounters.objects.filter(run=run).first()
    if run.status != RunStatus.SENDING or counters is None or not counters.open:
        return ""
    if run.obstacle:
        return _("Waiting: %(reason)s.") % {"reason": read(run.obstacle)}
    lane = lanes.lane_of(run.pk)
    if not lane.is_served:
        said = _("Waiting: its sender's queue is %(queue)s, which QUEUES does not name.")
        return said % {"queue": lane.deliveries}
    ahead = gates.forecast(run.pk, now=now)
    is_kept = ahead.is_limited and run.pages.filter(
        state=PageState.WAITING, resume_at__isnull=False
    ).exists()  # fmt: skip
    if ahead.room == 0 or is_kept:
        return _sentence(ahead.reason, ahead.resume_at, now)
    if counters.queued or counters.sending:
        return ""
    return _of_hours(run, now=now) or _of_domains(run, now=now)


def of_transport(transport: Transport, *, now: datetime) -> str:
    """Return the sentence for a transport whose gate is shut; empty where it is open."""
    gate = Gate.objects.filter(transport=transport, group="", shut_until__gt=now).first()
    if gate is None:
        return ""
    return _sentence(
        breaker.in_words(gate, _("transport %(name)s") % {"name": transport.name}),
        gate.shut_until,
        now,
    )


def _of_hours(run: Run, *, now: datetime) -> str:
    """Say it where all that is left waits, and the first of it for the hour of its recipient."""
    if hours.hours_of(run) is None:
        return ""
    first = Delivery.objects.of_run(run.pk).waiting(now=now).first()
    if first is None or first.attempts:
        return ""
    return _sentence(_(_BY_THE_CLOCK), first.next_attempt_at, now)


def _of_domains(run: Run, *, now: datetime) -> str:
    """Say it where all that is left waits for another attempt and a domain keeps it back."""
    ways = [way.transport for way in gates.ways_of([run.pk])]
    own = Q(transport__in=[way for way in ways if way])
    if None in ways:
        own |= Q(transport__isnull=True)
    groups = _groups_of_waiting(run, now=now)
    shut = Gate.objects.filter(own, group__in=groups, shut_until__gt=now)
    if gate := shut.order_by("shut_until").first():
        return _sentence(breaker.in_words(gate, gate.group), gate.shut_until, now)
    own |= Q(transport__isnull=True)
    limits = DomainLimit.objects.filter(own, group__in=groups, spread_until__gt=now)
    if limit := limits.order_by("-spread_until").first():
        said = _("%(group)s may be sent only so many messages") % {"group": limit.group}
        return _sentence(said, None, now)
    return ""


def _groups_of_waiting(run: Run, *, now: datetime) -> set[str]:
    waiting = Delivery.objects.of_run(run.pk).waiting(now=now)
    domains = set(waiting.values_list("domain", flat=True)[:_LOOKED_AT])
    return set(domain_gates.groups_of(domains).values())


def _sentence(reason: str, resume_at: datetime | None, now: datetime) -> str:
    if resume_at is None or resume_at - now <= timedelta(seconds=1):
        return _("Waiting: %(reason)s.") % {"reason": reason}
    at = resume_at.astimezone(UTC)
    day = "" if at.date() == now.astimezone(UTC).date() else f"{at:%Y-%m-%d} "
    said = _("Waiting: %(reason)s; next try %(at)s UTC.")
    return said % {"reason": reason, "at": f"{day}{at:%H:%M:%S}"}

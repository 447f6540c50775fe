"""The figures by mail, for staff who want them: claim, act, record.

What is claimed is told once, or never: a worker that dies between the two leaves a summary out, and
sends none twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse

from campaigns import reasons, staff_mail
from campaigns.models import ReportFrequency, ReportSubscription, Run
from campaigns.reporting.figures import Figures, figures, figures_by_run
from campaigns.reporting.shares import Share
from campaigns.sending.outcomes import Accepted, Deferred, InDoubt, Outcome, Rejected

HOUR = 7  # of UTC, at which a day's and a week's summary is due
SETTLED = timedelta(days=1)  # after the end of a run most of what comes back has come
MOST_RUNS = 100  # in one message

_DAY, _WEEK = timedelta(days=1), timedelta(weeks=1)
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Told:
    """One run in a summary."""

    run: Run
    figures: Figures

    @property
    def url(self) -> str:
        page = reverse("campaigns:run_report", args=[self.run.pk])
        return f"{settings.SITE_URL}{page}"

    @property
    def opened(self) -> Share:
        return Share(self.figures.opens.people, self.figures.sent)

    @property
    def clicked(self) -> Share:
        return Share(self.figures.clicks.people, self.figures.sent)

    @property
    def bounced(self) -> Share:
        return Share(self.figures.bounces, self.figures.sent)


def subscribe(user: Any, frequencies: Sequence[ReportFrequency], *, now: datetime) -> None:
    """Have a member of staff told as often as this, and no more; what was before is not told."""
    kept = ReportSubscription.objects.filter(user=user)
    kept.exclude(frequency__in=frequencies).delete()
    ReportSubscription.objects.bulk_create(
        [ReportSubscription(user=user, frequency=each, last_sent_at=now) for each in frequencies],
        ignore_conflicts=True,
    )


def send_due(*, clock: Callable[[], datetime]) -> int:
    """Send the summaries whose time has come; return how many messages were accepted."""
    return sum(
        _send(subscription, clock=clock)
        for subscription in ReportSubscription.objects.select_related("user").order_by("pk")
        if subscription.last_sent_at < due_at(subscription, now=clock())
    )


def due_at(subscription: ReportSubscription, *, now: datetime) -> datetime:
    """Return the last moment up to which the summary should have been told."""
    if subscription.frequency == ReportFrequency.AFTER_RUN:
        return now
    today = now.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    last = today if today <= now else today - _DAY
    if subscription.frequency == ReportFrequency.WEEKLY:
        return last - last.weekday() * _DAY
    return last


def claim(subscription: ReportSubscription, *, until: datetime) -> bool:
    """Take the time up to then for ourselves; False where another worker has it."""
    same = ReportSubscription.objects.filter(
        pk=subscription.pk, last_sent_at=subscription.last_sent_at
    )
    return bool(same.update(last_sent_at=until))


def runs_of(subscription: ReportSubscription, *, until: datetime) -> list[Run]:
    """Return the runs that a summary tells of, the newest first.

    Those that ended since the last one; after each run, those that ended a day before. Of them
    those that whoever gets it may see.
    """
    since = subscription.last_sent_at
    if subscription.frequency == ReportFrequency.AFTER_RUN:
        since, until = since - SETTLED, until - SETTLED
    shown = Run.objects.visible_to(subscription.user)
    ended = shown.filter(finished_at__gt=since, finished_at__lte=until)
    return list(ended.select_related("campaign").newest_first()[:MOST_RUNS])


def _send(subscription: ReportSubscription, *, clock: Callable[[], datetime]) -> bool:
    until = due_at(subscription, now=clock())
    runs = runs_of(subscription, until=until)
    if subscription.frequency == ReportFrequency.AFTER_RUN and not runs:
        return False  # the time is not taken: a write each minute would say nothing
    if not claim(subscription, until=until) or not runs:
        return False
    outcome = _outcome(subscription, runs, now=clock())
    _record(subscription, outcome, until=until)
    return isinstance(outcome, Accepted)


def _outcome(subscription: ReportSubscription, runs: Sequence[Run], *, now: datetime) -> Outcome:
    if why := _why_not(subscription.user):
        return Rejected(diagnostic=why)
    written = staff_mail.written(
        "campaigns/notice_summary", _context(subscription, runs), to=subscription.user
    )
    token = f"summary-{subscription.pk}-{int(now.timestamp())}"
    return staff_mail.send(to=subscription.user.email, **written, token=token, now=now)


def _why_not(user: Any) -> str:
    """Return why somebody is not told, who may have left since they asked."""
    if not (user.is_active and user.is_staff and user.has_perm("campaigns.view_run")):
        return reasons.MAY_NOT_SEE
    return "" if user.email else reasons.NO_ADDRESS


def _context(subscription: ReportSubscription, runs: Sequence[Run]) -> dict[str, Any]:
    of_these = Run.objects.filter(pk__in=[run.pk for run in runs])
    by_run = figures_by_run(of_these)
    return {
        "told": [Told(run, by_run[run.pk]) for run in runs],
        "sum": figures(of_these),
        "frequency": subscription.frequency,
        "url": settings.SITE_URL + reverse("campaigns:report_summaries"),
        "is_cut": len(runs) == MOST_RUNS,
    }


def _record(subscription: ReportSubscription, outcome: Outcome, *, until: datetime) -> None:
    """Write down what came of it; what was not taken is tried again, as long as it is ours."""
    ours = ReportSubscription.objects.filter(pk=subscription.pk, last_sent_at=until)
    match outcome:
        case Accepted():
            ours.update(problem="")
        case Deferred():
            problem = (reasons.TRIED_AGAIN % {"answer": outcome.diagnostic})[:_LONGEST]
            ours.update(last_sent_at=subscription.last_sent_at, problem=problem)
        case InDoubt():
            problem = (reasons.PERHAPS_ARRIVED % {"answer": outcome.diagnostic})[:_LONGEST]
            ours.update(problem=problem)
        case Rejected():
            ours.update(problem=outcome.diagnostic[:_LONGEST])

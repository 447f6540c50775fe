"""One run: how it stands, what becomes of its recipients, what keeps it back; and its doubts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from campaigns import situation, throttles
from campaigns.forms.doubts import DoubtsForm, Verdict
from campaigns.models import ACTIVE_RUN_STATUSES, Run, RunStatus
from campaigns.progress import in_words, progress
from campaigns.reporting.domains import Domain, domains
from campaigns.sending import single, waiting
from campaigns.views.reports.charts import width_of
from recipients.fragments import fragment
from recipients.paging import key_page
from recipients.translatable import number
from tracking import unconfirmed
from tracking.models import Category, Delivery, DeliveryEvent, DeliveryState, EventKind

PROBLEMS, DOMAINS = 20, 10


def found(request: HttpRequest, pk: int) -> Run:
    """Return a run that this user may see, with its counters.

    :raises Http404: there is none.
    """
    return get_object_or_404(Run.objects.visible_to(request.user).with_counters(), pk=pk)


@require_safe
def run_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how a run stands."""
    run = found(request, pk)
    return render(request, "campaigns/run_detail.html", _context(request, run))


@require_safe
def run_now(request: HttpRequest, pk: int) -> HttpResponse:
    run = found(request, pk)
    page = reverse("campaigns:run_detail", args=[pk])
    return fragment(request, "campaigns/_run_now.html", _context(request, run), page=page)


def _context(request: HttpRequest, run: Run) -> dict[str, Any]:
    now = timezone.now()
    is_active = run.status in ACTIVE_RUN_STATUSES
    ways, kept_back = throttles.of_run(run, now=now) if is_active else ([], [])
    allowed = throttles.pace_of(ways)
    stands = progress(run, now=now)
    waits = waiting.why(run, now=now) if run.status == RunStatus.SENDING else ""
    may_act = request.user.has_perm("campaigns.change_campaign")
    return {
        "run": run,
        "campaign": run.campaign,
        "progress": stands,
        "situation": situation.of_run(stands, waits=waits, allowed=allowed, now=now),
        "ways": ways,
        "kept_back": kept_back,
        "allowed": in_words(allowed) if allowed else "",
        "ends": situation.ends_at(stands, now=now),
        "sums": _sums(stands.counts),
        "domains": _bars(domains(Run.objects.filter(pk=run.pk))[:DOMAINS]),
        "problems": _problems(run),
        "verbs": _verbs(run.status) if may_act else set(),
        "may_see_ledger": request.user.has_perm("tracking.view_delivery"),
        "position": 20 + 960 * stands.percent // 100,
    }


def _verbs(status: str) -> set[str]:
    verbs = {"cancel"} if status in ACTIVE_RUN_STATUSES else set()
    if status in (RunStatus.PREPARING, RunStatus.SENDING):
        verbs.add("pause")
    if status in (RunStatus.PAUSED, RunStatus.HELD):
        verbs.add("resume")
    return verbs


def _sums(counts: Any) -> list[tuple[str, str, str, int]]:
    """Return each state with its words and its count: all that were planned are in one of them."""
    return [
        (state, str(DeliveryState(state).label), meaning_of(state), count)
        for state, count in counts.items()
    ]


def meaning_of(state: str) -> str:
    """Say what it means that a delivery is in this state."""
    return {
        DeliveryState.QUEUED: _("Waits for its first attempt."),
        DeliveryState.SENDING: _("A worker hands it over at this moment."),
        DeliveryState.SENT: _("The next server took it. That is no proof of reading."),
        DeliveryState.RETRY: _(
            "Put off: refused for now, or kept back until its hour; it is attempted by itself."
        ),
        DeliveryState.FAILED: _("Given up: refused for good, or its time ran out."),
        DeliveryState.UNCONFIRMED: _(
            "The connection broke after it was handed over. It may have arrived; sending it again"
            " may make two."
        ),
        DeliveryState.SKIPPED: _("Left out on purpose: unsubscribed, suppressed, a duplicate …"),
        DeliveryState.CANCELLED: _("The run was stopped before its turn."),
    }[DeliveryState(state)]


@dataclass(frozen=True, slots=True)
class Bar:
    """A domain with the parts of its bar, in hundredths of the largest one."""

    row: Domain
    sent: str
    bounced: str
    failed: str
    bounced_at: str
    failed_at: str


def _bars(rows: Sequence[Domain]) -> list[Bar]:
    whole = max((row.sent + row.failed for row in rows), default=0)
    return [_bar(row, whole) for row in rows]


def _bar(row: Domain, whole: int) -> Bar:
    # What came back may be counted before what was sent.
    bounced = min(row.bounced, row.sent)
    return Bar(
        row,
        sent=width_of(row.sent - bounced, whole),
        bounced=width_of(bounced, whole),
        failed=width_of(row.failed, whole),
        bounced_at=width_of(row.sent - bounced, whole),
        failed_at=width_of(row.sent, whole),
    )


@dataclass(frozen=True, slots=True)
class Problem:
    at: datetime
    delivery: Delivery
    state: str
    what: str
    said: str


def _problems(run: Run) -> list[Problem]:
    """Return what failed, came back or is in doubt, the newest first."""
    events = DeliveryEvent.objects.of_run(run.pk).select_related("delivery")
    newest: list[Problem] = []
    for kind in (EventKind.FAILED, EventKind.BOUNCED):
        newest += map(_problem, events.filter(kind=kind).order_by("-at")[:PROBLEMS])
    doubts = Delivery.objects.of_run(run.pk).doubted().order_by("-doubted_at")[:PROBLEMS]
    newest += [
        Problem(each.doubted_at or run.created_at, each, each.state, _("In doubt"), each.said)
        for each in doubts
    ]
    return sorted(newest, key=lambda one: one.at, reverse=True)[:PROBLEMS]


def _problem(event: DeliveryEvent) -> Problem:
    # What the next hop answered stands in the ledger alone.
    said = event.delivery.said if event.kind == EventKind.FAILED else event.diagnostic
    what = str(event.get_kind_display())
    if event.category:
        what += f", {Category(event.category).label}"
    return Problem(event.at, event.delivery, "failed", what, said)


# --- in doubt ---------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
def run_doubts(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the messages that may have arrived or not, and settle what became of them."""
    runs = Run.objects.visible_to(request.user, with_messages=True)
    run = get_object_or_404(runs.with_counters(), pk=pk)
    doubted = Delivery.objects.of_run(run.pk).doubted()
    page = key_page(doubted, request.GET)
    form = DoubtsForm(
        request.POST or None,
        offered=[each.pk for each in page.rows],
        may_resend=run.status != RunStatus.CANCELLED,
        initial={"expected": _count(run), "whose": "chosen"},
    )
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            if form.cleaned_data["whose"] == "all" and form.cleaned_data["expected"] != _count(run):
                status = 409
                form.add_error(None, _("Meanwhile others are in doubt, or fewer. Look once more."))
            else:
                _settle(request, doubted, form)
                return redirect("campaigns:run_doubts", run.pk)
    context = {
        "run": run,
        "page": page,
        "form": form,
        "count": _count(run),
        "may_act": request.user.has_perm("tracking.change_delivery"),
        "ticked": request.POST.getlist("chosen"),
    }
    return render(request, "campaigns/run_doubts.html", context, status=status)


def _count(run: Run) -> int:
    return progress(run, now=run.created_at).counts[DeliveryState.UNCONFIRMED]


def _settle(request: HttpRequest, doubted: "QuerySet[Delivery]", form: DoubtsForm) -> None:
    now, answers = timezone.now(), form.cleaned_data
    ids = answers["chosen"]
    if answers["whose"] == "all":
        ids = list(doubted.values_list("pk", flat=True))
    if answers["verdict"] == Verdict.ARRIVED:
        reason = unconfirmed.SOMEBODY_SAYS % {"who": request.user}
        count = unconfirmed.mark_sent(ids, reason=reason, now=now)
        said = ngettext("%s is counted as sent now.", "%s are counted as sent now.", count)
    else:
        count = unconfirmed.resend(ids, now=now)
        single.wake(ids, now=now)
        said = ngettext("%s is sent once more.", "%s are sent once more.", count)
    messages.success(request, said % number(count))

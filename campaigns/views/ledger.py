"""The ledger: did somebody get it, when, and why not."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from campaigns import export, lookup
from campaigns.models import Campaign, Run
from campaigns.reporting.history import Happened, history
from campaigns.views.reports.files import file_of
from campaigns.views.run import meaning_of
from recipients import noting
from tracking.models import Delivery, DeliveryState

RUNS = 50  # the newest, to choose from
_LONGEST = 400  # of what is searched


@require_safe
def delivery_list(request: HttpRequest) -> HttpResponse:
    """Show what became of those that a search in the address finds, the newest first."""
    asked = _asked(request)
    rows = Delivery.objects.visible_to(request.user).select_related("run__campaign")
    found = lookup.look_up(asked, rows, request.GET)
    context = {
        "asked": asked,
        "found": found,
        "page": found.page,
        "is_filtered": bool(asked.text or asked.run is not None or asked.state),
        "runs": _runs(request, asked.run),
        "states": DeliveryState.choices,
        "looked_at": lookup.LOOKED_AT,
        "may_export": request.user.has_perm("recipients.export_recipient"),
    }
    return render(request, "campaigns/delivery_list.html", context)


def _asked(request: HttpRequest) -> lookup.Asked:
    run, state = request.GET.get("run", ""), request.GET.get("state", "")
    return lookup.Asked(
        request.GET.get("q", "").strip()[:_LONGEST],
        int(run) if run.isascii() and run.isdecimal() and len(run) < 10 else None,
        state if state in DeliveryState.values else "",
    )


def _runs(request: HttpRequest, chosen: int | None) -> list[Run]:
    runs = Run.objects.visible_to(request.user).select_related("campaign")
    newest = list(runs.newest_first()[:RUNS])
    if chosen is not None and chosen not in {run.pk for run in newest}:
        newest += runs.filter(pk=chosen)
    return newest


@require_safe
def delivery_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what became of one message, step by step."""
    rows = Delivery.objects.visible_to(request.user)
    delivery = get_object_or_404(rows.select_related("run__campaign", "recipient"), pk=pk)
    steps = sorted(_steps(delivery), key=lambda step: step.at)
    context = {
        "delivery": delivery,
        "steps": steps,
        "meaning": meaning_of(delivery.state),
        "may_see_recipient": request.user.has_perm("recipients.view_recipient"),
    }
    return render(request, "campaigns/delivery_detail.html", context)


@dataclass(frozen=True, slots=True)
class Step:
    at: datetime
    what: str
    detail: str = ""
    """What a mail system said, verbatim, or where a link leads."""


def _steps(delivery: Delivery) -> Iterator[Step]:
    is_single = delivery.run.message_id is not None
    written = _("Accepted, a single message that a program asked for")
    listed = _("Written down, as one of the run's recipients")
    yield Step(delivery.created_at, written if is_single else listed)
    if delivery.attempted_at:
        what = _("Attempted, attempt number %d") % delivery.attempts
        yield Step(delivery.attempted_at, what, answer_of(delivery))
    if delivery.doubted_at:
        yield Step(delivery.doubted_at, _("Cut off before the server said that it has it"))
    if delivery.resent_at:
        yield Step(delivery.resent_at, _("Was in doubt, and is sent once more"))
    if delivery.finished_at:
        yield Step(delivery.finished_at, _("At its end: %s") % delivery.get_state_display())
    if delivery.next_attempt_at and delivery.state == DeliveryState.RETRY:
        yield Step(delivery.next_attempt_at, _("Is attempted again"))
    [sent], _more = history(Delivery.objects.filter(pk=delivery.pk))
    yield from map(_step, sent.happened)


def _step(happened: Happened) -> Step:
    what = happened.what
    if happened.is_machine:
        what = _("%s, by a machine") % what
    return Step(happened.at, what, happened.detail)


def answer_of(delivery: Delivery) -> str:
    parts = (delivery.reply_code, delivery.enhanced_status_code, delivery.said)
    return " ".join(str(part) for part in parts if part)


@require_safe
def delivery_export(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Send the ledger of all runs of a campaign, one line for each recipient."""
    campaign = get_object_or_404(Campaign.objects.visible_to(request.user), pk=pk)
    if not request.user.has_perm("recipients.export_recipient"):
        raise PermissionDenied
    noting.note("downloaded", kind="campaigns.campaign", pk=campaign.pk, name="ledger")
    rows = export.rows_of(pk, among=Delivery.objects.visible_to(request.user))
    return file_of("csv", f"ledger-{pk}", export.COLUMNS, rows)

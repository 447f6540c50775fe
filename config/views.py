from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from campaigns import wording
from campaigns.models import ACTIVE_RUN_STATUSES, Campaign, Run
from campaigns.preflight import watching
from campaigns.progress import Progress, progress
from campaigns.sending import instance

RUNS, UPCOMING = 20, 5
SOON = timedelta(minutes=1)


@require_safe
@never_cache
@staff_member_required
def start(request: HttpRequest) -> HttpResponse:
    """Show what is sent next, and the newest runs and how far each has come."""
    if not request.user.has_perm("campaigns.view_run"):
        return render(request, "start.html", {"may_see": False})
    now = timezone.now()
    runs = [progress(run, now=now) for run in Run.objects.newest_first().with_counters()[:RUNS]]
    scheduled = Campaign.objects.filter(next_fire_at__isnull=False).order_by("next_fire_at")
    upcoming = list(scheduled[:UPCOMING])
    context = {
        "may_see": True,
        "runs": runs,
        "upcoming": [(campaign, wording.schedule(campaign)) for campaign in upcoming],
        "refresh_seconds": _refresh_seconds(runs, upcoming, now=now),
        "now": now,
        "nothing_goes_out": instance.check(),
        "troubled": watching.troubled() if request.user.has_perm("campaigns.view_sender") else [],
    }
    return render(request, "start.html", context)


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer that this process is alive, whatever the servers behind it do."""
    return HttpResponse("ok\n", content_type="text/plain")


def _refresh_seconds(
    runs: Sequence[Progress], upcoming: Sequence[Campaign], *, now: datetime
) -> int | None:
    """Return how often the page is worth reading again; None where nothing is to come."""
    is_near = any(each.next_fire_at and each.next_fire_at - now < SOON for each in upcoming)
    if is_near or any(each.moves for each in runs):
        return 2
    is_waiting = any(each.run.status in ACTIVE_RUN_STATUSES for each in runs)
    return 30 if upcoming or is_waiting else None

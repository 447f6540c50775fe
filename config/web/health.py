"""The page that says how the installation is."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from campaigns.models import Run
from config.health import backlogs, overview
from config.health.facts import State
from recipients.fragments import fragment

_RUNS = 20


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """Show servers, workers, queues and what waits, each with what to do."""
    return render(request, "health.html", _context(request))


@require_safe
def health_now(request: HttpRequest) -> HttpResponse:
    return fragment(request, "_health_now.html", _context(request), page=reverse("health"))


def _context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    found = overview.look(now=now, host=request.get_host())
    shown = Run.objects.visible_to(request.user)
    return {
        "found": found,
        "bad": found.count(State.BAD),
        "attention": found.count(State.ATTENTION),
        "waiting": backlogs.runs_waiting(shown, most=_RUNS),
        "doubtful": backlogs.runs_in_doubt(shown, most=_RUNS),
        "now": now,
    }

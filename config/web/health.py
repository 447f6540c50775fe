"""The page that says how the installation is."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from campaigns.models import Run
from config.health import backlogs, servers, workers
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
    broker = servers.broker()
    queues = workers.queues() if broker.state == State.GOOD else None
    groups = {
        "servers": [
            *servers.database(now=now),
            broker,
            servers.way_out(),
            servers.site(request.get_host()),
            servers.disk(Path(settings.BASE_DIR)),
        ],
        "workers": [workers.beat(now=now), *map(workers.of_queue, queues or [])],
        "backlogs": list(backlogs.all_of(now=now)),
    }
    facts = [fact for each in groups.values() for fact in each]
    shown = Run.objects.visible_to(request.user)
    return {
        **groups,
        "knows_queues": queues is not None,
        "bad": sum(fact.state == State.BAD for fact in facts),
        "attention": sum(fact.state == State.ATTENTION for fact in facts),
        "waiting": backlogs.runs_waiting(shown, most=_RUNS),
        "doubtful": backlogs.runs_in_doubt(shown, most=_RUNS),
        "now": now,
    }

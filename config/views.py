from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from campaigns.models import Run


@require_safe
@staff_member_required
def start(request: HttpRequest) -> HttpResponse:
    """Show the newest runs and how far each has come."""
    runs = Run.objects.newest_first().with_counters()[:20]
    return render(request, "start.html", {"runs": runs})


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer that this process is alive, whatever the servers behind it do."""
    return HttpResponse("ok\n", content_type="text/plain")

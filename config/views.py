"""What belongs to no application: whether the process is alive and ready, what was refused."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.health.readiness import Readiness
from config.web.access import Denied, name_of

_GIVERS = 5
_readiness = Readiness()


@login_not_required
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer that this process is alive, whatever the servers behind it do."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Answer whether the servers are there that it needs, and their tables are this release's."""
    if missing := _readiness.missing():
        said = f"not ready: {', '.join(missing)}\n"
        return HttpResponse(said, content_type="text/plain", status=503)
    return HttpResponse("ready\n", content_type="text/plain")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say which permission is missing, and who can give it."""
    context = {}
    if isinstance(exception, Denied):
        givers = User.objects.with_perm("auth.change_user").order_by("pk")[:_GIVERS]
        context = {"missing": name_of(exception.permission), "who": list(map(str, givers))}
    return render(request, "403.html", context, status=403)

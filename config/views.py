"""What belongs to no application: whether the process is alive, and what was refused."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.web.access import Denied, name_of

_GIVERS = 5


@login_not_required
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer that this process is alive, whatever the servers behind it do."""
    return HttpResponse("ok\n", content_type="text/plain")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say which permission is missing, and who can give it."""
    context = {}
    if isinstance(exception, Denied):
        givers = User.objects.with_perm("auth.change_user").order_by("pk")[:_GIVERS]
        context = {"missing": name_of(exception.permission), "who": list(map(str, givers))}
    return render(request, "403.html", context, status=403)

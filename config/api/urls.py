"""Where the API is: its operations, its description, and nothing else below it."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from config.api.api import api
from config.api.door import door
from config.api.errors import problem


@login_not_required
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show the description of the API, to be tried out with a key."""
    return render(request, "api_docs.html")


@login_not_required
@csrf_exempt
def nothing(_request: HttpRequest, rest: str) -> HttpResponse:
    """Answer that there is nothing, in the way of the API."""
    return problem(404, "There is nothing at this address.")


_operations, _, _namespace = api.urls
for _each in _operations:
    _each.callback = door(_each.callback)  # type: ignore[arg-type]

urlpatterns = [
    path("docs", docs, name="docs"),
    *(each for each in _operations if each.name != "api-root"),  # type: ignore[union-attr]
    path("", nothing, name="api-root", kwargs={"rest": ""}),
    re_path(r"^(?P<rest>.+)$", nothing, name="nothing"),
]
app_name = _namespace

"""A form that cannot be taken now, because nobody is signed in any more: what was typed is kept.

The page that says so holds all of it, so that it can be sent once more: nothing of it is stored.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url

_TOKEN = "csrfmiddlewaretoken"  # noqa: S105 - the name of a field
_NEVER_SHOWN_AGAIN = "/account/"  # passwords are typed there, and codes


def may_be_kept(request: HttpRequest) -> bool:
    """Whether a page of ours sent something that somebody may have typed."""
    if request.method != "POST" or request.path.startswith(_NEVER_SHOWN_AGAIN):
        return False
    return bool(request.POST.keys() - {_TOKEN})


def form_kept(request: HttpRequest, *, status: int) -> HttpResponse:
    """Show the form that was not taken, to be sent once more."""
    fields = [
        (name, value) for name, values in request.POST.lists() for value in values if name != _TOKEN
    ]
    context = {
        "fields": fields,
        "has_files": bool(request.FILES),
        "is_signed_out": not request.user.is_authenticated,
        "door": resolve_url(settings.LOGIN_URL),
    }
    return render(request, "form_kept.html", context, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Refuse a form whose token is not that of the cookie, as after somebody signed in anew.

    What a page of ours has sent, by what the browser says itself, is shown to be sent once more. A
    page elsewhere cannot say so, and what it sends is not shown.
    """
    ours = {settings.SITE_URL, f"{request.scheme}://{request.get_host()}"}
    if request.headers.get("Origin") in ours and may_be_kept(request):
        return form_kept(request, status=403)
    return render(request, "403_csrf.html", status=403)

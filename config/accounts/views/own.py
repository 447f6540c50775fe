from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.http import require_safe


@require_safe
def account_show(request: HttpRequest) -> HttpResponse:
    """Show who is signed in, and what they can change about it."""
    return render(request, "accounts/account_show.html")


@login_not_required
def console_sign_in(request: HttpRequest) -> HttpResponse:
    """Send who wants into the console to the one page where people sign in."""
    wanted = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(wanted, {request.get_host()}):
        wanted = resolve_url("admin:index")
    if not request.user.is_authenticated:
        query = urlencode({"next": wanted})
        return HttpResponseRedirect(f"{resolve_url(settings.LOGIN_URL)}?{query}")
    if not (request.user.is_active and request.user.is_staff):
        raise PermissionDenied("the console is for staff")
    return HttpResponseRedirect(wanted)

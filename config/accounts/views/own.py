from typing import Any

from allauth.usersessions.views import ListUserSessionsView
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from config.accounts import tokens
from config.accounts.forms import ProfileForm
from config.accounts.models import Profile, SignedIn
from config.accounts.profile import put_into_session


@require_safe
def account_show(request: HttpRequest) -> HttpResponse:
    """Show who is signed in, and what they can change about it."""
    return render(request, "accounts/account_show.html")


@require_http_methods(["GET", "HEAD", "POST"])
def profile_change(request: HttpRequest) -> HttpResponse:
    """Let somebody say how they want to see the pages."""
    user = User.objects.get(username=request.user.get_username())
    profile = Profile.objects.filter(user=user).first() or Profile(user=user)
    form = ProfileForm(request.POST or None, instance=profile)
    if form.is_valid():
        form.save()
        put_into_session(request, user)
        messages.success(request, _("Saved. Where else you are signed in, from the next time on."))
        return HttpResponseRedirect(reverse("accounts:account_show"))
    status = 422 if form.is_bound else 200
    return render(request, "accounts/profile_change.html", {"form": form}, status=status)


class SessionList(ListUserSessionsView):  # type: ignore[misc]
    """Show where somebody is signed in, and end all of it but here; programs of theirs as well."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "client_count": self._clients().count()}

    def form_valid(self, form: Any) -> HttpResponse:
        self._clients().delete()
        answer: HttpResponse = super().form_valid(form)
        return answer

    def _clients(self) -> QuerySet[SignedIn]:
        user, key = self.request.user, self.request.session.session_key
        return tokens.elsewhere(user, session_key=key, now=timezone.now())


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

"""Who works here, for administrators: users, their roles, and the limited lists that they see."""

from typing import Any

from allauth.account.forms import ResetPasswordForm
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from config.accounts.forms import UserForm
from config.accounts.roles import called

# As many as anybody works with; nobody looks through more of them by pages.
_MOST = 500


@require_safe
def user_list(request: HttpRequest) -> HttpResponse:
    users = User.objects.prefetch_related("groups").order_by("-is_active", "username")
    rows = [(user, ", ".join(map(called, user.groups.all()))) for user in users[:_MOST]]
    return render(request, "accounts/user_list.html", {"users": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def user_add(request: HttpRequest) -> HttpResponse:
    """Make a user, who is sent a link to choose a password."""
    form = UserForm(request.POST or None, by=request.user)
    if form.is_valid():
        user = form.save()
        _invite(request, user)
        return HttpResponseRedirect(reverse("accounts:user_list"))
    return _page(request, form, title=_("New user"))


@require_http_methods(["GET", "HEAD", "POST"])
def user_change(request: HttpRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    if user.is_superuser and not request.user.is_superuser:
        raise PermissionDenied("a superuser is changed by superusers")
    form = UserForm(request.POST or None, instance=user, by=request.user)
    if form.is_valid():
        form.save()
        messages.success(request, _("%(user)s is saved.") % {"user": user})
        return HttpResponseRedirect(reverse("accounts:user_list"))
    return _page(request, form, title=user.get_username())


def _page(request: HttpRequest, form: UserForm, *, title: str) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "title": title}
    return render(
        request, "accounts/user_change.html", context, status=422 if form.is_bound else 200
    )


def _invite(request: HttpRequest, user: User) -> None:
    form = ResetPasswordForm({"email": user.email})
    if form.is_valid():
        form.save(request)
    said = _("%(user)s is made, and is sent a link to choose a password: %(address)s.")
    messages.success(request, said % {"user": user, "address": user.email})

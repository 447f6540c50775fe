"""API keys: one's own, and for administrators those of all; a new one is shown once."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from config.accounts.forms import KeyForm
from config.accounts.keys import revoke_key
from config.accounts.models import ApiKey

_MOST = 500


def keys_of(request: HttpRequest, *, to: str) -> "QuerySet[ApiKey]":
    """Return the keys that a user may look at, or change: one's own, with a permission all."""
    keys = ApiKey.objects.select_related("user").prefetch_related("lists").order_by("-pk")
    is_for_all = request.user.has_perm(f"accounts.{to}_apikey")
    return keys if is_for_all else keys.filter(user=request.user.pk)


@require_safe
@never_cache
def key_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    shown = [(key, key.stands(now=now)) for key in keys_of(request, to="view")[:_MOST]]
    may = set(keys_of(request, to="change").values_list("pk", flat=True))
    context = {"keys": [(key, stands, key.pk in may) for key, stands in shown]}
    return render(request, "accounts/key_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@reauthentication_required  # type: ignore[untyped-decorator]
def key_add(request: HttpRequest) -> HttpResponse:
    """Make a key of one's own; its page is the only one that ever shows it."""
    user = User.objects.get(username=request.user.get_username())
    form = KeyForm(request.POST or None, user=user)
    if form.is_valid():
        made = form.make(now=timezone.now())
        return render(request, "accounts/key_made.html", {"made": made})
    status = 422 if form.is_bound else 200
    return render(request, "accounts/key_add.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def key_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    key = get_object_or_404(keys_of(request, to="change"), pk=pk)
    if request.method != "POST":
        return render(request, "accounts/key_revoke.html", {"key": key})
    revoke_key(key, now=timezone.now())
    messages.success(request, _("%(key)s opens nothing any more.") % {"key": key})
    return HttpResponseRedirect(reverse("accounts:key_list"))

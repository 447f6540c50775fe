"""For everybody who signs in: a second factor, and what happens where it cannot be done."""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from campaigns.secrets import Undecipherable

logger = logging.getLogger(__name__)

_PAGES = reverse_lazy("accounts:account_show")  # and what is below it
# Where somebody goes who has no second factor yet, but must.
_ON_THE_WAY = {
    "account_logout",
    "account_reauthenticate",
    "mfa_index",
    "mfa_reauthenticate",
    "mfa_activate_totp",
    "mfa_add_webauthn",
}


class SignInMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view_func: Any, _args: Any, _kwargs: Any
    ) -> HttpResponse | None:
        """Send to the page of second factors who has none, where everybody must have one."""
        if not settings.REQUIRE_MFA or not getattr(view_func, "login_required", True):
            return None
        match = request.resolver_match
        if (match and match.view_name in _ON_THE_WAY) or has_second_factor(request):
            return None
        messages.warning(request, _("Set up a second factor first: everybody here needs one."))
        return HttpResponseRedirect(reverse("mfa_index"))

    def process_template_response(
        self, request: HttpRequest, response: TemplateResponse
    ) -> TemplateResponse:
        """Answer 422 where a form of django-allauth's was refused, as pages of our own do."""
        form = (response.context_data or {}).get("form")
        if request.path.startswith(str(_PAGES)) and getattr(form, "errors", None):
            response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Refuse to sign in where attempts cannot be counted, or a secret cannot be read."""
        if not request.path.startswith(str(_PAGES)):
            return None
        if isinstance(error, RedisError | BrokerError):
            logger.error("nobody can sign in, because Redis is not there: %s", error)
            return render(request, "account/later.html", status=503)
        if isinstance(error, Undecipherable):
            logger.error("a second factor cannot be read: %s", error)
            return render(request, "account/later.html", {"is_lost": True}, status=503)
        return None


def has_second_factor(request: HttpRequest) -> bool:
    """Whether they have one here, or came by a provider, which looks after it."""
    methods = request.session.get("account_authentication_methods", [])
    if any(each.get("method") == "socialaccount" for each in methods):
        return True
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    return bool(Authenticator.objects.filter(user=request.user.pk, type__in=kinds).exists())

"""What django-allauth asks about: who may come in, how mail leaves, how secrets are kept.

https://docs.allauth.org/en/latest/account/adapter.html
"""

# allauth has no type hints:
# mypy: allow-subclassing-any, disable-error-code="no-any-return"
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.shortcuts import render
from django.utils.html import linebreaks, urlize

from campaigns import secrets
from config.accounts import tasks
from recipients.origin import client_address

NO_ADDRESS = "0.0.0.0"  # noqa: S104 - of a peer that has none, behind a socket


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False  # an administrator makes users

    def get_client_ip(self, request: HttpRequest) -> str:
        return str(client_address(request.META) or NO_ADDRESS)

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Lead to the installation's own address, by whatever name it was asked for."""
        return f"{settings.SITE_URL}{urlsplit(super().get_reset_password_from_key_url(key)).path}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Hand a message to a worker: the answer takes as long for who is known as for others."""
        given = {**context, "email": email, "site_url": settings.SITE_URL}
        message = self.render_mail(template_prefix, email, given)
        text = str(message.body).strip() + "\n"
        html = linebreaks(urlize(text, autoescape=True))
        tasks.send_mail.delay(to=email, subject=message.subject, text=text, html=html)


class OIDCAdapter(DefaultSocialAccountAdapter):
    """Who comes by the provider of OIDC_ISSUER; it has verified the address."""

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Take somebody who comes for the first time for the user who has their address."""
        if sociallogin.is_existing:
            return
        if (user := _user_of(sociallogin)) is not None:
            sociallogin.connect(request, user)
        elif not (settings.OIDC_ROLE and _is_new(sociallogin)):
            raise ImmediateHttpResponse(render(request, "account/signup_closed.html", status=403))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return bool(settings.OIDC_ROLE)

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> User:
        user: User = super().save_user(request, sociallogin, form)
        user.groups.add(Group.objects.get(name=settings.OIDC_ROLE))
        return user


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return secrets.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return secrets.decrypt(encrypted_text)

    def _get_site_name(self) -> str:
        return "Godwit"

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Keep the last second factor where everybody has to have one."""
        if not settings.REQUIRE_MFA or authenticator.type == Authenticator.Type.RECOVERY_CODES:
            return True
        others = Authenticator.objects.filter(user=authenticator.user).exclude(pk=authenticator.pk)
        return others.exclude(type=Authenticator.Type.RECOVERY_CODES).exists()


def _user_of(sociallogin: Any) -> User | None:
    """Return the user with the address that the provider has verified; None where it is not one."""
    verified = [each.email for each in sociallogin.email_addresses if each.verified]
    if not verified:
        return None
    found = User.objects.filter(email__iexact=verified[0], is_active=True)[:2]
    return found[0] if len(found) == 1 else None


def _is_new(sociallogin: Any) -> bool:
    """Whether the provider has verified their address, and nobody here has it."""
    verified = [each.email for each in sociallogin.email_addresses if each.verified]
    return bool(verified) and not User.objects.filter(email__iexact=verified[0]).exists()

"""The providers whose webhooks are taken, and what proves that a request is theirs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.module_loading import import_string


@dataclass(frozen=True)
class Provider:
    """A provider.

    :param path: the class of its view; read when it is first asked for, because some of them
        import what takes long and is not used by others
    :param key: the setting of Anymail's (or ours) by which its signature is verified; "": it has
        no signature, and the secret in its URL is all that proves who it is
    :param is_key_needed: nothing is taken without the key, whatever secret there is
    """

    path: str
    key: str = ""
    is_key_needed: bool = False

    @property
    def is_set_up(self) -> bool:
        """Whether something would tell its requests from those of strangers."""
        has_key = bool(self.key and settings.ANYMAIL.get(self.key))
        has_secret = bool(settings.ANYMAIL.get("WEBHOOK_SECRET"))
        return has_key or (has_secret and not self.is_key_needed)

    @cached_property
    def view(self) -> Callable[[HttpRequest], HttpResponseBase]:
        found: Any = import_string(self.path)
        view: Callable[[HttpRequest], HttpResponseBase] = found.as_view()
        return view


_ANYMAIL = "anymail.webhooks"

PROVIDERS = {
    "amazon_ses": Provider("tracking.webhooks.amazon.View", "AMAZON_SES_TOPICS", True),
    "brevo": Provider(f"{_ANYMAIL}.brevo.BrevoTrackingWebhookView"),
    "mailersend": Provider(
        f"{_ANYMAIL}.mailersend.MailerSendTrackingWebhookView", "MAILERSEND_SIGNING_SECRET", True
    ),
    "mailgun": Provider(
        f"{_ANYMAIL}.mailgun.MailgunTrackingWebhookView", "MAILGUN_WEBHOOK_SIGNING_KEY", True
    ),
    "mailjet": Provider(f"{_ANYMAIL}.mailjet.MailjetTrackingWebhookView"),
    "mailtrap": Provider(
        f"{_ANYMAIL}.mailtrap.MailtrapTrackingWebhookView", "MAILTRAP_TRACKING_SECRET"
    ),
    "mandrill": Provider(
        f"{_ANYMAIL}.mandrill.MandrillCombinedWebhookView", "MANDRILL_WEBHOOK_KEY", True
    ),
    "postal": Provider(f"{_ANYMAIL}.postal.PostalTrackingWebhookView", "POSTAL_WEBHOOK_KEY", True),
    "postmark": Provider(f"{_ANYMAIL}.postmark.PostmarkTrackingWebhookView"),
    "resend": Provider("tracking.webhooks.resend.View", "RESEND_WEBHOOK_SECRET"),
    "sendgrid": Provider(
        f"{_ANYMAIL}.sendgrid.SendGridTrackingWebhookView",
        "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY",
    ),
    "sparkpost": Provider(f"{_ANYMAIL}.sparkpost.SparkPostTrackingWebhookView"),
    "unisender_go": Provider(
        f"{_ANYMAIL}.unisender_go.UnisenderGoTrackingWebhookView", "UNISENDER_GO_API_KEY", True
    ),
}

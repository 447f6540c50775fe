"""One message of ours to somebody who works here: a link for a new password, a warning, figures."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import override

from campaigns import reasons, secrets
from campaigns.models import Sender
from campaigns.product_mail import product_mail
from campaigns.sending import compose
from campaigns.sending.outcomes import Accepted, Outcome, Rejected
from campaigns.sending.signing import NoKey
from campaigns.sending.transports import BadTransportURL
from campaigns.sending.way_out import transport_of
from recipients.addresses import BadAddress
from recipients.headers import BadHeader

logger = logging.getLogger(__name__)

_REPAIRABLE = (BadAddress, BadHeader, BadTransportURL, NoKey, secrets.Undecipherable)


def written(template: str, context: Mapping[str, Any], *, to: Any) -> dict[str, str]:
    """Return subject, text and HTML of a message, in the language of the user who gets it.

    :param template: of three files: NAME.subject.txt, NAME.txt, NAME.html.
    """
    with override(_language_of(to)):
        return {
            "subject": render_to_string(f"{template}.subject.txt", context).strip(),
            "text": render_to_string(f"{template}.txt", context),
            "html": render_to_string(f"{template}.html", context),
        }


def send(*, to: str, subject: str, text: str, html: str, token: str, now: datetime) -> Outcome:
    """Send a message from the oldest sender, by its way out.

    :param token: the left side of its Message-ID.
    """
    sender = Sender.objects.order_by("pk").first()
    if sender is None:
        return Rejected(diagnostic=reasons.NO_SENDER)
    try:
        message = product_mail(
            sender,
            to=to,
            subject=subject,
            text=text,
            html=html,
            message_id=compose.message_id(token, sender.domain),
            envelope_sender=sender.address,
            now=now,
        )
        transport = transport_of(sender)
    except _REPAIRABLE as error:
        return Rejected(diagnostic=str(error))
    try:
        return transport.send(message)
    finally:
        transport.close()  # the next message may be hours away


def send_or_log(
    *, to: str, subject: str, text: str, html: str, token: str, now: datetime
) -> Outcome:
    """Send a message; what does not go is in the log."""
    outcome = send(to=to, subject=subject, text=text, html=html, token=token, now=now)
    if not isinstance(outcome, Accepted):
        logger.error("“%s” was not sent to a user: %s", subject, outcome)
    return outcome


def _language_of(user: Any) -> str:
    """Return the language of somebody's profile, which is of the site's shell, above this app."""
    profile = getattr(user, "profile", None)
    return getattr(profile, "language", "") or settings.LANGUAGE_CODE

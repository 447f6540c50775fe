"""One message of ours to somebody who works here: a link for a new password, a warning."""

import logging
from datetime import datetime
from secrets import token_hex

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


def send(*, to: str, subject: str, text: str, html: str, now: datetime) -> Outcome:
    """Send a message from the oldest sender, by its way out; what does not go is in the log."""
    outcome = _outcome(to=to, subject=subject, text=text, html=html, now=now)
    if not isinstance(outcome, Accepted):
        logger.error("“%s” was not sent to a user: %s", subject, outcome)
    return outcome


def _outcome(*, to: str, subject: str, text: str, html: str, now: datetime) -> Outcome:
    sender = Sender.objects.order_by("pk").first()
    if sender is None:
        return Rejected(diagnostic=reasons.NO_SENDER)
    token = f"account-{token_hex(16)}"
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
        transport.close()

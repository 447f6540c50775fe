"""One message of ours, as it is handed over: to a recipient, or to a member of staff."""

from datetime import datetime

from campaigns.models import Sender
from campaigns.sending import compose, dkim
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.signing import keys_of
from recipients.addresses import Mailbox, parse_address


def product_mail(
    sender: Sender,
    *,
    to: str,
    subject: str,
    text: str,
    html: str,
    message_id: str,
    envelope_sender: str,
    now: datetime,
) -> Outgoing:
    """Return the message, signed where the sender signs.

    :raises BadAddress: the sender's address is none.
    :raises BadHeader: a value may not stand in its header.
    :raises NoKey: there is none to sign it.
    """
    data = compose.notice(
        sender=Mailbox(sender.display_name, parse_address(sender.address)),
        reply_to=Mailbox("", parse_address(sender.reply_to)) if sender.reply_to else None,
        to=to,
        subject=subject,
        html=html,
        text=text,
        message_id=message_id,
        date=now,
    )
    if sender.dkim_domain:
        data = dkim.sign(data, keys_of(sender.dkim_domain), now=now)
    return Outgoing(envelope_sender, to, data, is_well_formed=True)

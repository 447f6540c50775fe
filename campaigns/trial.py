"""Send a test: what a recipient of the campaign would get, to an address that staff name."""

from collections.abc import Mapping
from datetime import datetime

from campaigns import secrets
from campaigns.audience import RECEIVING, Audience
from campaigns.models import Campaign, Run
from campaigns.sending.attached import files_of_campaign
from campaigns.sending.claim import Claimed
from campaigns.sending.mailing import Mailing, NoMailing, NotComposed
from campaigns.sending.outcomes import Accepted, Deferred, InDoubt, Outcome, Rejected
from campaigns.sending.transports import BadTransportURL
from campaigns.sending.way_out import transport_of
from campaigns.services import Refused
from recipients.addresses import BadAddress, parse_address
from recipients.segments.grammar import BadRules
from templates_app.services import Refused as ContentRefused
from templates_app.services import freeze

# No delivery has this id: the links of a test lead to nobody, and no bounce is counted.
NOBODY = 0

_WORDS: Mapping[type[Outcome], str] = {
    Accepted: "The next hop took the message",
    Deferred: "The next hop refused it for now; nothing was sent",
    Rejected: "It was refused; nothing was sent",
    InDoubt: "The connection broke after the message was handed over; it may have arrived",
}


def send_test(campaign: Campaign, *, address: str, now: datetime) -> Outcome:
    """Hand one message to the campaign's transport and return the outcome; no ledger is written.

    It has the fields and the language of the campaign's first recipient, and the content that
    would be sent: the frozen one of a scheduled campaign, else the template's present one.

    :raises Refused: the address, the content, the sender or the transport cannot be used.
    """
    try:
        to = parse_address(address).addr_spec
        version = campaign.version or freeze(campaign.template)
        run = Run(campaign=campaign, version=version, sender_domain=campaign.sender.domain)
        mailing = Mailing(run, subject_prefix="[Test] ", files=files_of_campaign(campaign))
        claimed = _sample(campaign, to, now=now)
        message, _ = mailing.message(claimed, now=now)
        transport = transport_of(campaign.sender)
    except (BadAddress, BadRules, BadTransportURL, NoMailing, NotComposed, ContentRefused) as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(f"an attachment cannot be fetched: {error}") from None
    except secrets.Undecipherable as error:
        raise Refused(f"the transport's URL: {error}") from None
    try:
        return transport.send(message)
    finally:
        transport.close()  # the next test may be hours away


def in_words(outcome: Outcome) -> str:
    """Say what became of a test, with the answer of the next hop."""
    answer = " ".join(
        part
        for part in (
            str(outcome.reply_code or ""),
            outcome.enhanced_status_code,
            outcome.diagnostic,
        )
        if part
    )
    return f"{_WORDS[type(outcome)]}: {answer}" if answer else f"{_WORDS[type(outcome)]}."


def _sample(campaign: Campaign, to: str, *, now: datetime) -> Claimed:
    found = Audience(campaign).sample(RECEIVING, now=now, few=1)
    if not found:
        return Claimed(NOBODY, to, {}, attempts=1)
    first = found[0]
    return Claimed(NOBODY, to, dict(first.fields), 1, first.language, first.time_zone)

"""Send a test: what a recipient would get, to addresses that staff name."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import secrets
from campaigns.audience import RECEIVING, Audience
from campaigns.models import Campaign, Run, Sender, Transport
from campaigns.sending import dkim
from campaigns.sending.attached import files_of_campaign
from campaigns.sending.claim import Claimed
from campaigns.sending.compose import Skeleton, envelope_sender, message_id
from campaigns.sending.mailing import Mailing, NoMailing, NotComposed
from campaigns.sending.outcomes import Accepted, Deferred, InDoubt, Outcome, Rejected
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.signing import NoKey, keys_of
from campaigns.sending.transports import BadTransportURL
from campaigns.sending.transports import Transport as WayOut
from campaigns.sending.way_out import transport_at, transport_of
from campaigns.services import Refused
from recipients.addresses import Address, BadAddress, Mailbox, parse_address
from recipients.consent import subject
from recipients.headers import BadHeader
from recipients.models import Suppression
from recipients.noting import count_of, note
from recipients.recognising import read
from recipients.segments.grammar import BadRules
from templates_app.compiling import CompiledContent
from templates_app.media import storing
from templates_app.models import EmailTemplate
from templates_app.rendering import NotPlain, RenderError, compile_content
from templates_app.services import Refused as ContentRefused
from templates_app.services import freeze
from tracking import links
from tracking.tokens import NOBODY

MOST_AT_ONCE = 10
MOST_IN_AN_HOUR = 50
PREFIX = "[Test] "
_ACT = "sent a test"
_TEMPLATE = "templates_app.emailtemplate"

_WORDS: Mapping[type[Outcome], str | Promise] = {
    Accepted: gettext_lazy("The next hop took the message"),
    Deferred: gettext_lazy("The next hop refused it for now; nothing was sent"),
    Rejected: gettext_lazy("It was refused; nothing was sent"),
    InDoubt: gettext_lazy(
        "The connection broke after the message was handed over; it may have arrived"
    ),
}


def send_test(campaign: Campaign, *, address: str, now: datetime) -> Outcome:
    """Hand one message to the campaign's transport and return the outcome; no ledger is written.

    It has the fields and the language of the campaign's first recipient, and the content that
    would be sent: the frozen one of a scheduled campaign, else the template's present one.

    :raises Refused: the address, the content, the sender or the transport cannot be used.
    """
    try:
        parsed = parse_address(address)
        _refuse_suppressed(parsed)
        to = parsed.addr_spec
        version = campaign.version or freeze(campaign.template)
        run = Run(campaign=campaign, version=version, sender_domain=campaign.sender.domain)
        mailing = Mailing(run, subject_prefix=PREFIX, files=files_of_campaign(campaign))
        claimed = _first_recipient(campaign, to, now=now)
        message, _mail = mailing.message(claimed, now=now)
    except (BadAddress, BadRules, NoMailing, NotComposed, ContentRefused) as error:
        raise Refused(str(error)) from None
    except OSError as error:
        said = _("an attachment cannot be fetched: %(error)s") % {"error": storing.in_words(error)}
        raise Refused(said) from None
    [outcome] = _hand_over([message], campaign.sender)
    note(_ACT, kind="campaigns.campaign", pk=campaign.pk, name=campaign.name)
    return outcome


def send_sample(
    content: CompiledContent,
    *,
    sender: Sender,
    context: Mapping[str, Any],
    addresses: Sequence[str],
    now: datetime,
) -> list[tuple[str, Outcome]]:
    """Hand content that no campaign sends yet to the sender's transport, once for each address.

    No ledger is written. Its header names no list.

    :param context: what the template sees; the same for all.
    :raises Refused: an address, the content, the sender or the transport cannot be used.
    """
    try:
        to = [parse_address(address).addr_spec for address in addresses]
        compose = _Sample(content, sender, context)
        messages = [compose.message(each, now=now) for each in to]
    except (BadAddress, BadHeader, NoKey, NotPlain, RenderError) as error:
        raise Refused(str(error)) from None
    return list(zip(to, _hand_over(messages, sender), strict=True))


def send_by(transport: Transport, *, sender: Sender, address: str, now: datetime) -> Outcome:
    """Hand one short message to a transport, and return the outcome; no ledger is written.

    :raises Refused: the address, the sender or the transport cannot be used.
    """
    text = f"This message left Godwit by the transport {transport}.\n"
    content = CompiledContent("", "By this transport", "", text, ())
    try:
        parsed = parse_address(address)
        _refuse_suppressed(parsed)
        message = _Sample(content, sender, {}).message(parsed.addr_spec, now=now)
    except (BadAddress, BadHeader, NoKey, NotPlain, RenderError) as error:
        raise Refused(str(error)) from None
    [outcome] = _by([message], lambda: transport_at(transport.encrypted_url))
    note(_ACT, kind="campaigns.transport", pk=transport.pk, name=transport.name)
    return outcome


@transaction.atomic
def claim_tests(
    template: EmailTemplate, *, addresses: Sequence[str], by: int, now: datetime
) -> None:
    """Write down that somebody sends tests of a template, before they are sent.

    :param by: the id of the account, which is the one that acts.
    :raises Refused: there were too many within an hour; a test is no way to mail people. Or an
        address is suppressed.
    """
    count = len(addresses)
    for address in addresses:
        _refuse_suppressed(parse_address(address))
    User.objects.select_for_update().get(pk=by)
    sent = count_of(_ACT, kind=_TEMPLATE, by=by, since=now - timedelta(hours=1))
    if sent + count > MOST_IN_AN_HOUR:
        raise Refused(
            _(
                "you sent %(sent)s tests within the last hour, and %(most)s are"
                " the most; wait, or name fewer addresses"
            )
            % {"sent": sent, "most": MOST_IN_AN_HOUR}
        )
    for _address in addresses:
        note(_ACT, kind=_TEMPLATE, pk=template.pk, name=template.name)


def in_words(outcome: Outcome) -> str:
    """Say what became of a test, with the answer of the next hop."""
    said = read(outcome.diagnostic)
    code = outcome.enhanced_status_code  # servers say it at the beginning of their text
    parts = (str(outcome.reply_code or ""), "" if said.startswith(code) else code, said)
    answer = " ".join(part for part in parts if part)
    return f"{_WORDS[type(outcome)]}: {answer}" if answer else f"{_WORDS[type(outcome)]}."


def _refuse_suppressed(address: Address) -> None:
    """Leave alone whoever is to be left alone, whoever asks."""
    of_person = Suppression.objects.of_person(key=address.key, digest=subject(address.key))
    if found := (of_person | Suppression.objects.filter(key=address.domain)).first():
        reason = found.get_reason_display().lower()
        raise Refused(
            _("%(address)s is suppressed (%(reason)s); name another address")
            % {"address": address.addr_spec, "reason": reason}
        )


def _first_recipient(campaign: Campaign, to: str, *, now: datetime) -> Claimed:
    found = Audience(campaign).sample(RECEIVING, now=now, few=1)
    if not found:
        return Claimed(NOBODY, to, {}, attempts=1)
    first = found[0]
    return Claimed(NOBODY, to, dict(first.fields), 1, first.language, first.time_zone)


class _Sample:
    """A message of content without a run.

    :raises BadAddress, BadHeader, NoKey, NotPlain, RenderError:
    """

    def __init__(
        self, content: CompiledContent, sender: Sender, context: Mapping[str, Any]
    ) -> None:
        compiled = compile_content(
            subject=content.subject,
            html=content.html,
            text=content.text,
            language=content.language,
        )
        self._rendered = compiled.render({**context, "sender_name": sender.display_name})
        self._domain = sender.domain
        self._keys = keys_of(sender.dkim_domain) if sender.dkim_domain else []
        self._skeleton = Skeleton(
            sender=Mailbox(sender.display_name, parse_address(sender.address)),
            reply_to=Mailbox("", parse_address(sender.reply_to)) if sender.reply_to else None,
            list_name="",
            list_id=f"test.{sender.domain}",
            feedback_id="template:none:test:godwit",
        )

    def message(self, address: str, *, now: datetime) -> Outgoing:
        data = self._skeleton.message(
            to=address,
            subject=PREFIX + self._rendered.subject,
            html=self._rendered.html_pieces,
            text=self._rendered.text_pieces,
            message_id=message_id(links.message_token(NOBODY), self._domain),
            date=now,
            unsubscribe_url=links.unsubscribe_url(NOBODY),
            unsubscribe_mailto=None,
        )
        if self._keys:
            data = dkim.sign(data, self._keys, now=now)
        sender = envelope_sender(links.bounce_token(NOBODY), self._domain)
        return Outgoing(sender, address, data, is_well_formed=True)


def _hand_over(messages: Sequence[Outgoing], sender: Sender) -> list[Outcome]:
    """Send messages through the transport of a sender, one after the other."""
    return _by(messages, lambda: transport_of(sender))


def _by(messages: Sequence[Outgoing], way: Callable[[], WayOut]) -> list[Outcome]:
    try:
        transport = way()
    except BadTransportURL as error:
        raise Refused(str(error)) from None
    except secrets.Undecipherable as error:
        raise Refused(_("the transport's URL: %(error)s") % {"error": error}) from None
    try:
        return [transport.send(message) for message in messages]
    finally:
        transport.close()  # the next test may be hours away

"""What one run says, ready to be made personal: the only place where content meets a recipient."""

from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from campaigns.models import Run, Sender
from campaigns.sending import dkim
from campaigns.sending.attached import Named, Unfit, attached, files_of_run
from campaigns.sending.claim import Claimed
from campaigns.sending.compose import Skeleton, envelope_sender, message_id
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.signing import NoKey, keys_of
from recipients.addresses import BadAddress, Mailbox, parse_address
from recipients.headers import BadHeader
from recipients.models import MailingList, Segment
from templates_app.models import TemplateVersion, VersionVariant
from templates_app.rendering import Compiled, NotPlain, Rendered, RenderError, compile_content
from templates_app.variants import Variants
from tracking import links


class NoMailing(Exception):
    """The run cannot be sent to anybody; the text says why."""


class NotComposed(Exception):
    """There is no message for this recipient; the text says why."""


@lru_cache(maxsize=64)
def compiled(version_id: int) -> Variants:
    """Compile a version once per process, in all its languages; a version never changes."""
    version = TemplateVersion.objects.get(pk=version_id)
    others = {each.language: _compile(each) for each in version.variants.all()}
    return Variants(_compile(version), language=version.language, others=others)


def _compile(content: TemplateVersion | VersionVariant) -> Compiled:
    return compile_content(
        subject=content.subject, html=content.html, text=content.text, language=content.language
    )


class Mailing:
    """The sender, the content and the fixed headers of a run.

    :raises NoMailing:
    :raises OSError: the files that it attaches cannot be fetched now.
    """

    def __init__(
        self, run: Run, *, subject_prefix: str = "", files: tuple[Named, ...] | None = None
    ) -> None:
        """Prepare to send a run, with its own files or those that are named."""
        sender = run.campaign.sender
        # Several lists, one List-ID: the oldest list's; a segment's where there is no list.
        mailing_list = run.campaign.lists.order_by("pk").first()
        source = mailing_list or run.campaign.segments.order_by("pk").first()
        if source is None:
            raise NoMailing("the campaign has no list or segment any more; choose one")
        # What a segment is called is not meant for those who are in it.
        list_name = mailing_list.name if mailing_list else sender.display_name
        try:
            self._content = compiled(run.version_id)
            self._keys = keys_of(sender.dkim_domain) if sender.dkim_domain else []
            self._skeleton = _skeleton(sender, source, list_name, run.campaign_id)
            named = files_of_run(run.pk) if files is None else files
            self._attached = attached(named) if named else None
        except (BadAddress, BadHeader, NoKey, RenderError, Unfit) as error:
            raise NoMailing(str(error)) from None
        self._tail = self._attached.tail if self._attached else b""
        self._asks_preferences = self._content.reads("preferences_url")
        self._domain = run.sender_domain
        self._subject_prefix = subject_prefix
        self._common = {
            "campaign_name": run.campaign.name,
            "list_name": list_name,
            "sender_name": sender.display_name,
        }

    def message(self, delivery: Claimed, *, now: datetime) -> tuple[Outgoing, str]:
        """Return one recipient's message, and its Message-ID, which is the same at each attempt.

        :raises NotComposed: a field is missing or would break out of its header.
        """
        unsubscribe_url = links.unsubscribe_url(delivery.id)
        identifier = message_id(links.message_token(delivery.id), self._domain)
        try:
            content = self._render(delivery, unsubscribe_url)
            data = self._skeleton.message(
                to=delivery.address,
                subject=self._subject_prefix + content.subject,
                html=content.html_pieces,
                text=content.text_pieces,
                message_id=identifier,
                date=now,
                unsubscribe_url=unsubscribe_url,
                unsubscribe_mailto=None,
                attached=self._attached,
            )
        except (RenderError, NotPlain, BadHeader) as error:
            raise NotComposed(str(error)) from None
        if self._keys:
            data = dkim.sign(data, self._keys, now=now, tail=self._tail)
        sender = envelope_sender(links.bounce_token(delivery.id), self._domain)
        return Outgoing(sender, delivery.address, data, True, self._tail), identifier

    def _render(self, delivery: Claimed, unsubscribe_url: str) -> Rendered:
        context: dict[str, Any] = {
            **(delivery.fields or {}),
            **self._common,
            "email": delivery.address,
            "language": delivery.language,
            "time_zone": delivery.time_zone,
            "unsubscribe_url": unsubscribe_url,
        }
        if self._asks_preferences:
            context["preferences_url"] = links.preferences_url(delivery.id)
        return self._content.render(context)


def _skeleton(
    sender: Sender, source: MailingList | Segment, list_name: str, campaign_id: int
) -> Skeleton:
    kind = "list" if isinstance(source, MailingList) else "segment"
    feedback = (f"campaign {campaign_id}", f"{kind} {source.pk}", sender.domain)
    campaign, list_part, domain = map(_short, feedback)
    return _skeleton_of(
        sender.display_name,
        sender.address,
        sender.reply_to,
        list_name=list_name,
        list_id=f"{source.identifier.hex}.{sender.domain}",
        feedback_id=f"{campaign}:{list_part}:campaign:{domain}",
    )


@lru_cache(maxsize=64)
def _skeleton_of(name: str, address: str, reply_to: str, **headers: str) -> Skeleton:
    """Return the skeleton with these headers; it is kept, for the lines that it remembers."""
    return Skeleton(
        sender=Mailbox(name, parse_address(address)),
        reply_to=Mailbox("", parse_address(reply_to)) if reply_to else None,
        **headers,
    )


def _short(name: str) -> str:
    """Return a part of a Feedback-ID, 10 characters, that tells no number of ours."""
    return blake2b(name.encode(), digest_size=5).hexdigest()

"""What one run says, ready to be made personal: the only place where content meets a recipient."""

from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from secrets import token_hex
from typing import Any

from django.utils.translation import gettext as _

from campaigns import reasons
from campaigns.models import Campaign, Message, Run, Sender
from campaigns.sending import dkim
from campaigns.sending.attached import Named, Unfit, attached, files_of_run
from campaigns.sending.claim import Claimed
from campaigns.sending.compose import Skeleton, envelope_sender, message_id
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.signing import NoKey, keys_of
from recipients.addresses import BadAddress, Mailbox, parse_address
from recipients.headers import BadHeader
from recipients.models import MailingList, Segment, Tracking
from templates_app.models import TemplateVersion
from templates_app.rendering import NotPlain, Rendered, RenderError, compile_content
from templates_app.variants import Variants
from tracking import links, measuring, registry
from tracking.places import Measured
from tracking.tokens import NOBODY


class NoMailing(Exception):
    """The run cannot be sent to anybody; the text says why."""


class NotComposed(Exception):
    """There is no message for this recipient; the text says why, and the cause where."""


# Made anew in each process: what an author wrote cannot read them.
_OPEN, _CLICK = f"open_{token_hex(8)}", f"click_{token_hex(8)}"


@lru_cache(maxsize=64)
def compiled(version_id: int, measured: Measured | None = None) -> Variants:
    """Compile a version once per process, in all its languages; a version never changes.

    :param measured: what its links become, and the pixel; None: it is not measured.
    """
    version = TemplateVersion.objects.get(pk=version_id)
    numbered = registry.links_of(version) if measured else ()
    contents = {
        each.language: compile_content(
            subject=each.subject,
            html=registry.html_of(each, numbered, measured) if measured else each.html,
            text=each.text,
            language=each.language,
        )
        for each in version.contents()
    }
    fallback = contents.pop(version.language)
    return Variants(fallback, language=version.language, others=contents)


def measured_of(run: Run) -> Measured | None:
    """Return what stands in the HTML of the messages of this run, if they are measured.

    One that is not saved, whose messages nobody gets, is measured as run 0.
    """
    if run.tracking == Tracking.OFF:
        return None
    is_for_one = run.tracking == Tracking.FULL
    # Of a token alone little has to be escaped and encoded for each recipient.
    opened = f"{{{{ {_OPEN} }}}}" if is_for_one else links.open_token(NOBODY, run.pk or 0)
    clicked = f"{{{{ {_CLICK} }}}}" if is_for_one else links.click_token(NOBODY, run.pk or 0)
    return Measured(links.open_url_of(opened), links.click_url_of(clicked), is_for_one)


def html_as_sent(campaign: Campaign, version: TemplateVersion) -> dict[str, str]:
    """Return the HTML that readers of each language would get, with the tags of the template."""
    mode = measuring.mode(campaign.tracking, lists=campaign.lists.all())
    contents = version.contents()
    if mode == Tracking.OFF:
        return {each.language: each.html for each in contents}
    nobody = links.open_url(NOBODY, 0), links.click_url(NOBODY, 0)
    measured = Measured(*nobody, is_for_one=mode == Tracking.FULL)
    found = registry.links_in(version)
    return {each.language: registry.html_of(each, found, measured) for each in contents}


class PersonalContent:
    """What a run says to each of its recipients, in a message or on a page.

    :raises RenderError:
    """

    def __init__(self, run: Run, *, list_name: str) -> None:
        self._content = compiled(run.version_id)
        self._asks_preferences = self._content.reads("preferences_url")
        self._asks_view = self._content.reads("view_url")
        self._run_id = run.pk or 0
        measured = measured_of(run)
        self._measured = compiled(run.version_id, measured) if measured else None
        self._measurable = measuring.measurable()
        self._asks_open = bool(self._measured and self._measured.reads(_OPEN))
        self._asks_click = bool(self._measured and self._measured.reads(_CLICK))
        self._common: dict[str, Any] = {
            "campaign_name": run.campaign.name,
            "list_name": list_name,
            "sender_name": run.campaign.sender.display_name,
            "sender_address": run.campaign.sender.postal_address,
        }

    def render(self, delivery: Claimed, *, unsubscribe_url: str | None) -> Rendered:
        """Render the message of one recipient.

        :raises RenderError: a field has no value, or the result is too large.
        :raises NotPlain:
        """
        context = self.context(delivery, unsubscribe_url=unsubscribe_url)
        if self._measured is None or delivery.tracking_consent not in self._measurable:
            return self._content.render(context)
        if self._asks_open:
            context[_OPEN] = links.open_token(delivery.id, self._run_id)
        if self._asks_click:
            context[_CLICK] = links.click_token(delivery.id, self._run_id)
        return self._measured.render(context)

    def context(self, delivery: Claimed, *, unsubscribe_url: str | None) -> dict[str, Any]:
        """Return what the message of one recipient is rendered from."""
        context = self.values(delivery)
        context["unsubscribe_url"] = unsubscribe_url
        if self._asks_preferences:
            context["preferences_url"] = links.preferences_url(delivery.id)
        if self._asks_view:
            context["view_url"] = links.view_url(delivery.id)
        return context

    def printed(self, language: str) -> frozenset[str]:
        """Return the names that are printed as they are to readers of this language."""
        return self._content.of(language).printed()

    def render_page(self, delivery: Claimed, *, personal_url: str) -> Rendered:
        """Render the same for a page that may be passed on.

        :param personal_url: where the links lead that act in the recipient's name.
        :raises RenderError: a field has no value any more.
        :raises NotPlain:
        """
        personal = {"unsubscribe_url": personal_url, "preferences_url": personal_url}
        view = {"view_url": links.view_url(delivery.id)}
        return self._content.render({**self.values(delivery), **personal, **view})

    def values(self, delivery: Claimed) -> dict[str, Any]:
        """Return what the message of one recipient is rendered from, but for our own pages."""
        return {
            **(delivery.fields or {}),
            **self._common,
            "email": delivery.address,
            "language": delivery.language,
            "time_zone": delivery.time_zone,
        }


class SingleContent(PersonalContent):
    """What a single message says: filled with what came with it, and not with what is known of the
    recipient. It offers no page of ours, for it goes by no list.
    """

    def __init__(self, run: Run, message: Message) -> None:
        super().__init__(run, list_name="")
        sender = run.campaign.sender
        self._common = {
            **message.fields,
            "sender_name": sender.display_name,
            "sender_address": sender.postal_address,
        }
        self._language = message.language

    def context(self, delivery: Claimed, *, unsubscribe_url: str | None) -> dict[str, Any]:
        return self.values(delivery)

    def values(self, delivery: Claimed) -> dict[str, Any]:
        return {**self._common, "email": delivery.address, "language": self._language}


def audience_of(run: Run) -> tuple[MailingList | Segment | None, str]:
    """Return what stands for the audience in headers, and what recipients know it as.

    Of several lists it is the oldest; where there is none, the oldest segment.
    """
    if mailing_list := run.campaign.lists.order_by("pk").first():
        return mailing_list, mailing_list.name
    # What a segment is called is not meant for those who are in it.
    return run.campaign.segments.order_by("pk").first(), run.campaign.sender.display_name


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
        self._offers_to_leave = run.message is None
        try:
            self._content, self._skeleton = _said(run)
            self._keys = keys_of(sender.dkim_domain) if sender.dkim_domain else []
            named = files_of_run(run.pk) if files is None else files
            self._attached = attached(named) if named else None
        except (BadAddress, BadHeader, NoKey, RenderError, Unfit) as error:
            raise NoMailing(str(error)) from None
        self._tail = self._attached.tail if self._attached else b""
        self._domain = run.sender_domain
        self._subject_prefix = subject_prefix

    def message(self, delivery: Claimed, *, now: datetime) -> tuple[Outgoing, str]:
        """Return one recipient's message, and its Message-ID, which is the same at each attempt.

        :raises NotComposed: a field is missing or would break out of its header.
        """
        data, identifier, _ = self.unsigned(delivery, now=now)
        if self._keys:
            data = dkim.sign(data, self._keys, now=now, tail=self._tail)
        sender = envelope_sender(links.bounce_token(delivery.id), self._domain)
        return Outgoing(sender, delivery.address, data, True, self._tail), identifier

    def unsigned(self, delivery: Claimed, *, now: datetime) -> tuple[bytes, str, Rendered]:
        """Return one recipient's message before it is signed, its Message-ID, and what it says.

        :raises NotComposed: a field is missing or would break out of its header.
        """
        unsubscribe_url = links.unsubscribe_url(delivery.id) if self._offers_to_leave else None
        identifier = message_id(links.message_token(delivery.id), self._domain)
        try:
            content = self._content.render(delivery, unsubscribe_url=unsubscribe_url)
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
            raise NotComposed(str(error)) from error
        return data, identifier, content

    @property
    def attached_size(self) -> int:
        """Bytes of the files, as they follow what `unsigned` returns."""
        return len(self._tail)

    def context(self, delivery: Claimed) -> dict[str, Any]:
        """Return what the templates read of one recipient."""
        unsubscribe_url = links.unsubscribe_url(delivery.id)
        return self._content.context(delivery, unsubscribe_url=unsubscribe_url)

    def printed_fields(self, language: str) -> frozenset[str]:
        """Return the names that readers of this language get as they are, without a default."""
        return self._content.printed(language)


def _said(run: Run) -> tuple[PersonalContent, Skeleton]:
    sender = run.campaign.sender
    if run.message:
        mailbox = sender.display_name, sender.address, sender.reply_to
        return SingleContent(run, run.message), _skeleton_of(*mailbox)
    source, list_name = audience_of(run)
    if source is None:
        raise NoMailing(_(reasons.NO_AUDIENCE))
    skeleton = _skeleton(sender, source, list_name, run.campaign_id)
    return PersonalContent(run, list_name=list_name), skeleton


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

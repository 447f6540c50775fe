"""Rows for tests, each as its users would make it."""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from campaigns import attachments as attaching
from campaigns.models import Campaign, CampaignStatus, Priority, Run, RunStatus, Sender, Transport
from campaigns.sending import fire, snapshot
from campaigns.services import create_campaign, get_sender
from recipients.addresses import parse_address
from recipients.consent import wording_digest
from recipients.models import (
    Field,
    MailingList,
    Recipient,
    Segment,
    SignupForm,
    Subscription,
    SubscriptionState,
    Tracking,
)
from templates_app.media import library
from templates_app.models import EmailTemplate, MediaFile
from templates_app.services import create_template, freeze
from tracking import engagement
from tracking.engagement import Deed
from tracking.models import Delivery, DeliveryState, Response, RunCounters, RunTally

HTML = "<p>Hello {{ first_name | default('there') }}</p><a href='{{ unsubscribe_url }}'>Leave</a>"


def make_list(name: str = "Readers") -> MailingList:
    return MailingList.objects.get_or_create(name=name)[0]


def make_recipient(
    address: str = "ada@example.org",
    *,
    lists: Sequence[MailingList] = (),
    state: SubscriptionState = SubscriptionState.CONFIRMED,
    fields: dict[str, Any] | None = None,
) -> Recipient:
    parsed = parse_address(address)
    recipient = Recipient.objects.create(
        address=parsed.addr_spec,
        key=parsed.key,
        domain=parsed.domain,
        needs_smtputf8=parsed.needs_smtputf8,
        fields=fields or {},
    )
    for mailing_list in lists:
        Subscription.objects.create(recipient=recipient, mailing_list=mailing_list, state=state)
    return recipient


def make_recipients(count: int, *, mailing_list: MailingList, prefix: str = "r") -> list[Recipient]:
    """Make `count` confirmed recipients of a list: r0001@example.org, r0002@…"""
    Field.objects.get_or_create(name="first_name")
    addresses = [parse_address(f"{prefix}{n:04}@example.org") for n in range(1, count + 1)]
    recipients = Recipient.objects.bulk_create(
        Recipient(address=a.addr_spec, key=a.key, domain=a.domain, fields={"first_name": f"R{n}"})
        for n, a in enumerate(addresses, start=1)
    )
    Subscription.objects.bulk_create(
        Subscription(
            recipient=recipient, mailing_list=mailing_list, state=SubscriptionState.CONFIRMED
        )
        for recipient in recipients
    )
    return recipients


def make_segment(name: str = "Hanoi", *, match: str = "all", **fields: str) -> Segment:
    """Make a segment of those whose text fields have these values; else of everybody."""
    for field in fields:
        Field.objects.get_or_create(name=field)
    rules: list[dict[str, Any]] = [
        {"about": f"field:{field}", "operator": "is", "value": value}
        for field, value in fields.items()
    ]
    everybody = {"about": "address", "operator": "contains", "value": "@"}
    return Segment.objects.create(name=name, rules={"match": match, "rules": rules or [everybody]})


def make_form(
    slug: str = "birds", *, mailing_list: MailingList | None = None, wording: str = "News, please."
) -> SignupForm:
    return SignupForm.objects.create(
        slug=slug,
        mailing_list=mailing_list or make_list("Birds"),
        title="Birds by mail",
        wording=wording,
    )


def typed_into(form: SignupForm, address: str) -> dict[str, str]:
    """Return what a browser sends where somebody fills in a form and agrees."""
    digest = wording_digest(form.wording, language=form.language)
    return {"address": address, "agreed": "on", "wording": digest.hex()}


def make_template(name: str = "Newsletter", *, html: str = HTML, text: str = "") -> EmailTemplate:
    return create_template(name, subject="News", source=html, text=text, known=())


def make_file(
    path: str = "Plan.pdf", data: bytes = b"%PDF-1.7\n%%EOF\n", *, by: str = ""
) -> MediaFile:
    folder, _, name = path.rpartition("/")
    return library.upload(io.BytesIO(data), name=name, folder=folder, by=by)


def stored_in(disk: Path) -> list[Path]:
    """Return the files that the library has in its directory."""
    return [path for path in disk.rglob("*") if path.is_file()]


def make_sender(mailbox: str = "News <news@example.org>") -> Sender:
    return get_sender(mailbox)


def set_routes(sender: Sender, *, weights: Mapping[Transport, int]) -> None:
    """Have the sender's messages leave by these transports, each with its share."""
    sender.routes.all().delete()
    for transport, weight in weights.items():
        sender.routes.create(transport=transport, weight=weight)


def make_campaign(
    name: str = "Spring",
    *,
    lists: Sequence[MailingList] = (),
    segments: Sequence[Segment] = (),
    excluded_lists: Sequence[MailingList] = (),
    excluded_segments: Sequence[Segment] = (),
    template: EmailTemplate | None = None,
    sender: Sender | None = None,
    priority: Priority = Priority.CAMPAIGN,
    attachments: Sequence[MediaFile] = (),
) -> Campaign:
    """Make a draft to the lists and segments; to the list Readers where there are none."""
    return create_campaign(
        name,
        sender=sender or make_sender(),
        template=template or make_template(f"Template of {name}"),
        lists=lists or ([] if segments else [make_list()]),
        segments=segments,
        excluded_lists=excluded_lists,
        excluded_segments=excluded_segments,
        priority=priority,
        attachments=attachments,
    )


def make_run(
    campaign: Campaign, *, now: datetime | None = None, snapshot_taken: bool = True
) -> Run:
    """Fire a campaign that is due now; the audience is written down, and no page is open yet."""
    now = now or timezone.now()
    _make_due(campaign, now=now)
    run_id = fire.fire(campaign.pk, now=now)
    assert run_id
    while snapshot_taken and not snapshot.take_slice(run_id, now=now).finished:
        pass
    return Run.objects.get(pk=run_id)


def _make_due(campaign: Campaign, *, now: datetime) -> None:
    """Leave a campaign as `schedule` does, whose checks are half of what a run costs."""
    Campaign.objects.filter(pk=campaign.pk).update(
        status=CampaignStatus.SCHEDULED,
        version=freeze(campaign.template),
        next_fire_at=now,
        cron="",
        time_zone="UTC",
    )
    campaign.refresh_from_db()
    attaching.pin(campaign)


def make_reading(
    delivery: Delivery, *, opened_at: datetime | None = None, clicked_at: datetime | None = None
) -> None:
    """Have a person open a message, or click in it."""
    assert delivery.recipient_id
    times = (opened_at, clicked_at)
    engagement.note([Deed(delivery.run_id, delivery.recipient_id, *times, *times)])


def make_past_run(
    campaign: Campaign, *, at: datetime | None = None, sent: int = 0, failed: int = 0, **tally: int
) -> Run:
    """Make a run that has ended, with its sums alone: of no delivery is anything written down.

    :param tally: columns of RunTally.
    """
    at = at or timezone.now()
    run = Run.objects.create(
        campaign=campaign,
        version=freeze(campaign.template),
        occurrence=at,
        status=RunStatus.COMPLETED,
        tracking=Tracking.FULL,
        audience=sent + failed,
        started_at=at,
        finished_at=at,
    )
    RunCounters.objects.create(run=run, sent=sent, failed=failed)
    RunTally.objects.create(run=run, **tally)
    return run


def make_delivery(run: Run, recipient: Recipient, **response: Any) -> Delivery:
    """Write down a message that was sent, and what came back for it: columns of Response."""
    delivery = Delivery.objects.create(
        run=run,
        recipient=recipient,
        address=recipient.address,
        key=recipient.key,
        domain=recipient.domain,
        state=DeliveryState.SENT,
    )
    if response:
        Response.objects.create(delivery=delivery, run=run, **response)
    return delivery

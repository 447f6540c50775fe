"""What one person agreed to, and the proof that this was not written afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from recipients import consent
from recipients.models import (
    ConsentAction,
    ConsentDetail,
    ConsentEvent,
    ConsentPurpose,
    ConsentWording,
    MailingList,
    Suppression,
)
from recipients.privacy import person


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of the ledger, in words."""

    at: datetime
    action: str
    about: str
    """The name of a list, or what else it is about."""
    source: str
    wording: str
    """What was read when it was agreed to; empty where nothing was shown."""
    block: int
    hash: str
    origin: str
    """IP address and browser, where they are kept."""


@dataclass(frozen=True, slots=True)
class Proof:
    address: str
    subject: str
    """The digest of the address, which stands for it in the ledger."""
    facts: list[Fact]
    suppressions: list[Suppression]
    problems: list[str]
    """Where the ledger was changed; none means that it is as it was written."""
    made_at: datetime


def proof(key: str, *, now: datetime) -> Proof:
    """Return all that the ledger says of the person with this address, oldest first.

    Also of earlier addresses, of rows that were merged into theirs, and of one who was erased. The
    whole ledger is verified: that nothing was taken out of it shows in all of its blocks alone.
    """
    someone = person(key)
    present, *_ = digests = [consent.subject(each) for each in someone.keys]
    of_person = Q(subject__in=digests) | Q(recipient_id__in=someone.ids)
    found = ConsentEvent.objects.filter(of_person).select_related("block").order_by("id")
    suppressions = Suppression.objects.of_person(key=someone.keys[0], digest=present)
    return Proof(
        address=someone.recipient.address if someone.recipient else key,
        subject=present.hex(),
        facts=_facts(list(found)),
        suppressions=list(suppressions),
        problems=consent.verify().problems,
        made_at=now,
    )


def _facts(events: list[ConsentEvent]) -> list[Fact]:
    lists = dict(MailingList.objects.values_list("pk", "name"))
    used = [each.wording for each in events if each.wording is not None]
    wordings = {
        bytes(each.digest): each.text for each in ConsentWording.objects.filter(digest__in=used)
    }
    details = ConsentDetail.objects.in_bulk([each.pk for each in events])
    return [_fact(each, lists, wordings, details.get(each.pk)) for each in events]


def _fact(
    event: ConsentEvent,
    lists: Mapping[int, str],
    wordings: Mapping[bytes, str],
    detail: ConsentDetail | None,
) -> Fact:
    about = str(ConsentPurpose(event.purpose).label)
    if event.mailing_list_id is not None:
        deleted = _("list %(id)s, deleted") % {"id": event.mailing_list_id}
        about = lists.get(event.mailing_list_id, deleted)
    return Fact(
        at=event.occurred_at,
        action=str(ConsentAction(event.action).label).lower(),
        about=about,
        source=event.source,
        wording=wordings.get(bytes(event.wording), "") if event.wording else "",
        block=event.block.number,
        hash=bytes(event.block.hash).hex(),
        origin=f"{detail.ip or ''} {detail.user_agent}".strip() if detail else "",
    )

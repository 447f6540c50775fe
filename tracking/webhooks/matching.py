"""Find the message that a provider speaks of."""

import re
from collections.abc import Iterable
from json import dumps

from recipients.addresses import BadAddress, parse_address
from recipients.models import Notice
from recipients.suppression import erased
from tracking.links import key_ring
from tracking.models import Delivery, WebhookEvent
from tracking.tokens import Kind, read_any

_TOKEN = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{40}(?![0-9A-Fa-f])")
_KINDS = (Kind.MESSAGE, Kind.NOTICE_MESSAGE)


class NotFound(Exception):
    """No message of ours is known by what the event tells; the text says why."""


class OfAnother(NotFound):
    """It tells of an address to which the message did not go."""


class Finder:
    """Finds the messages of some events; those that tokens lead to, by one query for each kind."""

    def __init__(self, events: Iterable[WebhookEvent]) -> None:
        self._named = {event.pk: _named_in(event) for event in events}
        named = set().union(*self._named.values())
        deliveries = Delivery.objects.in_bulk([pk for kind, pk in named if kind == Kind.MESSAGE])
        ours = [pk for kind, pk in named if kind == Kind.NOTICE_MESSAGE]
        notices = Notice.objects.select_related("recipient").in_bulk(ours) if ours else {}
        self._known: dict[tuple[Kind, int], Delivery | Notice] = {
            **{(Kind.MESSAGE, pk): delivery for pk, delivery in deliveries.items()},
            **{(Kind.NOTICE_MESSAGE, pk): notice for pk, notice in notices.items()},
        }

    def message_of(self, event: WebhookEvent) -> Delivery | Notice:
        """Return what one of the events is about.

        By the token that is in the message's Message-ID and metadata, wherever the provider repeats
        one of them; else by the provider's own id of the message, among those to the same address.

        :raises OfAnother:
        :raises NotFound: nothing leads to a message of ours, or not yet
        """
        address = event.payload.get("recipient") or ""
        if named := self._named[event.pk]:
            known = [self._known[one] for one in sorted(named) if one in self._known]
            return _addressed(known, address)
        if found := _called(event.message_id, address):
            return found
        raise NotFound("nothing in it leads to a message of this installation")


def key_of(address: str) -> str:
    """Return by what an address is known; of what is none, the text itself."""
    try:
        return parse_address(address).key
    except BadAddress:
        return address.strip().lower()


def _named_in(event: WebhookEvent) -> set[tuple[Kind, int]]:
    told = f"{event.message_id} {dumps(event.payload)}"
    ring = key_ring()
    named = (read_any(token, kinds=_KINDS, ring=ring) for token in set(_TOKEN.findall(told)))
    return {one for one in named if one}


def _addressed(messages: list[Delivery | Notice], address: str) -> Delivery | Notice:
    if not messages:
        raise NotFound("its message is not in the ledger of this installation")
    mine = [each for each in messages if not address or _went_to(each, address)]
    if not mine:
        raise OfAnother("it tells of an address to which the message did not go")
    return mine[0]


def _went_to(message: Delivery | Notice, address: str) -> bool:
    key = key_of(address)
    if isinstance(message, Delivery) and not message.address:
        return key in erased([key])  # whose it was, that digest alone still tells
    return message.key == key


def _called(message_id: str, address: str) -> Delivery | None:
    """Return what a provider calls so; that is the end of its answer when it was handed over."""
    if not address or not message_id:
        return None
    key = key_of(address)
    to_them = Delivery.objects.filter(recipient__key=key, key=key)
    return to_them.filter(diagnostic__endswith=f" {message_id}").order_by("-pk").first()

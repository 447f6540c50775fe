"""Find the delivery that a provider speaks of."""

import re
from collections.abc import Iterable
from json import dumps

from recipients.addresses import BadAddress, parse_address
from tracking.links import key_ring
from tracking.models import Delivery, WebhookEvent
from tracking.tokens import BadToken, Kind, read

_TOKEN = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{40}(?![0-9A-Fa-f])")


class NotFound(Exception):
    """No message of ours is known by what the event tells; the text says why."""


class OfAnother(NotFound):
    """It tells of an address to which the message did not go."""


class Finder:
    """Finds the deliveries of some events; those that tokens lead to, by one query."""

    def __init__(self, events: Iterable[WebhookEvent]) -> None:
        self._named = {event.pk: _ids_in(event) for event in events}
        self._known = Delivery.objects.in_bulk(set().union(*self._named.values()))

    def delivery_of(self, event: WebhookEvent) -> Delivery:
        """Return the delivery of one of the events.

        By the token that is in the message's Message-ID and metadata, wherever the provider repeats
        one of them; else by the provider's own id of the message, among those to the same address.

        :raises OfAnother:
        :raises NotFound: nothing leads to a message of ours, or not yet
        """
        address = event.payload.get("recipient") or ""
        if ids := self._named[event.pk]:
            known = [self._known[pk] for pk in sorted(ids) if pk in self._known]
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


def _ids_in(event: WebhookEvent) -> set[int]:
    told = f"{event.message_id} {dumps(event.payload)}"
    return {pk for token in set(_TOKEN.findall(told)) if (pk := _id(token))}


def _id(token: str) -> int:
    try:
        return read(token, kind=Kind.MESSAGE, ring=key_ring())
    except BadToken:
        return 0  # of another kind, or something else of forty digits


def _addressed(deliveries: list[Delivery], address: str) -> Delivery:
    if not deliveries:
        raise NotFound("its message is not in the ledger of this installation")
    # Of who was erased, nobody can say which address it was.
    mine = [
        each
        for each in deliveries
        if not address or not each.address or each.key == key_of(address)
    ]
    if not mine:
        raise OfAnother("it tells of an address to which the message did not go")
    return mine[0]


def _called(message_id: str, address: str) -> Delivery | None:
    """Return what a provider calls so; that is the end of its answer when it was handed over."""
    if not address or not message_id:
        return None
    key = key_of(address)
    to_them = Delivery.objects.filter(recipient__key=key, key=key)
    return to_them.filter(diagnostic__endswith=f" {message_id}").order_by("-pk").first()

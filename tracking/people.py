"""Who a signed link was sent to."""

from datetime import datetime

from recipients import locks
from recipients.models import Notice, Recipient
from recipients.privacy import LINK_HOLDS
from tracking.links import key_ring
from tracking.models import Delivery
from tracking.owners import with_owners
from tracking.tokens import BadToken, Hit, Kind, read, read_hit


class Unknown(Exception):
    """The link leads to nobody: it is not ours, or its person was deleted or has another address.

    Whoever reads an address's mailbox may speak for it, and for no address that came later.
    """


class Expired(Exception):
    """The link led to somebody, and holds no longer."""


def delivery_of(token: str) -> Delivery:
    """Return the delivery whose message has this link to unsubscribe, whoever has its address now.

    :raises Unknown:
    """
    return _delivery(_read(token, Kind.UNSUBSCRIBE))


def held(delivery: Delivery) -> Delivery:
    """Return the delivery as it is to the end of this transaction: a merge makes it another's.

    :raises Unknown: it was deleted at this moment.
    """
    locks.write_addresses()
    return _delivery(delivery.pk)


def notice_of(token: str) -> Notice:
    """Return the message whose link asks to confirm.

    :raises Unknown:
    """
    return _notice(_read(token, Kind.CONFIRM))


def asker_of(token: str, *, now: datetime) -> Recipient:
    """Return who asked for a link to all that is known of them.

    :raises Unknown:
    :raises Expired: it was mailed too long ago.
    """
    notice = _notice(_read(token, Kind.PRIVACY))
    if now - notice.created_at > LINK_HOLDS:
        raise Expired
    return notice.recipient


def person_of(token: str) -> Recipient:
    """Return whom a link to the preferences was sent to, in a campaign or in a message of ours.

    :raises Unknown:
    """
    try:
        notice_id = _read(token, Kind.NOTICE_PREFERENCES)
    except Unknown:
        return _addressee(_read(token, Kind.PREFERENCES))
    return _notice(notice_id).recipient


def preferences_delivery_of(token: str) -> Delivery | None:
    """Return the delivery whose message has this link to the preferences, or None: one of ours."""
    try:
        return _delivery(_read(token, Kind.PREFERENCES))
    except Unknown:
        return None


def _read(token: str, kind: Kind) -> int:
    try:
        return read(token, kind=kind, ring=key_ring())
    except BadToken:
        raise Unknown from None


def message_of(token: str) -> tuple[Delivery, Recipient]:
    """Return the message that a link shows in a browser, and whom it was sent to.

    :raises Unknown:
    """
    delivery = _delivery(_read(token, Kind.VIEW))
    return delivery, _person(delivery)


def hit_of(token: str) -> Hit:
    """Return which message, or which run's, a link is in that clicks are counted of.

    :raises Unknown:
    """
    try:
        return read_hit(token, kind=Kind.CLICK, ring=key_ring())
    except BadToken:
        raise Unknown from None


def clicker_of(hit: Hit) -> tuple[Delivery, Recipient]:
    """Return the message in which somebody follows a link, and whom it was sent to.

    :raises Unknown: also where the run is measured anonymously.
    """
    delivery = _delivery(hit.delivery_id)
    if delivery.run_id != hit.run_id:
        raise Unknown
    return delivery, _person(delivery)


def _addressee(delivery_id: int) -> Recipient:
    return _person(_delivery(delivery_id))


def _person(delivery: Delivery) -> Recipient:
    if delivery.recipient is None or delivery.recipient.key != delivery.key:
        raise Unknown
    return delivery.recipient


def _delivery(pk: int) -> Delivery:
    delivery = with_owners([pk]).get(pk)
    if delivery is None:
        raise Unknown
    return delivery


def _notice(pk: int) -> Notice:
    notice = Notice.objects.select_related("recipient", "form").filter(pk=pk).first()
    if notice is None or notice.recipient.key != notice.key:
        raise Unknown
    return notice

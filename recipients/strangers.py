"""People whom something is sent that they caused, whether or not they are on a list."""

from datetime import datetime

from recipients import locks
from recipients.addresses import Address
from recipients.models import Recipient
from recipients.suppression import erased


class Erased(Exception):
    """Somebody with this address asked to be forgotten: nothing is to be stored of them."""


def known(address: Address, *, now: datetime) -> Recipient:
    """Return the recipient with this address, made without any subscription if there is none.

    So no campaign reaches them, and they are exported and erased like all others. In the caller's
    transaction, to whose end nobody is erased.

    :raises Erased:
    """
    locks.write_addresses()
    if erased([address.key]):
        raise Erased(f"{address.addr_spec} asked to be forgotten, and may not be mailed")
    recipients = Recipient.objects.filter(key=address.key)
    if found := recipients.first():
        return found
    new = Recipient(
        address=address.addr_spec,
        key=address.key,
        domain=address.domain,
        needs_smtputf8=address.needs_smtputf8,
        created_at=now,
        updated_at=now,
    )
    Recipient.objects.bulk_create([new], ignore_conflicts=True)
    return recipients.get()

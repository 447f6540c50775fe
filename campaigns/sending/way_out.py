"""The way out of a sender: its own transport, or the installation's; kept open between chunks."""

import threading
from functools import lru_cache

from django.conf import settings

from campaigns import secrets
from campaigns.models import Sender
from campaigns.sending.transports import Transport, open_transport


def transport_of(sender: Sender) -> Transport:
    """Return this thread's transport for the sender, with its connection if it has one.

    :raises Undecipherable: the stored credentials cannot be read.
    :raises BadTransportURL: EMAIL_URL is none.
    """
    return _kept(_url(sender), threading.get_ident())


def _url(sender: Sender) -> str:
    if sender.transport is None:
        return str(settings.EMAIL_URL)
    return secrets.decrypt(sender.transport.encrypted_url)


@lru_cache(maxsize=32)
def _kept(url: str, _thread: int) -> Transport:
    return open_transport(url)

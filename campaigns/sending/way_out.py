"""The way out: a transport of the sender's, or the installation's; kept open between chunks."""

import threading
from functools import lru_cache

from django.conf import settings

from campaigns import secrets
from campaigns.models import Sender
from campaigns.sending.transports import Transport, open_transport


def transport_at(encrypted_url: str) -> Transport:
    """Return this thread's transport for a stored URL, with its connection if it has one.

    An empty one is the installation's own, EMAIL_URL.

    :raises Undecipherable: the stored credentials cannot be read.
    :raises BadTransportURL: EMAIL_URL is none.
    """
    url = secrets.decrypt(encrypted_url) if encrypted_url else str(settings.EMAIL_URL)
    return _kept(url, threading.get_ident())


def transport_of(sender: Sender) -> Transport:
    """Return this thread's transport for the sender: that of its heaviest route.

    :raises Undecipherable: the stored credentials cannot be read.
    :raises BadTransportURL: EMAIL_URL is none.
    """
    route = sender.routes.select_related("transport").order_by("-weight", "pk").first()
    return transport_at(route.transport.encrypted_url if route else "")


@lru_cache(maxsize=32)
def _kept(url: str, _thread: int) -> Transport:
    return open_transport(url)

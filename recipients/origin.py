"""From where somebody speaks: the address of their network, and their browser."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from recipients.consent import Origin

# Some proxies append the port of the connection: 192.0.2.1:4711, [2001:db8::1]:4711.
_WITH_PORT = re.compile(r"\[([^]]*)\](?::\d+)?|([\d.]+):\d+")

# What one household or office has (RFC 6177), and what one customer of a cheap host can change in.
_PREFIX = {4: 24, 6: 48}


def origin_of(request: HttpRequest) -> Origin:
    """Return from where a request comes, as far as that can be known."""
    ip = client_address(request.META)
    agent = request.headers.get("User-Agent", "").replace("\x00", "")
    return Origin(str(ip) if ip else None, agent[:300])


def network_of(origin: Origin) -> str:
    """Return the network of an address, /24 or /48; all that have none are one."""
    if origin.ip is None:
        return "unknown"
    return network(ip_address(origin.ip))


def network(address: IPv4Address | IPv6Address) -> str:
    """Return what is kept of an address: 192.0.2.0/24, 2001:db8::/48."""
    return str(ip_network(f"{address}/{_PREFIX[address.version]}", strict=False))


def client_address(environ: Mapping[str, Any]) -> IPv4Address | IPv6Address | None:
    """Return the address that the proxy saw, or, where there is none before us, the peer's own.

    A client may send an X-Forwarded-For of its own; the proxy appends to it: the last one counts.

    :param environ: of WSGI, or a request's META
    """
    peer = str(environ.get("REMOTE_ADDR", ""))
    forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", "")) if settings.BEHIND_PROXY else ""
    found = _address(forwarded.rpartition(",")[2]) or _address(peer)
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found


def _address(text: str) -> IPv4Address | IPv6Address | None:
    text = text.strip()
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2] or ""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A zone (fe80::1%eth0) is the machine's own name for an interface.
    return IPv6Address(int(address)) if address.version == 6 else address

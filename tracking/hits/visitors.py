"""What a request says of who makes it, and how much of it is kept."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from recipients.origin import client_address, network

LONGEST_AGENT = 300

Network = IPv4Network | IPv6Network


def user_agent(environ: Mapping[str, Any]) -> str:
    """Return what the program calls itself, printable and at most 300 characters."""
    agent = str(environ.get("HTTP_USER_AGENT", ""))[: 4 * LONGEST_AGENT]
    if not (agent.isascii() and agent.isprintable()):
        text = agent.encode("latin-1", "replace").decode("utf-8", "replace")  # PEP 3333
        agent = "".join(char if char.isprintable() else " " for char in text)
    return agent[:LONGEST_AGENT]


class Visitors:
    """What is kept of addresses: nothing, unless the installation wants it."""

    def __init__(self, *, keep_networks: bool, scanners: Sequence[str]) -> None:
        self._keep_networks = keep_networks
        self._scanners: list[Network] = [ip_network(each) for each in scanners]
        self._asks = keep_networks or bool(scanners)

    def place(self, environ: Mapping[str, Any]) -> tuple[str, bool]:
        """Return the network (/24, /48) where it is to be kept, and whether it is a scanner's."""
        address = client_address(environ) if self._asks else None
        if address is None:
            return "", False
        # An address of the one version is in no network of the other.
        is_scanner = any(address in each for each in self._scanners)
        return (network(address) if self._keep_networks else ""), is_scanner

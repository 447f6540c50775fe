"""A DNS server on loopback that answers from a zone, and stays silent where it is told to.

with DNSServer({"example.org TXT": ["v=spf1 -all"]}) as server:
    names = Names(server.resolver())
"""

import socket
import threading
from collections.abc import Iterable, Mapping
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset


class DNSServer:
    def __init__(self, zone: Mapping[str, list[str]], *, silent: Iterable[str] = ()) -> None:
        self.zone = {name.lower(): records for name, records in zone.items()}
        self.silent = {name.lower() for name in silent}
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A datagram of nothing ends it: closing a socket does not wake who reads from it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def resolver(self, *, lifetime: float = 2.0) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self._socket.getsockname()[1]
        resolver.timeout = resolver.lifetime = lifetime
        return resolver

    def _serve(self) -> None:
        while True:
            wire, sender = self._socket.recvfrom(65_535)
            if not wire:
                return
            if answer := self._answer(dns.message.from_wire(wire)):
                self._socket.sendto(answer.to_wire(), sender)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name = question.name.to_text().rstrip(".").lower()
        key = f"{name} {dns.rdatatype.to_text(question.rdtype).lower()}"
        self.asked.append(key)
        if key in self.silent or "*" in self.silent:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if records := self.zone.get(key):
            answer.answer.append(
                dns.rrset.from_text_list(
                    question.name, 60, dns.rdataclass.IN, question.rdtype, records
                )
            )
        elif not any(known.startswith(f"{name} ") for known in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

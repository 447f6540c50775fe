"""Ask the DNS; what cannot be asked is no answer, and is noted."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import dns.exception
import dns.resolver
import dns.reversename

TIMEOUT, LIFETIME = 3.0, 6.0  # seconds: of one server, of one question
_ENOUGH = 3  # questions without an answer, and none with one: there is no DNS here


class Resolver(Protocol):
    """What `dns.resolver.Resolver` does of its many things."""

    def resolve(self, qname: Any, rdtype: str) -> Any: ...


def system_resolver() -> Resolver | None:
    """Return the one that /etc/resolv.conf describes, None where nothing does."""
    try:
        resolver = dns.resolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        return None
    resolver.timeout, resolver.lifetime = TIMEOUT, LIFETIME
    return resolver


@dataclass(slots=True)
class Names:
    """Asks each question once, and remembers the answers."""

    resolver: Resolver | None
    unanswered: list[str] = field(default_factory=list)
    """The questions that no server answered, such as `TXT example.org`."""
    answered: int = 0
    _known: dict[tuple[str, str], list[Any]] = field(default_factory=dict)

    @property
    def knows_the_world(self) -> bool:
        """Whether the root of the DNS is known: closed networks deny every name but their own."""
        return bool(self.ask(".", "NS"))

    def texts(self, name: str) -> list[str]:
        records = self.ask(name, "TXT")
        return [b"".join(record.strings).decode(errors="replace") for record in records]

    def exchangers(self, name: str) -> list[str]:
        """Return the hosts of MX records, the preferred one first; `.` is a null MX (RFC 7505)."""
        records = sorted(self.ask(name, "MX"), key=lambda record: record.preference)
        return [_text(record.exchange) for record in records]

    def addresses(self, name: str) -> list[str]:
        records = [*self.ask(name, "A"), *self.ask(name, "AAAA")]
        return [record.address for record in records]

    def pointers(self, address: str) -> list[str]:
        name = dns.reversename.from_address(address).to_text()
        return [_text(record.target) for record in self.ask(name, "PTR")]

    def has_zone(self, name: str) -> bool:
        """Whether the domain, or one above it, has an SOA record."""
        labels = name.split(".")
        above = (".".join(labels[start:]) for start in range(max(1, len(labels) - 1)))
        return any(self.ask(each, "SOA") for each in above)

    def could_ask(self, name: str, kind: str) -> bool:
        """Whether a question that was asked had an answer, be it that there is no such record."""
        return f"{kind} {name}" not in self.unanswered

    @property
    def _is_hopeless(self) -> bool:
        return not self.answered and len(self.unanswered) >= _ENOUGH

    def ask(self, name: str, kind: str) -> list[Any]:
        """Return the records; none where the name, or such a record of it, does not exist."""
        if (name, kind) not in self._known:
            self._known[name, kind] = self._asked(name, kind)
        return self._known[name, kind]

    def _asked(self, name: str, kind: str) -> list[Any]:
        try:
            if self.resolver is None or self._is_hopeless:
                raise dns.resolver.NoNameservers
            records = list(self.resolver.resolve(name, kind))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            records = []
        except (dns.exception.DNSException, OSError):
            self.unanswered.append(f"{kind} {name}")
            return []
        self.answered += 1
        return records


def _text(name: Any) -> str:
    text = str(name.to_text()).lower()
    return text.rstrip(".") or "."

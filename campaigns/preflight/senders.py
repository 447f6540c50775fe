"""All that is asked about a sender: its DNS, its relays, its unsubscribe button, its last week."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings

from campaigns import secrets
from campaigns.fetching import Fetcher
from campaigns.models import Sender
from campaigns.preflight import authentication, hosts, one_click, reputation
from campaigns.preflight.authentication import Identity
from campaigns.preflight.findings import Finding, Place, Severity
from campaigns.preflight.names import Names, Resolver, system_resolver
from campaigns.preflight.relays import Prober
from campaigns.sending.dkim import Key
from campaigns.sending.session import Relay
from campaigns.sending.signing import NoKey, keys_of
from campaigns.sending.transports import BadTransportURL, relay_of
from recipients.recognising import known
from recipients.translatable import Translatable
from tracking import links
from tracking.tokens import NOBODY


@dataclass(frozen=True, slots=True)
class World:
    """Whom the checks ask; tests have one of their own."""

    resolver: Callable[[], Resolver | None] = system_resolver
    fetcher: Callable[[], Fetcher] = Fetcher
    prober: Callable[[], Prober] = Prober
    spamd: str = field(default_factory=lambda: str(settings.SPAMD))


def check(sender: Sender, world: World, *, now: datetime) -> list[Finding]:
    """Ask about a sender; of one at a reserved domain nothing can be known, and nobody is asked."""
    domain = sender.address.rpartition("@")[2]
    found: list[Finding] = []
    helo: list[str] = []
    if not hosts.is_reserved(domain):
        for name, relay in _relays(sender, found):
            calls_itself, said = world.prober().ask(relay, name=name)
            # Where a provider takes messages in, and where it sends them on, are different hosts.
            helo += [calls_itself] if calls_itself and not relay.user else []
            found += said
        found += one_click.check(links.unsubscribe_url(NOBODY), fetcher=world.fetcher())
    identity = Identity(
        domain=domain,
        envelope_domain=sender.domain,
        dkim_domain=sender.dkim_domain,
        keys=_keys(sender, found),
        egress=settings.EGRESS_ADDRESSES,
        helo=list(dict.fromkeys(helo)),
    )
    found += reputation.check(reputation.record_of(sender, now=now))
    return [*authentication.check(identity, Names(world.resolver())), *found]


def _keys(sender: Sender, found: list[Finding]) -> list[Key]:
    try:
        return keys_of(sender.dkim_domain) if sender.dkim_domain else []
    except NoKey as error:
        said = Translatable(
            "its messages cannot be signed: %(error)s", {"error": known(str(error))}
        )
        remedy = Translatable("Mend what is named.")
        found.append(Finding(Severity.ERROR, "not-composed", said, remedy, Place.SENDER))
        return []


def _relays(sender: Sender, found: list[Finding]) -> Iterator[tuple[Translatable | str, Relay]]:
    """Yield the relays of a sender, with the names of their transports; note what is none."""
    for name, url in _ways(sender):
        try:
            relay = relay_of(secrets.decrypt(url) if url else settings.EMAIL_URL)
        except (secrets.Undecipherable, BadTransportURL) as error:
            said = Translatable(
                "the URL of %(name)s cannot be used: %(error)s",
                {"name": name, "error": known(str(error))},
            )
            remedy = Translatable("Write it again.")
            found.append(Finding(Severity.ERROR, "relay-url", said, remedy, Place.INSTALLATION))
        else:
            if relay:
                yield name, relay


def _ways(sender: Sender) -> list[tuple[Translatable | str, str]]:
    """Return the names and the encrypted URLs of its transports; EMAIL_URL is an empty one."""
    routes = sender.routes.select_related("transport").order_by("pk")
    ways: list[tuple[Translatable | str, str]] = [
        (
            Translatable("transport %(transport)s", {"transport": str(each.transport)}),
            each.transport.encrypted_url,
        )
        for each in routes
    ]
    return ways or [("EMAIL_URL", "")]

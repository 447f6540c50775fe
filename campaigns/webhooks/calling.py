"""Make one call: a POST to an address that was looked at before, of no private network."""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from queue import Empty, LifoQueue
from urllib.parse import urlsplit

from django.conf import settings

from campaigns import fetching
from campaigns.fetching import Fetcher, IPAddress, Pinned, Refused, is_public

DEADLINE = 10.0  # seconds for one call, however slowly its answer drips
_WORDS = 200  # characters of an answer that are kept
_MOST_READ = 16_384  # bytes; with a longer answer its connection ends

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int | None
    """None: there was none."""
    words: str
    """How it began, or why there was none."""

    @property
    def is_success(self) -> bool:
        """By Standard Webhooks, 2yz and no other answer."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """By Standard Webhooks, whoever answers so wants no call any more."""
        return self.status == http.client.GONE


@dataclass(frozen=True, slots=True)
class Ways:
    """By which networks an endpoint may be reached.

    Without TLS only in the networks that the installation names: anybody else on the way would
    read it.
    """

    networks: Sequence[_Network] = ()
    resolve: _Resolve = fetching.resolve

    @classmethod
    def of_installation(cls) -> "Ways":
        return cls(tuple(map(ipaddress.ip_network, settings.WEBHOOK_NETWORKS)))

    def is_ours(self, address: IPAddress) -> bool:
        return any(address in network for network in self.networks)

    def may_ask(self, address: IPAddress) -> bool:
        return is_public(address) or self.is_ours(address)

    def fetcher(self, scheme: str) -> Fetcher:
        is_allowed = self.may_ask if scheme == "https" else self.is_ours
        return Fetcher(is_allowed, self.resolve, _any_port(), DEADLINE, _context())


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


@cache
def _any_port() -> Collection[int]:
    return range(1, 65_536)


@dataclass(slots=True)
class Line:
    """The connections to one URL, kept from call to call; threads share it."""

    url: str
    ways: Ways
    _idle: "LifoQueue[Pinned]" = field(default_factory=LifoQueue)

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Make a call; whatever comes of it is an answer."""
        try:
            return self._post(body, headers)
        except Refused as refusal:
            return Answer(None, str(refusal.why))
        except TimeoutError:
            return Answer(None, f"no answer in {DEADLINE:g} seconds")
        except ssl.SSLCertVerificationError as error:
            return Answer(None, f"its certificate is not valid: {error.verify_message}"[:_WORDS])
        except socket.gaierror:
            return Answer(None, "no such host")
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Answer(None, (str(error) or type(error).__name__)[:_WORDS])

    def close(self) -> None:
        """End the connections that wait for another call."""
        while (kept := self._kept()) is not None:
            kept.close()

    def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        kept = self._kept()
        if kept is not None:
            try:
                return self._asked(kept, body, headers)
            except (http.client.RemoteDisconnected, ConnectionError):
                pass  # it was ended while it waited; a new one tells whether they are there
        scheme = urlsplit(self.url).scheme
        return self._asked(self.ways.fetcher(scheme).connection(urlsplit(self.url)), body, headers)

    def _kept(self) -> Pinned | None:
        try:
            return self._idle.get_nowait()
        except Empty:
            return None

    def _asked(self, connection: Pinned, body: bytes, headers: Mapping[str, str]) -> Answer:
        is_kept = False
        try:
            with connection.within(DEADLINE):
                connection.request("POST", fetching.target(urlsplit(self.url)), body, dict(headers))
                response = connection.getresponse()
                words = response.read(_MOST_READ).decode(errors="replace")
            is_kept = response.isclosed() and not response.will_close
            return Answer(response.status, _legible(words))
        finally:
            if is_kept:
                self._idle.put(connection)
            else:
                connection.close()


def _legible(text: str) -> str:
    """Return the beginning of a text on one line, as PostgreSQL can keep it."""
    return " ".join(text.replace("\0", "").split())[:_WORDS]

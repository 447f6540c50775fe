"""Ask a web server whether an address leads somewhere; never one that is not public.

Templates are written by people who may not reach into the network that the workers stand in: a
name is resolved first, each of its addresses is judged, and the connection is made to one of those
that were judged, so that a name that changes in between leads nowhere else.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from recipients.translatable import Translatable

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_TIMEOUT = 5.0  # seconds: to connect, and for each piece of an answer
_DEADLINE = 10.0  # seconds for one answer, however slowly it drips
_MOST_REDIRECTS = 5
_AGENT = {"User-Agent": "Godwit link check"}
_FORM = {**_AGENT, "Content-Type": "application/x-www-form-urlencoded"}
_WORDS = 200  # bytes of an answer
# Servers that know no HEAD, or answer it in another way than GET.
_NO_HEAD = frozenset({400, 403, 404, 405, 406, 501, 503})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

# Answered by the machine's own host, although it looks public (Azure).
_METADATA = ipaddress.ip_address("168.63.129.16")
_EMBEDDING = ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
# Each holds an IPv4 address that a gateway on the way may connect to: NAT64, 6to4, Teredo.
_GATEWAYS = [ipaddress.ip_network(net) for net in _EMBEDDING]


def is_public(address: IPAddress) -> bool:
    """Whether it is an address of the internet, and none of this network or machine."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        if address.is_site_local or any(address in net for net in _GATEWAYS):
            return False
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not is_special and address != _METADATA


def resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host, as the machine knows them.

    :raises OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a link; `status` is 0 where no server answered."""

    url: str
    status: int
    problem: Translatable | None = None
    is_refused: bool = False
    """It was not asked: it may not be."""
    is_untrusted: bool = False
    """Its certificate is not valid."""
    words: str = ""
    """How the answer to a POST begins."""

    @property
    def is_dead(self) -> bool:
        return self.status in {404, 410} or self.status >= 500 or self.status == 0


def _said(status: int) -> Translatable:
    return Translatable("it answers %(status)s", {"status": str(status)})


class Refused(Exception):
    """The address may not be asked."""

    def __init__(self, why: Translatable) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Asks servers; tests let it ask their own."""

    is_allowed: Callable[[IPAddress], bool] = is_public
    resolve: Callable[[str, int], list[str]] = resolve
    ports: Collection[int] = frozenset({80, 443})
    deadline: float = _DEADLINE
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def ask(self, url: str) -> Answer:
        """Follow a link, five redirects at most; HEAD first, and GET where that is refused."""
        return self._answered(url, lambda: self._follow(url))

    def post(self, url: str, form: bytes) -> Answer:
        """Post a form once; where it redirects to is not asked."""
        return self._answered(url, lambda: self._post(url, form))

    def _answered(self, url: str, asked: Callable[[], Answer]) -> Answer:
        try:
            return asked()
        except Refused as refusal:
            return Answer(url, 0, refusal.why, is_refused=True)
        except ssl.SSLCertVerificationError as error:
            said = Translatable(
                "its certificate is not valid: %(why)s",
                {"why": error.verify_message},
            )
            return Answer(url, 0, said, is_untrusted=True)
        except (TimeoutError, socket.gaierror) as error:
            said = (
                Translatable("it did not answer in time")
                if isinstance(error, TimeoutError)
                else Translatable("no such host")
            )
            return Answer(url, 0, said)
        except (OSError, http.client.HTTPException, ValueError) as error:
            answer = (str(error) or type(error).__name__)[:200]
            return Answer(url, 0, Translatable("it could not be asked: %(why)s", {"why": answer}))

    def _follow(self, url: str) -> Answer:
        current = url
        for _ in range(_MOST_REDIRECTS + 1):
            status, location, _ = self._asked("HEAD", current)
            if status in _NO_HEAD:
                status, location, _ = self._asked("GET", current)
            if status not in _REDIRECTS or not location:
                return Answer(url, status, _said(status) if status >= 400 else None)
            current = urljoin(current, location)
        raise Refused(
            Translatable(
                "it redirects more than %(most)s times",
                {"most": _MOST_REDIRECTS},
            )
        )

    def _post(self, url: str, form: bytes) -> Answer:
        status, _, words = self._asked("POST", url, form)
        return Answer(url, status, _said(status) if status >= 300 else None, words=words)

    def _asked(self, method: str, url: str, form: bytes | None = None) -> tuple[int, str, str]:
        """Return the status, where it redirects to, and how the answer to a form begins."""
        parts = urlsplit(url)
        headers = _AGENT if form is None else _FORM
        with closing(self.connection(parts)) as connection, connection.within(self.deadline):
            connection.request(method, target(parts), form, headers)
            response = connection.getresponse()
            words = "" if form is None else response.read(_WORDS).decode(errors="replace")
            return response.status, response.getheader("Location") or "", words

    def connection(self, parts: SplitResult) -> "Pinned":
        """Return a connection to be, to an address of the host that may be asked.

        :raises Refused: one of its addresses may not.
        :raises OSError: it has none.
        """
        host = (parts.hostname or "").encode("idna").decode() if parts.hostname else ""
        if parts.scheme not in {"http", "https"} or not host:
            raise Refused(Translatable("it leads to no web page"))
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if port not in self.ports:
            raise Refused(Translatable("port %(port)s is not asked", {"port": str(port)}))
        addresses = self.resolve(host, port)
        # All of them: else the second question could be for the other one.
        if not addresses or not all(map(self._may_ask, addresses)):
            raise Refused(Translatable("it leads into a private network, which is not asked"))
        context = self.context if parts.scheme == "https" else None
        return Pinned(host, port, addresses[0], context)

    def _may_ask(self, address: str) -> bool:
        return self.is_allowed(ipaddress.ip_address(address.partition("%")[0]))


class Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever the name of its host means by now."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext | None) -> None:
        super().__init__(host, port, timeout=_TIMEOUT)
        self._address = address
        self._context = context
        self._was_aborted = False
        if context is not None:
            self.default_port = 443

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let an answer take so long, however slowly it drips.

        :raises TimeoutError: it took longer.
        """
        clock = threading.Timer(seconds, self._abort)
        clock.daemon = True
        clock.start()
        try:
            yield
        finally:
            clock.cancel()
            if self._was_aborted:
                raise TimeoutError

    def _abort(self) -> None:
        """End it from another thread."""
        self._was_aborted = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself


def target(parts: SplitResult) -> str:
    """Return what is asked for of a host: the path and what follows it."""
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return f"{path}?{query}" if query else path

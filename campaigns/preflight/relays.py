"""Whether the next hop takes messages over an encrypted connection, and what it calls itself.

Only the relay of a transport is asked, with the transport's own settings; it gets no message.
"""

import ipaddress
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from campaigns.preflight.fetching import IPAddress, is_public
from campaigns.preflight.findings import Finding, Place, Severity
from campaigns.sending.outcomes import Phase
from campaigns.sending.session import HandoverError, Relay, Session

_PATIENCE = 10.0  # seconds for each reply


@dataclass(frozen=True, slots=True)
class Prober:
    """Talks to relays; tests let it trust, and take for the internet, what is theirs."""

    context: ssl.SSLContext | None = None
    is_public: Callable[[IPAddress], bool] = is_public

    def ask(self, relay: Relay, *, name: str) -> tuple[str, list[Finding]]:
        """Begin as sending does, and leave again.

        :param name: of the transport.
        :return: what the relay calls itself, empty where it was not reached; and what is wrong.
        """
        patient = replace(relay, timeout=min(relay.timeout, _PATIENCE))
        session = Session(patient, self.context)
        try:
            session.start()
        except HandoverError as error:
            return "", [_failed(error, name)]
        found = list(self._unencrypted(session, name))
        calls_itself = (session.ehlo_resp or b"").decode(errors="replace").split()[:1]
        session.leave()
        return "".join(calls_itself).lower().rstrip("."), found

    def _unencrypted(self, session: Session, name: str) -> Iterator[Finding]:
        """A relay of this machine needs no encryption, and one of this network is advised to."""
        if session.relay.is_loopback or isinstance(session.wire, ssl.SSLSocket):
            return
        address = ipaddress.ip_address(session.wire.getpeername()[0].partition("%")[0])
        is_far = self.is_public(address)
        why = "offers no STARTTLS"
        remedy = "Switch it on at the relay, or send by another one."
        if session.has_extn("starttls"):
            why = "is asked for none, because its URL says starttls=never"
            remedy = "Take that out of the URL."
        said = f"the relay of {name} {why}: messages go to it as plain text"
        yield _finding(Severity.ERROR if is_far else Severity.ADVICE, "relay-plain", said, remedy)


def _failed(error: HandoverError, name: str) -> Finding:
    said = f"the relay of {name}"
    if error.phase is Phase.TLS:
        remedy = "Give it a certificate of its host's name that is trusted here, or name that host."
        said = f"{said} cannot be reached by TLS: {error.text}"
        return _finding(Severity.ERROR, "relay-tls", said, remedy)
    is_final = error.reply_code is None or error.reply_code >= 500
    if error.phase is Phase.AUTH and is_final:
        remedy = "Write user and password into its URL again."
        return _finding(
            Severity.ERROR, "relay-login", f"{said} lets nobody in: {error.text}", remedy
        )
    remedy = "Nothing fails while it is away: messages wait. See that it runs."
    return _finding(Severity.WARNING, "relay-away", f"{said} does not answer: {error.text}", remedy)


def _finding(severity: Severity, name: str, said: str, remedy: str) -> Finding:
    return Finding(severity, name, said, remedy, Place.INSTALLATION)

"""Whether the next hop takes messages over an encrypted connection, and what it calls itself.

Only the relay of a transport is asked, with the transport's own settings; it gets no message.
"""

import ipaddress
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from campaigns.fetching import IPAddress, is_public
from campaigns.preflight.findings import Finding, Place, Severity
from campaigns.sending.outcomes import Phase
from campaigns.sending.session import HandoverError, Relay, Session
from recipients.translatable import Translatable

_PATIENCE = 10.0  # seconds for each reply


@dataclass(frozen=True, slots=True)
class Prober:
    """Talks to relays; tests let it trust, and take for the internet, what is theirs."""

    context: ssl.SSLContext | None = None
    is_public: Callable[[IPAddress], bool] = is_public

    def ask(self, relay: Relay, *, name: Translatable | str) -> tuple[str, list[Finding]]:
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

    def _unencrypted(self, session: Session, name: Translatable | str) -> Iterator[Finding]:
        """A relay of this machine needs no encryption, and one of this network is advised to."""
        if session.relay.is_loopback or isinstance(session.wire, ssl.SSLSocket):
            return
        address = ipaddress.ip_address(session.wire.getpeername()[0].partition("%")[0])
        is_far = self.is_public(address)
        said = Translatable(
            "the relay of %(name)s offers no STARTTLS: messages go to it as plain text",
            {"name": name},
        )
        remedy = Translatable("Switch it on at the relay, or send by another one.")
        if session.has_extn("starttls"):
            said = Translatable(
                "the relay of %(name)s is asked for none, because its URL says starttls=never:"
                " messages go to it as plain text",
                {"name": name},
            )
            remedy = Translatable("Take that out of the URL.")
        yield _finding(Severity.ERROR if is_far else Severity.ADVICE, "relay-plain", said, remedy)


def _failed(error: HandoverError, name: Translatable | str) -> Finding:
    about = {"name": name, "answer": error.text}
    if error.phase is Phase.TLS:
        remedy = Translatable(
            "Give it a certificate of its host's name that is trusted here, or name that host."
        )
        said = Translatable("the relay of %(name)s cannot be reached by TLS: %(answer)s", about)
        return _finding(Severity.ERROR, "relay-tls", said, remedy)
    is_final = error.reply_code is None or error.reply_code >= 500
    if error.phase is Phase.AUTH and is_final:
        remedy = Translatable("Write user and password into its URL again.")
        said = Translatable("the relay of %(name)s lets nobody in: %(answer)s", about)
        return _finding(Severity.ERROR, "relay-login", said, remedy)
    remedy = Translatable("Nothing fails while it is away: messages wait. See that it runs.")
    said = Translatable("the relay of %(name)s does not answer: %(answer)s", about)
    return _finding(Severity.WARNING, "relay-away", said, remedy)


def _finding(severity: Severity, name: str, said: Translatable, remedy: Translatable) -> Finding:
    return Finding(severity, name, said, remedy, Place.INSTALLATION)

"""Hand messages to any Django email backend, and so to every provider that Anymail knows."""

import smtplib
import socket
import ssl
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from email import message_from_bytes, policy
from email.headerregistry import AddressHeader
from email.message import EmailMessage, Message, MIMEPart
from email.mime.base import MIMEBase
from typing import Any

import requests
import urllib3.exceptions
from anymail.backends.base import AnymailBaseBackend
from anymail.exceptions import (
    AnymailAPIError,
    AnymailInvalidAddress,
    AnymailRecipientsRefused,
    AnymailSerializationError,
    AnymailUnsupportedFeature,
)
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from campaigns.sending.outcomes import (
    Accepted,
    Cause,
    Deferred,
    InDoubt,
    Outcome,
    Phase,
    Rejected,
    Scope,
    SpeaksOf,
    classify,
    enhanced_status_code,
    tidy,
)
from campaigns.sending.outgoing import Outgoing, refusal
from campaigns.sending.source import Source
from recipients.recognising import kept

# Written anew by the backend or its provider; all other headers are passed on.
_OWN_HEADERS = frozenset(
    {"bcc", "cc", "date", "dkim-signature", "from", "mime-version", "reply-to", "subject", "to"}
)

_PHASES: dict[type[smtplib.SMTPResponseException], Phase] = {
    smtplib.SMTPConnectError: Phase.CONNECT,
    smtplib.SMTPHeloError: Phase.EHLO,
    smtplib.SMTPAuthenticationError: Phase.AUTH,
    smtplib.SMTPSenderRefused: Phase.MAIL,
    smtplib.SMTPDataError: Phase.DOT,
}

# These end an attempt before a byte of the message has left.
_NOT_CONNECTED = (
    ConnectionRefusedError,
    socket.gaierror,
    ssl.SSLCertVerificationError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NewConnectionError,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)
# Of these, those that a person has to cure.
_NOT_TRUSTED = (smtplib.SMTPAuthenticationError, ssl.SSLCertVerificationError)
# The same of botocore (Amazon SES), by their names: it takes long to be imported.
_BOTO_NOT_CONNECTED = frozenset(
    {"ConnectTimeoutError", "EndpointConnectionError", "NoCredentialsError"}
)

# HTTP answers that speak of our account, our settings or our rate, not of this message.
_HTTP_OF_TRANSPORT = frozenset({401, 402, 403, 404, 405, 407, 408, 425, 429, 503})
_HTTP_RATE = frozenset({425, 429})
_HTTP_ACCOUNT = frozenset({401, 402, 403, 404, 405, 407})
# Amazon SES gives these with status 400 (API reference of SESv2, SendEmail).
_SES_OF_TRANSPORT = frozenset(
    {
        "AccountSuspendedException",
        "LimitExceededException",
        "MailFromDomainNotVerifiedException",
        "SendingPausedException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_SES_RATE = frozenset(
    {"LimitExceededException", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)


class BackendTransport:
    """A way out by a Django email backend, one message per recipient; for one thread.

    Anymail's HTTP sessions are kept. Other backends are opened and closed for each message: they do
    not tell a kept connection that was stale from a message in doubt.
    """

    def __init__(self, backend: BaseEmailBackend) -> None:
        self._backend = backend
        # What a provider turns out not to take of these is not given to it again.
        self._extras = frozenset({"envelope_sender", "metadata"})

    def __repr__(self) -> str:
        return f"BackendTransport({type(self._backend).__module__})"

    def send(self, message: Outgoing) -> Outcome:
        """Hand over one message to its one recipient."""
        if refused := refusal(message):
            return refused
        try:
            self._backend.open()
        except Exception as error:  # noqa: BLE001 - a backend may raise anything; nothing has left
            return _deferred(error, _cause_of(error))
        try:
            return self._hand_over(message)
        finally:
            if not isinstance(self._backend, AnymailBaseBackend):
                self.close()

    def send_many(self, source: Source, *, connections: int) -> Deferred | None:
        """Hand over all of a source, one after the other; return what stopped it, or None."""
        while found := source.next():
            key, message = found
            if not source.begin(key):
                break
            outcome = self.send(message)
            source.answer(key, outcome)
            if isinstance(outcome, Deferred) and outcome.scope is Scope.TRANSPORT:
                return outcome
        return None

    def close(self) -> None:
        """Close what the backend has open; a later `send` opens it again."""
        with suppress(Exception):  # the outcome stands, whatever closing makes of it
            self._backend.close()

    def _hand_over(self, message: Outgoing) -> Outcome:
        wrapped = self._wrapped(message)
        try:
            count = self._backend.send_messages([wrapped])
        except AnymailUnsupportedFeature as error:  # raised before the request
            refused = {extra for extra in self._extras if f" {extra}" in str(error)}
            if refused:
                self._extras -= refused
                return self._hand_over(message)
            return _rejected(error)
        except Exception as error:  # noqa: BLE001 - a backend may raise anything
            return outcome_of(error)
        return _outcome_of_count(count, wrapped)

    def _wrapped(self, message: Outgoing) -> "BackendMessage":
        if not isinstance(self._backend, AnymailBaseBackend):
            return BackendMessage(message)
        return AnymailMessage(message, extras=self._extras)


class BackendMessage(EmailMultiAlternatives):
    """A finished message in the form of Django's: its parts to read, its bytes as they were.

    Django takes the envelope sender from `from_email` (its ticket 9214).
    """

    def __init__(self, outgoing: Outgoing) -> None:
        data = outgoing.whole
        parsed = message_from_bytes(data, policy=policy.default)
        mailboxes = _mailboxes(parsed, "From")
        super().__init__(
            subject=str(parsed["Subject"] or ""),
            from_email=outgoing.envelope_sender or ", ".join(mailboxes),
            to=[_to(parsed, outgoing.recipient)],
            reply_to=_mailboxes(parsed, "Reply-To"),
            headers=_passed_on(parsed),
        )
        self.extra_headers["From"] = ", ".join(mailboxes)
        self.data = data
        self._take_parts(parsed)

    def message(self) -> Message:  # type: ignore[override]
        verbatim = message_from_bytes(self.data, _class=Verbatim)
        verbatim.data = self.data
        return verbatim

    def _take_parts(self, parsed: EmailMessage) -> None:
        text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
        if text is not None:
            self.body = text.get_content()
        if html is not None and text is not None:
            self.attach_alternative(html.get_content(), "text/html")
        elif html is not None:
            self.body, self.content_subtype = html.get_content(), "html"
        for part in _leaves(parsed):
            if part is not text and part is not html:
                self.attachments.append(_as_attachment(part))


class AnymailMessage(BackendMessage):
    """The same for Anymail, which has a field of its own for the envelope sender.

    In the metadata is what stands before the @ of the Message-ID, which providers replace by one of
    their own: they give it back with all that they tell of the message, and recipients may see it.

    :param extras: which of both the provider takes
    """

    def __init__(self, outgoing: Outgoing, *, extras: Collection[str]) -> None:
        super().__init__(outgoing)
        self.from_email = self.extra_headers.pop("From")
        if "envelope_sender" in extras and outgoing.envelope_sender:
            self.envelope_sender = outgoing.envelope_sender
        token = self.extra_headers.get("Message-ID", "").strip("<>").partition("@")[0]
        if "metadata" in extras and token:
            self.metadata = {"delivery": token}


class Verbatim(Message):
    """A parsed message that is written as it was read: signatures stay valid."""

    data = b""

    def as_bytes(self, unixfrom: bool = False, policy: Any = None, linesep: str = "\n") -> bytes:
        if not self.data:  # a part of it
            return super().as_bytes(unixfrom, policy)
        return self.data.replace(b"\r\n", linesep.encode())


def outcome_of(error: Exception) -> Outcome:
    """Return what an exception of a backend's `send_messages` means for the message.

    What no rule knows is in doubt: the backend may have handed the message over before it failed.
    """
    return next(outcome(error) for kinds, outcome in _OUTCOMES if isinstance(error, kinds))


_NOTHING_SENT = kept("The email backend reports that it sent nothing.")
_NOT_REPORTED = kept("The email backend does not report whether it sent the message.")


def _outcome_of_count(count: int | None, message: BackendMessage) -> Outcome:
    if count == 0:
        return Rejected(diagnostic=_NOTHING_SENT, speaks_of=SpeaksOf.RECIPIENT)
    if count is None:
        return InDoubt(diagnostic=_NOT_REPORTED)
    status = getattr(message, "anymail_status", None)
    if status is None:
        return Accepted()
    diagnostic = tidy(f"{', '.join(sorted(map(str, status.status)))} {status.message_id}")
    if status.status <= {"failed", "invalid", "rejected"}:
        return Rejected(diagnostic=diagnostic, speaks_of=SpeaksOf.RECIPIENT)
    return Accepted(diagnostic=diagnostic)


def _refused_recipients(error: smtplib.SMTPRecipientsRefused) -> Outcome:
    code, text = next(iter(error.recipients.values()))
    return classify(Phase.RCPT, code, _text(text))


def _reply(error: smtplib.SMTPResponseException) -> Outcome:
    phase = _PHASES.get(type(error), Phase.DOT)
    # smtplib raises SMTPDataError for DATA and for the dot: only a refusal is sure to be one.
    is_refusal = str(error.smtp_code)[0] in "45"
    code = error.smtp_code if is_refusal else None
    return classify(phase, code, _text(error.smtp_error))


def _api(error: AnymailAPIError) -> Outcome:
    status, code = _http_status(error)
    if status is None:
        return _os_error(error)
    if status in _HTTP_OF_TRANSPORT or code in _SES_OF_TRANSPORT or 300 <= status < 400:
        return _deferred(error, _cause(status, code))
    if 400 <= status < 500:
        return _rejected(error)
    # A 2yz that Anymail could not read, or a server that failed while it worked on the message.
    return _in_doubt(error)


def _http_status(error: AnymailAPIError) -> tuple[int | None, str]:
    """Return the HTTP status, None where no answer came, and the name of Amazon's exception."""
    if error.status_code is None and isinstance(error.response, dict):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status, error.response.get("Error", {}).get("Code", "")
    return error.status_code, ""


def _not_connected(error: Exception) -> bool:
    return any(
        isinstance(cause, _NOT_CONNECTED) or type(cause).__name__ in _BOTO_NOT_CONNECTED
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it carries: requests and urllib3 put causes into `args`."""
    yield error
    for cause in (error.__cause__, getattr(error, "reason", None), *error.args):
        if isinstance(cause, BaseException):
            yield from _causes(cause)


def _cause(status: int, exception: str) -> Cause:
    if status in _HTTP_RATE or exception in _SES_RATE:
        return Cause.RATE_LIMITED
    if status in _HTTP_ACCOUNT or exception in _SES_OF_TRANSPORT:
        return Cause.AUTHENTICATION
    return Cause.CONNECTION


def _os_error(error: Exception) -> Outcome:
    if not _not_connected(error):
        return _in_doubt(error)
    return _deferred(error, _cause_of(error))


def _cause_of(error: Exception) -> Cause:
    is_ours = any(
        isinstance(one, _NOT_TRUSTED) or type(one).__name__ == "NoCredentialsError"
        for one in _causes(error)
    )
    return Cause.AUTHENTICATION if is_ours else Cause.CONNECTION


def _deferred(error: Exception, cause: Cause) -> Outcome:
    return Deferred(scope=Scope.TRANSPORT, cause=cause, diagnostic=_diagnostic(error))


def _rejected(error: Exception) -> Outcome:
    is_address = isinstance(error, (AnymailRecipientsRefused, AnymailInvalidAddress))
    return Rejected(
        enhanced_status_code=enhanced_status_code(str(error)),
        diagnostic=_diagnostic(error),
        speaks_of=SpeaksOf.RECIPIENT if is_address else SpeaksOf.CONTENT,
    )


def _in_doubt(error: Exception) -> Outcome:
    return InDoubt(diagnostic=_diagnostic(error))


# The first that fits; SMTPException is an OSError, and so are the exceptions of requests.
_OUTCOMES: tuple[
    tuple[type[Exception] | tuple[type[Exception], ...], Callable[[Any], Outcome]], ...
] = (
    (smtplib.SMTPRecipientsRefused, _refused_recipients),
    (smtplib.SMTPResponseException, _reply),
    (smtplib.SMTPNotSupportedError, _rejected),
    (AnymailRecipientsRefused, _rejected),
    ((AnymailInvalidAddress, AnymailSerializationError), _rejected),
    (AnymailAPIError, _api),
    (OSError, _os_error),
    (Exception, _in_doubt),
)


def _diagnostic(error: Exception) -> str:
    return tidy(f"{type(error).__name__}: {error}")


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def _mailboxes(parsed: EmailMessage, name: str) -> list[str]:
    header = parsed[name]
    return [str(mailbox) for mailbox in header.addresses] if header else []


def _to(parsed: EmailMessage, recipient: str) -> str:
    """Return the recipient with the name that the To header gives it."""
    header: AddressHeader | None = parsed["To"]
    named = [box for box in header.addresses if box.addr_spec == recipient] if header else []
    return str(named[0]) if named else recipient


def _passed_on(parsed: EmailMessage) -> dict[str, str]:
    return {
        name: str(value)
        for name, value in parsed.items()
        if name.lower() not in _OWN_HEADERS and not name.lower().startswith("content-")
    }


def _leaves(part: MIMEPart) -> Iterator[MIMEPart]:
    if part.get_content_maintype() != "multipart":
        yield part
        return
    for inner in part.iter_parts():
        yield from _leaves(inner)


def _as_attachment(part: MIMEPart) -> MIMEBase:
    """Return a part in the form that Django's `attachments` takes, headers and encoding kept."""
    attachment = MIMEBase(part.get_content_maintype(), part.get_content_subtype())
    del attachment["Content-Type"], attachment["MIME-Version"]
    for name, value in part.items():
        attachment[name] = str(value)
    attachment.set_payload(part.get_payload())
    return attachment

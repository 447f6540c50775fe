"""The ways out: what a transport is, and how one is opened from its URL."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.sending.backends import BackendTransport
from campaigns.sending.outcomes import Deferred, Outcome, tidy
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.session import Relay, StartTLS
from campaigns.sending.smtp import SMTPTransport
from campaigns.sending.source import Source

__all__ = ["BadTransportURL", "Outgoing", "Transport", "open_transport", "relay_of"]

FORM = gettext_lazy(
    "write smtp://host:port, smtps://user:password@host or backend:path.to.EmailBackend?key=value"
)

_SMTP_OPTIONS = frozenset(
    {
        "connections",
        "dot_timeout",
        "local_hostname",
        "messages_per_connection",
        "starttls",
        "timeout",
    }
)
_SUBMISSION, _SUBMISSIONS, _SMTP = 587, 465, 25

# Bytes of a message, by Anymail's names (the providers' documentation, 2026).
_LARGEST = {
    "amazon_ses": 40_000_000,
    "mailgun": 25_000_000,
    "postmark": 10_000_000,
    "sendgrid": 20_000_000,
}

# Options of backends that are not text; all others are passed on as they are written.
_NUMBERS = frozenset({"port", "timeout"})
_FLAGS = frozenset(
    {
        "debug_api_requests",
        "ignore_recipient_status",
        "ignore_unsupported_features",
        "use_bulk_api",
        "use_ssl",
        "use_tls",
    }
)


class Transport(Protocol):
    """A way out for messages; it may keep connections and belongs to one thread."""

    def send(self, message: Outgoing) -> Outcome: ...

    def send_many(self, source: Source, *, connections: int) -> Deferred | None:
        """Hand over all of a source; return the TRANSPORT-scope deferral that stopped it, or None.

        What was pulled from the source and neither begun nor answered was not handed over.
        """

    def close(self) -> None: ...


class BadTransportURL(ValueError):
    """A transport's URL cannot be used; the text says what to write and holds no secret."""


def open_transport(url: str) -> Transport:
    """Return the transport that a URL describes; it connects at the first message.

    `smtp://[user:password@]host[:port]` and `smtps://…` (implicit TLS) take `timeout`,
    `dot_timeout` (seconds), `local_hostname`, `messages_per_connection`, `connections` and
    `starttls=required|when-offered|never`. `backend:path.to.EmailBackend?option=value` hands the
    options to the backend's constructor. User, password and options are percent-encoded.

    :raises BadTransportURL:
    """
    scheme, _colon, rest = url.strip().partition(":")
    if scheme.lower() in {"smtp", "smtps"}:
        return SMTPTransport(_relay(url.strip()))
    if scheme.lower() == "backend":
        return BackendTransport(_backend(rest))
    raise BadTransportURL(_("This is no transport's URL: %(form)s.") % {"form": FORM})


def relay_of(url: str) -> Relay | None:
    """Return the next hop of a transport's URL, None where the transport does not speak SMTP.

    :raises BadTransportURL:
    """
    is_smtp = url.strip().partition(":")[0].lower() in {"smtp", "smtps"}
    return _relay(url.strip()) if is_smtp else None


def largest_message(url: str) -> int | None:
    """Return how many bytes the provider of a transport's URL takes, where that is known."""
    return next((most for name, most in _LARGEST.items() if f".backends.{name}." in url), None)


# Messages below never repeat the URL, and never name a cause: either may hold a password.


def _relay(url: str) -> Relay:
    parts = _split(url)
    options = _Options(_query(parts.query), _SMTP_OPTIONS)
    user = unquote(parts.username or "")
    is_tls = parts.scheme == "smtps"
    usual_port = _SUBMISSIONS if is_tls else _SUBMISSION if user else _SMTP
    return Relay(
        host=parts.hostname or "",
        port=parts.port or usual_port,
        user=user,
        password=unquote(parts.password or ""),
        implicit_tls=is_tls,
        starttls=options.starttls(),
        timeout=options.seconds("timeout", 300.0),
        dot_timeout=options.seconds("dot_timeout", 600.0),
        local_hostname=options.hostname("local_hostname"),
        messages_per_connection=options.count("messages_per_connection", 1_000),
        connections=options.count("connections", 10),
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _port = parts.port  # raises where it is no number
    except ValueError:
        raise BadTransportURL(
            _(
                "The transport's URL has no readable host and port; in user and password,"
                " percent-encode what is not a letter or a digit ('/' is %2F, '@' is %40)."
            )
        ) from None
    if not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise BadTransportURL(
            _("The transport's URL names no host, or more than a host: %(form)s.") % {"form": FORM}
        )
    return parts


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of an SMTP URL, each read as what it is."""

    values: dict[str, str]
    known: frozenset[str]

    def __post_init__(self) -> None:
        if self.values.keys() - self.known:
            known = ", ".join(sorted(self.known))
            raise BadTransportURL(
                _("An SMTP URL takes these options only: %(known)s.") % {"known": known}
            )

    def seconds(self, name: str, default: float) -> float:
        try:
            seconds = float(self.values.get(name, default))
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= 86_400:
            raise BadTransportURL(
                _("%(name)s must be a number of seconds above 0: write %(name)s=60.")
                % {"name": name}
            )
        return seconds

    def count(self, name: str, default: int) -> int:
        text = self.values.get(name, str(default))
        if not text.isdecimal() or int(text) == 0:
            raise BadTransportURL(
                _("%(name)s must be a whole number above 0: write %(name)s=100.") % {"name": name}
            )
        return int(text)

    def hostname(self, name: str) -> str:
        text = self.values.get(name, "")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise BadTransportURL(
                _("%(name)s must be a host's name: write %(name)s=mail.example.org.")
                % {"name": name}
            )
        return text

    def starttls(self) -> StartTLS:
        try:
            return StartTLS(self.values.get("starttls", StartTLS.WHEN_OFFERED))
        except ValueError:
            raise BadTransportURL(_("Write starttls=required, =when-offered or =never.")) from None


def _backend(rest: str) -> BaseEmailBackend:
    path, _mark, query = rest.partition("?")
    backend_class = _backend_class(path.strip("/"))
    options = {name: _option(name, value) for name, value in _query(query).items()}
    try:
        return backend_class(**options, fail_silently=False)
    except (ImproperlyConfigured, ImportError) as error:
        raise _unusable(path, error) from None
    except (TypeError, ValueError):
        raise BadTransportURL(_("%(path)s does not take these options.") % {"path": path}) from None


def _backend_class(path: str) -> Callable[..., BaseEmailBackend]:
    if not re.fullmatch(r"\w+(\.\w+)+", path):
        raise BadTransportURL(_("This names no email backend: %(form)s.") % {"form": FORM})
    try:
        found = import_string(path)
    except ImproperlyConfigured as error:  # a provider's package is missing: Anymail says which
        raise _unusable(path, error) from None
    except ImportError:
        raise BadTransportURL(
            _(
                "There is no email backend %(path)r: write for example"
                " backend:anymail.backends.postmark.EmailBackend."
            )
            % {"path": path}
        ) from None
    if not (isinstance(found, type) and issubclass(found, BaseEmailBackend)):
        raise BadTransportURL(_("%(path)s is no Django email backend.") % {"path": path})
    return found


def _unusable(path: str, error: Exception) -> BadTransportURL:
    return BadTransportURL(
        _("%(path)s cannot be used: %(error)s.")
        % {"path": path, "error": tidy(str(error)).rstrip(".")}
    )


def _option(name: str, value: str) -> str | int | bool:
    if name in _FLAGS:
        return value.lower() in {"1", "true", "yes", "on"}
    if name not in _NUMBERS:
        return value
    if not re.fullmatch(r"\d{1,5}", value):
        raise BadTransportURL(_("%(name)s must be a whole number.") % {"name": name})
    return int(value)


def _query(query: str) -> dict[str, str]:
    # '+' stands for itself here: keys and passwords may have one.
    return dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True))

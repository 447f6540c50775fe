"""Where bounces are fetched from: URLs of mailboxes, which hold a password."""

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, unquote, urlsplit

FORM = (
    "write imaps://user:password@host:993/Folder, imap+starttls://…, imap://…, pop3s://…,"
    " pop3+starttls://… or pop3://…, percent-encoded, separated by commas"
)
INBOX = "INBOX"


class Security(StrEnum):
    TLS = "tls"  # from the first byte
    STARTTLS = "starttls"  # required
    NONE = "none"


class Protocol(StrEnum):
    IMAP = "imap"
    POP3 = "pop3"


_SCHEMES = {
    "imaps": (Protocol.IMAP, Security.TLS, 993),
    "imap+starttls": (Protocol.IMAP, Security.STARTTLS, 143),
    "imap": (Protocol.IMAP, Security.NONE, 143),
    "pop3s": (Protocol.POP3, Security.TLS, 995),
    "pop3+starttls": (Protocol.POP3, Security.STARTTLS, 110),
    "pop3": (Protocol.POP3, Security.NONE, 110),
}


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox; as text it has no password."""

    scheme: str
    user: str
    password: str = field(repr=False)
    host: str
    port: int
    folder: str = INBOX

    @property
    def protocol(self) -> Protocol:
        return _SCHEMES[self.scheme][0]

    @property
    def security(self) -> Security:
        return _SCHEMES[self.scheme][1]

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        folder = f"/{quote(self.folder)}" if self.protocol == Protocol.IMAP else ""
        return f"{self.scheme}://{quote(self.user)}@{host}:{self.port}{folder}"


def parse_all(value: str) -> tuple[Address, ...]:
    """Read URLs of mailboxes, separated by commas.

    :raises ValueError: one cannot be used; the text holds no secret
    """
    found = [_parse(part.strip()) for part in value.split(",") if part.strip()]
    if len(set(map(str, found))) < len(found):
        raise ValueError("the same mailbox is named twice")
    return tuple(found)


def _parse(text: str) -> Address:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:  # whose text may hold a part of the password
        raise ValueError(FORM) from None
    has_all = url.scheme in _SCHEMES and url.hostname and url.username and url.password
    if not has_all or url.query or url.fragment:
        raise ValueError(FORM)
    protocol, _, usual = _SCHEMES[url.scheme]
    user, password, folder = map(
        unquote, (url.username or "", url.password or "", url.path.strip("/"))
    )
    is_legible = all(part.isprintable() for part in (user, password, folder))
    if not is_legible or (folder and protocol == Protocol.POP3):
        raise ValueError(FORM)
    return Address(url.scheme, user, password, url.hostname or "", port or usual, folder or INBOX)

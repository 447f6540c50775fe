"""Read a mailbox by IMAP (RFC 9051, RFC 3501): fetch, and delete what is stored."""

import imaplib
import re
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Self

from tracking.inbound.mailboxes import Address, Security
from tracking.inbound.sessions import BATCH, BUDGET, LITERAL, TIMEOUT, Fault, few, tls
from tracking.inbound.storing import LIMIT

_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_SHORT = re.compile(rb'BODY\[\](?:<0>)? "((?:[^"\\]|\\.)*)"')
_NOT_ASCII = re.compile(r"[^ -~]+")

Response = list[Any]  # bytes, and pairs of bytes where there was a literal


class _Bounded:
    """What a server sends, up to a limit."""

    _left = BUDGET

    def read(self, size: int) -> bytes:
        if size > LITERAL:
            raise imaplib.IMAP4.abort("a part of a message is larger than it was asked for")
        self._spend(size)
        return bytes(super().read(size))  # type: ignore[misc]

    def readline(self) -> bytes:
        line = bytes(super().readline())  # type: ignore[misc]
        self._spend(len(line))
        return line

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise imaplib.IMAP4.abort("the server sends without end")


class _Plain(_Bounded, imaplib.IMAP4):
    pass


class _TLS(_Bounded, imaplib.IMAP4_SSL):
    pass


class IMAPSession:
    """See `sessions.Session`. What is deleted is expunged, by UID where the server can (RFC 4315).

    Numbers are asked for, not searched: the answer to a search in a full mailbox is one long line.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._fetched: list[int] = []
        self._deleted: set[int] = set()
        self._capabilities: list[bytes] = []
        if address.security == Security.TLS:
            self._client: imaplib.IMAP4 = _TLS(
                address.host, address.port, timeout=TIMEOUT, ssl_context=tls()
            )
        else:
            self._client = _Plain(address.host, address.port, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            with suppress(OSError):  # where TLS was refused, it is closed already
                self._client.shutdown()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if any(error):
            self._client.shutdown()
        else:
            self._client.logout()

    def fetch(self) -> list[bytes]:
        chosen = few(self._sizes())
        if not self._deleted.isdisjoint(chosen):
            raise Fault("the server does not delete what it was asked to delete")
        if not chosen:
            return []
        what = f"(UID BODY.PEEK[]<0.{LIMIT}>)"
        bodies = _bodies(self._ask(self._client.uid("FETCH", _set(chosen), what)))
        if not bodies:
            raise Fault("the server lists messages and does not hand them out")
        # Of those alone: what was not handed out may not be deleted.
        self._fetched = list(bodies)
        return list(bodies.values())

    def delete(self) -> None:
        uids = _set(self._fetched)
        self._ask(self._client.uid("STORE", uids, "+FLAGS.SILENT", r"(\Deleted)"))
        if b"UIDPLUS" in self._capabilities:
            self._ask(self._client.uid("EXPUNGE", uids))
        else:
            self._ask(self._client.expunge())
        self._deleted.update(self._fetched)

    def _open(self) -> None:
        if self._address.security == Security.STARTTLS:
            self._ask(self._client.starttls(tls()))
        user, password = self._address.user, self._address.password
        if "AUTH=PLAIN" in self._client.capabilities:
            secret = f"\0{user}\0{password}".encode()
            self._ask(self._client.authenticate("PLAIN", lambda _: secret))
        else:
            self._ask(self._client.login(_quoted(user), password))
        # After login there may be more of them (RFC 9051 7.2.2).
        self._capabilities = self._ask(self._client.capability())[-1].upper().split()

    def _sizes(self) -> dict[int, int]:
        """Return the sizes of the first messages, by UID."""
        folder = _quoted(_utf7(self._address.folder))
        last = min(int(self._ask(self._client.select(folder))[-1] or 0), BATCH)
        if not last:
            return {}
        answer = self._ask(self._client.fetch(f"1:{last}", "(UID RFC822.SIZE)"))
        lines = [line for line in answer if isinstance(line, bytes)]
        found = ((_UID.search(line), _SIZE.search(line)) for line in lines)
        return {int(uid[1]): int(size[1]) for uid, size in found if uid and size}

    def _ask(self, answer: tuple[str, Any]) -> Response:
        status = answer[0]
        response: Response = answer[1]
        if status != "OK":
            said = b" ".join(line for line in response if isinstance(line, bytes))
            raise Fault(said.decode(errors="replace") or status)
        return response


def _set(uids: Iterable[int]) -> str:
    return ",".join(map(str, uids))


def _bodies(answer: Response) -> dict[int, bytes]:
    """Return the messages of a FETCH by UID, which stands before the literal or behind it."""
    found: dict[int, bytes] = {}
    for at, each in enumerate(answer):
        if isinstance(each, tuple):
            around = [part for part in (each[0], *answer[at + 1 : at + 2]) if type(part) is bytes]
            fields, body = b"".join(around), each[1]
        elif each and (short := _SHORT.search(each)):
            fields, body = each, re.sub(rb"\\(.)", rb"\1", short[1])
        else:
            continue
        if uid := _UID.search(fields):
            found[int(uid[1])] = body
    return found


def _quoted(text: str) -> str:
    """Return a quoted string (RFC 9051 4.3); control characters the URL's reader refuses."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def _utf7(folder: str) -> str:
    """Return a folder's name in modified UTF-7 (RFC 3501 5.1.3)."""

    def shifted(found: re.Match[str]) -> str:
        encoded = b64encode(found[0].encode("utf-16-be")).decode().rstrip("=")
        return f"&{encoded.replace('/', ',')}-"

    return _NOT_ASCII.sub(shifted, folder.replace("&", "&-"))

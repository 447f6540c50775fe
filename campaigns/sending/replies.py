"""A server's replies (RFC 5321 4.2), read from whatever bytes have come."""

import re

_MAX_LINE = 8192
_MAX_LINES = 100
_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
_PLAIN = {b"250 ": 250, b"354 ": 354}  # how nearly all replies begin that are one line


class NoReply(Exception):
    """What came is no reply: then nobody knows where the next one begins."""


class Replies:
    """What one connection has read."""

    def __init__(self) -> None:
        self._rest = b""  # behind the last line that was read
        self._texts: list[bytes] = []  # of a reply whose last line has not come
        self._code = b""

    def feed(self, data: bytes) -> None:
        self._rest += data

    @property
    def unread(self) -> bytes:
        """What came behind the last reply that was returned."""
        return b"\n".join([*self._texts, self._rest]) if self._texts else self._rest

    @property
    def has_line(self) -> bool:
        return b"\n" in self._rest

    def next(self) -> tuple[int, bytes] | None:
        """Return the next whole reply, its lines joined by a line feed; None: more must come.

        RFC 5321 4.2.1: one code in all lines of a reply.

        :raises NoReply: also for what has no end
        """
        while self.has_line:
            line, _, self._rest = self._rest.partition(b"\n")
            code = _PLAIN.get(line[:4])
            if code and not self._texts and len(line) < _MAX_LINE:
                return code, line[4:].strip()
            found = _LINE.fullmatch(line.rstrip(b"\r"))
            is_other = self._texts and found and found[1] != self._code
            if not found or is_other or len(line) > _MAX_LINE or len(self._texts) == _MAX_LINES:
                raise _no_reply(line)
            self._code = found[1]
            self._texts.append((found[3] or b"").strip())
            if found[2] != b"-":
                text = b"\n".join(self._texts)
                self._texts = []
                return int(found[1]), text
        if len(self._rest) > _MAX_LINE:
            raise _no_reply(self._rest)
        return None


def _no_reply(text: bytes) -> NoReply:
    return NoReply(f"No SMTP reply: {text[:200].decode('utf-8', 'replace')}")

"""One message on its way out, and what may stand in its envelope."""

import re
from typing import NamedTuple

from campaigns.sending.outcomes import Rejected, SpeaksOf
from recipients.recognising import kept

# All that could end a command, open or close the path, or confuse a reader of logs; lone
# surrogates cannot be written at all.
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0<>\u2028\u2029\ud800-\udfff]")


class Outgoing(NamedTuple):
    """An envelope and a whole RFC 5322 message with CRLF line ends.

    Domains are A-labels. The data is 7-bit unless an address needs SMTPUTF8 (RFC 6531).
    `is_well_formed` is said by whoever wrote each of its lines: the last one has its end, too, and
    none begins with a dot. Else they are looked through, which takes 24 µs for 8 KB.
    `tail` is the rest of a well-formed message, in memory once for all messages that end alike.
    """

    envelope_sender: str
    recipient: str
    data: bytes
    is_well_formed: bool = False
    tail: bytes = b""

    @property
    def size(self) -> int:
        return len(self.data) + len(self.tail)

    @property
    def whole(self) -> bytes:
        return self.data + self.tail if self.tail else self.data


_BAD_ADDRESS = kept("The address is empty or has a character that no envelope takes.")
_BAD_SENDER = kept("The envelope sender has a character that no envelope takes.")


def refusal(message: Outgoing) -> Rejected | None:
    """Return why this message may not be written to any next hop, or None.

    5.1.7 speaks of the envelope sender, so that our own fault is not held against the recipient.
    """
    if message.recipient and not _UNSAFE.search(message.envelope_sender + message.recipient):
        return None
    if not message.recipient or _UNSAFE.search(message.recipient):
        return Rejected(
            enhanced_status_code="5.1.3",
            diagnostic=_BAD_ADDRESS,
            speaks_of=SpeaksOf.RECIPIENT,
        )
    return Rejected(
        enhanced_status_code="5.1.7",
        diagnostic=_BAD_SENDER,
        speaks_of=SpeaksOf.SENDER,
    )

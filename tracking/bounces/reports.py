"""What a message about a message says, in one form whoever wrote it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tracking.models import Category


class Kind(StrEnum):
    """What a message to an envelope sender is."""

    BOUNCE = "bounce"  # at least one recipient did not get it
    DELAY = "delay"  # a mail system is still trying (RFC 3464 2.3.3 "delayed"); no bounce
    DELIVERED = "delivered"  # it arrived, or went on to a system that tells no more
    COMPLAINT = "complaint"  # RFC 5965: a recipient calls it spam
    OPT_OUT = "opt_out"  # RFC 6650 3.3: a recipient wants no more
    FEEDBACK = "feedback"  # RFC 5965 and 6591 reports that are no complaint: auth-failure, not-spam
    AUTO_REPLY = "auto_reply"  # RFC 3834: on holiday; and "prove that you are human"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """What is said about one recipient.

    :param address: to which it was handed over last; empty where it is not told, or hidden
    :param original: to which it was sent, where that is told as well (RFC 3464 2.3.1)
    :param action: failed, delayed, delivered, relayed or expanded (RFC 3464 2.3.3)
    :param status: enhanced status code, that of the answer rather than that of the report
    :param diagnostic: remote text, at most 2,000 characters
    :param is_hard: a strict code says that the address takes no mail
    """

    address: str = ""
    original: str = ""
    action: str = "failed"
    reply_code: int | None = None
    status: str = ""
    diagnostic: str = ""
    category: Category = Category.UNKNOWN
    is_hard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A message about a message.

    :param tokens: what looks like a token of ours, in lower case: that of the address to which the
        report came first, then those of the message that came back; none of them is verified
    :param message_ids: of the message that came back, with their angle brackets
    :param feedback_type: RFC 5965 3.1, in lower case
    :param date: when the report says that it was written
    :param identity: the same for each copy of it, by whatever way it came: its Message-ID, or a
        digest of what follows its header, to which each mail system on the way adds lines
    """

    kind: Kind
    recipients: tuple[Recipient, ...] = ()
    tokens: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    feedback_type: str = ""
    date: datetime | None = None
    identity: str = ""

    @property
    def failed(self) -> tuple[Recipient, ...]:
        """The recipients whom it did not reach."""
        return tuple(each for each in self.recipients if each.action == "failed")

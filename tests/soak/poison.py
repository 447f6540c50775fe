"""Loaded by a worker (`-I`): to compose the message of POISONED_ADDRESS ends the process at once.

Never imported by a test: it would end that. It stands for what no code of ours can stop: a fault in
a library of C, or a kernel that has no memory left.
"""

import os
import signal
from datetime import datetime

from campaigns.sending.claim import Claimed
from campaigns.sending.mailing import Mailing
from campaigns.sending.outgoing import Outgoing

ADDRESS = os.environ["POISONED_ADDRESS"]

_compose = Mailing.message


def _deadly(self: Mailing, delivery: Claimed, *, now: datetime) -> tuple[Outgoing, str]:
    if delivery.address == ADDRESS:
        os.kill(os.getpid(), signal.SIGKILL)
    return _compose(self, delivery, now=now)


Mailing.message = _deadly  # type: ignore[method-assign]

"""Messages of ours to one person: who is to get one. What sends them is above us, and is woken."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from recipients.models import Notice, NoticeKind, Recipient, SignupForm
from recipients.recognising import kept

_CAME_BACK = kept("came back: %(answer)s")

# Called when one may have been written, after the commit; `campaigns.apps` puts its task here.
wakers: list[Callable[[], None]] = []


def write(
    kind: NoticeKind, *, recipient: Recipient, form: SignupForm | None = None, now: datetime
) -> None:
    """Have a message sent to a recipient, unless one of this kind is on its way already."""
    notice = Notice(
        kind=kind,
        recipient=recipient,
        key=recipient.key,
        form=form,
        created_at=now,
        next_attempt_at=now,
        attempts=0,
        diagnostic="",
    )
    Notice.objects.bulk_create([notice], ignore_conflicts=True)


def wake() -> None:
    """Wake who sends, once this is committed; where that fails, Beat's sweep finds the message."""
    for waker in wakers:
        transaction.on_commit(waker, robust=True)


def came_back(notice: Notice, *, why: str) -> None:
    """Note that a message that was sent did not arrive.

    :param why: remote text, cut after 500 characters
    """
    text = (_CAME_BACK % {"answer": why}).replace("\0", "")[:500]
    Notice.objects.filter(pk=notice.pk).update(diagnostic=text)

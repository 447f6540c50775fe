"""Who shows keys or tokens that are not known, again and again, is not looked at for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.http import HttpRequest

from config.api import limits
from recipients.api.refusals import Problem
from recipients.origin import client_address


@contextmanager
def counted(request: HttpRequest, shown: str, *, now: datetime) -> Iterator[None]:
    """Count it where what is shown is found to be nobody's in here.

    :raises Problem: it was shown too often, or too many were; nothing is looked at.
    """
    address, at = str(client_address(request.META) or ""), now.timestamp()
    if seconds := limits.wait_of(address, shown=shown, at=at):
        detail = "Too many keys or tokens that are not known. Wait a minute."
        raise Problem(429, detail, headers={"Retry-After": str(seconds)})
    try:
        yield
    except Problem as problem:
        if shown and problem.status == 401:
            limits.fail(address, shown=shown, at=at)
        raise

"""One process of the bare loop: `python -m config.benchmark.bare_process RUN PART PARTS`.

It says `ready`, begins at the first line that it gets, says when it has ended, and stays until its
standard input is closed, so that what it has used can still be read.
"""

import sys
from collections.abc import Iterator
from itertools import islice

import django

django.setup()

from django.db import connection  # noqa: E402  (after the setup, as for all that has models)

from campaigns.models import Page  # noqa: E402
from campaigns.sending.chunk import utc_now  # noqa: E402
from campaigns.sending.deliver import deliver  # noqa: E402
from campaigns.sending.pages import LARGEST_CHUNK  # noqa: E402


def chunks(run_id: int) -> Iterator[list[int]]:
    """Return the ids of a run's deliveries, page by page; what is not queued is left out later."""
    pages = Page.objects.filter(run_id=run_id).order_by("number")
    for first, last in pages.values_list("first_delivery", "last_delivery"):
        for start in range(first, last + 1, LARGEST_CHUNK):
            yield list(range(start, min(start + LARGEST_CHUNK, last + 1)))


def main(run_id: int, part: int, parts: int) -> None:
    connection.ensure_connection()
    print("ready", flush=True)
    sys.stdin.readline()
    for ids in islice(chunks(run_id), part, None, parts):
        deliver(run_id, ids, clock=utc_now)
    print("done", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

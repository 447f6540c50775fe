"""Runs that are measured, what comes back for them, and all that is counted."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from campaigns.models import Run
from recipients.models import Tracking
from tests.factories import (
    HTML,
    make_campaign,
    make_list,
    make_recipient,
    make_run,
    make_template,
)
from tracking import feedback, recounting
from tracking.feedback import Fact
from tracking.hits.stream import Arrival, Entry, hit_id
from tracking.models import (
    Delivery,
    DeliveryState,
    DomainTally,
    Engagement,
    EventKind,
    EventSource,
    HourTally,
    LinkTally,
    ReasonTally,
    Response,
    RunCounters,
    RunTally,
)

SENT = datetime(2026, 11, 2, 8, 59, 50, tzinfo=UTC)
BOT = "curl/8.5.0"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NOW = SENT + timedelta(days=1)
TABLES: list[Any] = [
    RunTally, DomainTally, HourTally, LinkTally, ReasonTally, Response, Engagement,
]  # fmt: skip
KEYS = {"delivery_id", "recipient_id", "domain", "hour", "number", "kind", "reason"}

_ids = count(1)


def make_measured_run(
    *names: str, mode: Tracking = Tracking.FULL, links: int = 4, name: str = "Spring"
) -> Run:
    """Make a run that was sent to these at SENT: ada@ada.example and so on."""
    readers = make_list(f"Readers of {name}")
    for each in names or ("ada",):
        make_recipient(f"{each}@{each}.example", lists=[readers])
    html = HTML + "".join(f"<a href='https://example.org/{n}'>{n}</a>" for n in range(links))
    campaign = make_campaign(name, lists=[readers], template=make_template(name, html=html))
    campaign.tracking = mode
    campaign.save()
    run = make_run(campaign, now=SENT)
    sent = Delivery.objects.of_run(run.pk)
    count = sent.update(state=DeliveryState.SENT, attempted_at=SENT, finished_at=SENT)
    RunCounters.objects.filter(run=run).update(queued=0, sent=count, moved_at=SENT)
    return run


def delivery_to(name: str, run: Run) -> Delivery:
    return Delivery.objects.of_run(run.pk).get(key=f"{name}@{name}.example")


def arrival(
    run: Run,
    who: Delivery | None,
    number: int | None = None,
    *,
    after: float = 3_600,
    agent: str = BROWSER,
    is_head: bool = False,
    from_scanner: bool = False,
) -> Arrival:
    """Make a hit so many seconds after its message was sent: of the pixel, or of a link."""
    return Arrival(
        run_id=run.pk,
        delivery_id=who.pk if who else 0,
        number=number,
        at_ms=round((SENT + timedelta(seconds=after)).timestamp() * 1000),
        is_head=is_head,
        user_agent=agent,
        from_scanner=from_scanner,
    )


def entry(*arrivals: Arrival) -> Entry:
    """Make an entry of the stream, as reading returns it."""
    entry_id = f"{1_700_000_000_000 + next(_ids)}-0"
    return Entry(entry_id, {hit_id(entry_id, n): hit for n, hit in enumerate(arrivals)})


def entries(arrivals: Sequence[Arrival], size: int = 1) -> list[Entry]:
    return [entry(*arrivals[at : at + size]) for at in range(0, len(arrivals), size)]


def say(delivery: Delivery, kind: EventKind, key: str, *, hour: float = 1, **rest: Any) -> None:
    """Note something about a message, so many hours after it was sent."""
    at = SENT + timedelta(hours=hour)
    feedback.note(
        delivery, Fact(kind=kind, source=EventSource.MAIL, source_key=key, at=at, **rest), now=NOW
    )


def sums() -> list[Any]:
    """Return all sums that are not nothing; a row of nothing is as good as none."""
    return [sorted(filter(None, map(_shown, table.objects.values()))) for table in TABLES]


def _shown(row: dict[str, Any]) -> str:
    told = {name: value for name, value in row.items() if value and name not in {"id", "run_id"}}
    return str(told) if set(told) - KEYS else ""


def wrong(run: Run) -> list[str]:
    """Return what verification says."""
    return [str(one) for one in recounting.differences(run.pk, now=NOW)]

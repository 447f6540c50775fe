"""All messages to one recipient, and what became of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils.translation import gettext as _

from tracking.models import (
    Category,
    Delivery,
    DeliveryEvent,
    DeliveryQuerySet,
    EventKind,
    Hit,
    Link,
    Response,
    Verdict,
)

SHOWN = 50
HITS_SHOWN = 20  # of a message, the first; one that a machine opens all day has many more

Links = Mapping[tuple[int, int | None], str]
"""What links are called, by version and number."""


@dataclass(frozen=True, slots=True)
class Happened:
    at: datetime
    what: str
    detail: str = ""
    is_machine: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """One message, the newest first, with what came back for it, the oldest first."""

    delivery: Delivery
    happened: Sequence[Happened]
    opens: int = 0
    """Where not all hits are shown: how many there were. Those of old runs are not kept."""
    clicks: int = 0


def history(rows: DeliveryQuerySet, *, before: int = 0) -> tuple[list[Sent], bool]:
    """Return a page of a recipient's messages, and whether there are older ones.

    :param rows: what was meant for this recipient, as far as it may be shown.
    :param before: messages below this id of a delivery; 0: the newest.
    """
    rows = rows.select_related("run__campaign", "response")
    if before:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: SHOWN + 1])
    shown = found[:SHOWN]
    ids = [row.pk for row in shown]
    events: defaultdict[int, list[DeliveryEvent]] = defaultdict(list)
    for event in DeliveryEvent.objects.filter(delivery__in=ids):
        events[event.delivery_id].append(event)
    hits: defaultdict[int | None, list[Hit]] = defaultdict(list)
    for hit in _first_hits(ids):
        hits[hit.delivery_id].append(hit)
    links = _links(shown)
    sent = [_sent(row, events[row.pk], hits[row.pk], links) for row in shown]
    return sent, len(found) > SHOWN


def _first_hits(deliveries: Sequence[int]) -> "QuerySet[Hit]":
    place = Window(RowNumber(), partition_by="delivery_id", order_by="id")
    hits = Hit.objects.counted().filter(delivery__in=deliveries)
    return hits.annotate(place=place).filter(place__lte=HITS_SHOWN).order_by("pk")


def _links(rows: Sequence[Delivery]) -> Links:
    links = Link.objects.filter(version__in={row.run.version_id for row in rows})
    return {(link.version_id, link.number): str(link) for link in links}


def _sent(
    row: Delivery, events: Sequence[DeliveryEvent], hits: Sequence[Hit], links: Links
) -> Sent:
    version, response = row.run.version_id, getattr(row, "response", None) or Response()
    happened = [
        *(_of_event(event, row) for event in events),
        *(_of_hit(hit, links.get((version, hit.link_number), "")) for hit in hits),
    ]
    happened.sort(key=lambda one: one.at)
    if len(hits) == response.opens + response.clicks:
        return Sent(row, happened)
    return Sent(row, happened, response.opens, response.clicks)


def _of_event(event: DeliveryEvent, row: Delivery) -> Happened:
    what = str(event.get_kind_display())
    if event.category:
        what += f", {Category(event.category).label}"
    # What the next hop answered stands in the ledger alone.
    said = row.said if event.kind == EventKind.FAILED else event.diagnostic
    return Happened(event.at, what, said)


def _of_hit(hit: Hit, target: str) -> Happened:
    is_machine = hit.verdict == Verdict.MACHINE
    if hit.link_number is None:
        return Happened(hit.at, _("Opened"), is_machine=is_machine)
    return Happened(hit.at, _("Clicked"), target, is_machine=is_machine)

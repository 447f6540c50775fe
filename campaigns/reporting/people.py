"""Who did what with the messages of a run: pages by key, so that the last one is as fast."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import QuerySet
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from recipients.addresses import parse_address
from tracking.models import (
    Category,
    Delivery,
    DeliveryEvent,
    DeliveryState,
    DepartureReason,
    EventKind,
    Hit,
    Response,
    Verdict,
)

SHOWN = 50
_SLICE = 2_000  # of an export


class Did(models.TextChoices):
    OPENED = "opened", _("opened it")
    CLICKED = "clicked", _("clicked a link")
    MACHINES = "machines", _("were reached by machines alone")
    UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
    COMPLAINED = "complained", _("complained")
    BOUNCED = "bounced", _("bounced")
    FAILED = "failed", _("got nothing: it failed at hand-over")


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of one recipient of a run."""

    delivery: int
    recipient: int | None
    address: str
    state: str
    opened_at: datetime | None = None
    """By a person, as far as that can be told."""
    clicked_at: datetime | None = None
    is_machine: bool = False
    """There were hits, and none of a person."""
    bounced_at: datetime | None = None
    is_hard: bool = False
    unsubscribed_at: datetime | None = None
    complained_at: datetime | None = None
    reasons: str = ""
    """Why it was refused, came back, or why they left; in words."""

    @property
    def state_label(self) -> str:
        return str(DeliveryState(self.state).label)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page of recipients is asked for."""

    did: Did = Did.OPENED
    link: int | None = None
    """With `clicked`: the number of the link."""
    after: int = 0
    """Deliveries above this id, in their order …"""
    before: int = 0
    """… or, where it is not 0, those below this one, next to it."""


@dataclass(frozen=True, slots=True)
class PeoplePage:
    people: Sequence[Person]
    has_previous: bool = False
    has_next: bool = False


def people(run_id: int, asked: Asked) -> PeoplePage:
    """Return a page of the recipients who did this, in the order of their deliveries."""
    found = _ids(run_id, asked, SHOWN + 1)
    more = len(found) > SHOWN
    found = found[:SHOWN]
    if asked.before:
        return PeoplePage(_people(found[::-1]), has_previous=more, has_next=True)
    return PeoplePage(_people(found), has_previous=asked.after > 0, has_next=more)


def everybody(run_id: int, asked: Asked) -> Iterator[Person]:
    """Yield all recipients who did this; some thousand are in memory at a time."""
    after = 0
    while found := _ids(run_id, Asked(asked.did, asked.link, after), _SLICE):
        with override("en"):
            of_file = _people(found)
        yield from of_file
        after = found[-1]


def person(run_id: int, address: str) -> Person | None:
    """Return the recipient of a run who has this address, whatever they did.

    :raises BadAddress: it is none.
    """
    key, rows = parse_address(address).key, Delivery.objects.of_run(run_id)
    # Of who was left out an index knows the recipient, and not the address.
    ways = rows.filter(key=key, skip_reason=""), rows.filter(recipient__key=key)
    found = (way.values_list("pk", flat=True).first() for way in ways)
    return next(iter(_people([pk for pk in found if pk][:1])), None)


def _ids(run_id: int, asked: Asked, count: int) -> list[int]:
    """Return deliveries by the index that has those who did this (Response.Meta says which)."""
    rows = _rows(run_id, asked)
    if asked.before:
        rows = rows.filter(delivery__lt=asked.before).order_by("-delivery_id")
    else:
        rows = rows.filter(delivery__gt=asked.after).order_by("delivery_id")
    return list(rows.values_list("delivery_id", flat=True)[:count])


def _rows(run_id: int, asked: Asked) -> "QuerySet[Any]":
    if asked.did == Did.CLICKED and asked.link is not None:
        clicks = Hit.objects.of_run(run_id).counted().filter(link_number=asked.link)
        return clicks.filter(verdict=Verdict.PERSON, delivery__isnull=False).distinct()
    return Response.objects.that(asked.did).filter(run=run_id)


def _people(ids: Sequence[int]) -> list[Person]:
    """Return what is known of these deliveries, in this order, in two queries."""
    rows = Delivery.objects.filter(pk__in=ids).select_related("response", "departure")
    by_id = {row.pk: row for row in rows}
    reasons = _reasons(by_id)
    return [_person(by_id[pk], reasons.get(pk, [])) for pk in ids if pk in by_id]


def _person(row: Delivery, reasons: list[str]) -> Person:
    response = getattr(row, "response", None) or Response()
    clicked, opened = response.clicked_by_person_at, response.opened_by_person_at
    departure = getattr(row, "departure", None)
    if departure and departure.reason:
        reasons = [*reasons, str(DepartureReason(departure.reason).label)]
    return Person(
        row.pk,
        row.recipient_id,
        row.address,
        row.state,
        opened_at=min(filter(None, (opened, clicked)), default=None),
        clicked_at=clicked,
        is_machine=bool(response.opens or response.clicks) and not (opened or clicked),
        bounced_at=response.bounced_at,
        is_hard=response.is_hard,
        unsubscribed_at=response.unsubscribed_at,
        complained_at=response.complained_at,
        reasons="; ".join(reasons),
    )


def _reasons(rows: Mapping[int, Delivery]) -> Mapping[int, list[str]]:
    events = DeliveryEvent.objects.filter(
        delivery__in=rows, kind__in=(EventKind.FAILED, EventKind.BOUNCED)
    )
    found: dict[int, list[str]] = {}
    told = events.order_by("pk").values_list("delivery", "kind", "category", "diagnostic")
    for delivery, kind, category, said in told:
        label = str(Category(category).label) if category else gettext("reason not told")
        # What the next hop answered stands in the ledger alone.
        diagnostic = rows[delivery].said if kind == EventKind.FAILED else said
        found.setdefault(delivery, []).append(f"{label}: {diagnostic}" if diagnostic else label)
    return found

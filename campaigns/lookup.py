"""Looking something up in the ledger: by an address, a Message-ID, a domain or a run.

No index has states or domains: it would be written at each message. So whoever asks for these is
shown what a part of the rows has, and may have the next part looked through.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _

from recipients.addresses import BadAddress, parse_address
from recipients.models import Merge, Recipient
from recipients.paging import SIZE, KeyPage, key_of, key_page
from tracking.links import key_ring
from tracking.models import Delivery, DeliveryQuerySet, DeliveryState, Response
from tracking.tokens import Kind, read_any

LOOKED_AT = 20_000  # rows for one page
_TOKEN = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{40}(?![0-9A-Za-z])")
_RUN = re.compile(r"(?:run\s*)?#?\s*(\d{1,9})", re.IGNORECASE)
_DOMAIN = re.compile(r"@?((?:[\w-]+\.)+[\w-]{2,})")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the box, and the lists beside it, say."""

    text: str = ""
    run: int | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    page: KeyPage[Delivery]
    is_partial: bool = False
    """Only so many rows were looked through."""
    problem: str = ""
    """Why nothing was looked for."""


def look_up(asked: Asked, rows: DeliveryQuerySet, where: Mapping[str, str]) -> Found:
    """Return a page of what was asked for, the newest first.

    :param rows: what may be shown.
    :param where: `older` or `newer`, as in recipients.paging.
    """
    text = asked.text.strip()
    if token := _TOKEN.search(text):
        return _by_token(token[0], rows, asked)
    if (run := _RUN.fullmatch(text)) and asked.run in (None, int(run[1])):
        return _of_run(int(run[1]), Q(), asked.state, rows, where)
    if domain := _DOMAIN.fullmatch(text):
        return _all(asked, Q(domain=domain[1].lower()), rows, where)
    if text:
        return _by_address(text, asked, rows, where)
    return _all(asked, Q(), rows, where)


def _all(asked: Asked, matches: Q, rows: DeliveryQuerySet, where: Mapping[str, str]) -> Found:
    if asked.run is not None:
        return _of_run(asked.run, matches, asked.state, rows, where)
    if not (matches or asked.state):
        return Found(key_page(rows, where))
    return _walk("pk", rows, _and_state(matches, asked.state), where)


def _by_token(token: str, rows: DeliveryQuerySet, asked: Asked) -> Found:
    """Find the one message that a Message-ID, or an envelope sender, names."""
    named = read_any(token, kinds=[Kind.MESSAGE, Kind.BOUNCE], ring=key_ring())
    if named is None:
        return _problem(_("This Message-ID was not made by this installation, or was mistyped."))
    rows = rows.filter(_and_state(Q(), asked.state), pk=named[1])
    return Found(key_page(rows if asked.run is None else rows.of_run(asked.run), {}))


def _by_address(text: str, asked: Asked, rows: DeliveryQuerySet, where: Mapping[str, str]) -> Found:
    """Find what was meant for who has this address, or had it before a merge."""
    try:
        key = parse_address(text).key
    except BadAddress:
        return _problem(_("This is no address, Message-ID, domain or number of a run."))
    of_them = rows.filter(_and_state(Q(), asked.state), recipient__in=_known_as(key))
    return Found(key_page(of_them if asked.run is None else of_them.of_run(asked.run), where))


def _known_as(key: str) -> list[int]:
    """Return who has an address, and who took over from somebody that had it."""
    having = Recipient.objects.filter(key=key).values_list("pk", flat=True)
    merged = Merge.objects.filter(former_key=key).values_list("recipient", flat=True)
    return [*having, *merged]


def _of_run(
    run_id: int, matches: Q, state: str, rows: DeliveryQuerySet, where: Mapping[str, str]
) -> Found:
    of_run = rows.of_run(run_id)
    few = {
        DeliveryState.UNCONFIRMED: Q(doubted_at__isnull=False),
        DeliveryState.RETRY: Q(next_attempt_at__isnull=False),
    }
    if state in few:  # an index has these, however large the run
        found = of_run.filter(few[DeliveryState(state)], _and_state(matches, state))
        return Found(key_page(found, where))
    if state == DeliveryState.FAILED and not matches:
        return _failed(run_id, of_run, where)
    return _walk("recipient", of_run, _and_state(matches, state), where)


def _failed(run_id: int, of_run: DeliveryQuerySet, where: Mapping[str, str]) -> Found:
    """Return those whose failure is counted, as it is some seconds after it happened."""
    page = key_page(Response.objects.that("failed").filter(run=run_id), where)
    shown = of_run.in_bulk([each.pk for each in page.rows])
    rows = [shown[each.pk] for each in page.rows if each.pk in shown]
    return Found(KeyPage(rows, page.newer, page.older))


def _and_state(matches: Q, state: str) -> Q:
    return matches & Q(state=state) if state else matches


def _walk(key: str, rows: DeliveryQuerySet, matches: Q, where: Mapping[str, str]) -> Found:
    """Return a page of the rows that match, in the order of an index that has this key."""
    name = "pk" if key == "pk" else f"{key}_id"
    newer, older = key_of(where.get("newer", "")), key_of(where.get("older", ""))
    goes_back = newer is not None
    if goes_back:
        scope, order = rows.filter(**{f"{name}__gt": newer}), name
    else:
        scope, order = rows.filter(**{f"{name}__isnull": False}), f"-{name}"
        scope = scope.filter(**{f"{name}__lt": older}) if older is not None else scope
    end = None
    if matches:
        end = next(iter(scope.order_by(order).values_list(name, flat=True)[LOOKED_AT:][:1]), None)
        if end is not None:
            scope = scope.filter(**{f"{name}__{'lt' if goes_back else 'gt'}": end})
    found = list(scope.filter(matches).order_by(order)[: SIZE + 1])
    shown = found[:SIZE]
    # What the next page begins after.
    last = getattr(shown[-1], name) if len(found) > SIZE else None
    if last is None and end is not None:
        last = end - 1 if goes_back else end + 1
    is_partial = end is not None and len(found) <= SIZE
    if goes_back:
        shown = shown[::-1]
        back = getattr(shown[-1], name) if shown else newer
        return Found(KeyPage(shown, newer=last, older=back), is_partial)
    front = (getattr(shown[0], name) if shown else older) if older is not None else None
    return Found(KeyPage(shown, newer=front, older=last), is_partial)


def _problem(text: str) -> Found:
    return Found(KeyPage([], None, None), problem=text)

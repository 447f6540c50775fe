"""People leave and are suppressed while a run goes out (I3)."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from campaigns.sending.chunk import LOOK_AGAIN
from campaigns.sending.deliver import deliver
from recipients.models import (
    MailingList,
    Recipient,
    Subscription,
    SubscriptionState,
    SuppressionReason,
)
from recipients.services import unsubscribe
from recipients.suppression import suppress
from tests.factories import make_campaign, make_list, make_run, make_segment
from tests.live import wait_until
from tests.smtp_server import Act, ScriptedSMTP, hold
from tracking.models import Delivery
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS, ROUNDS, CHUNK = 3, 5, 50
RECIPIENTS, DOMAINS, SHUT = 600, 40, 10
BETWEEN = 60  # messages from one round to the next


class Door:
    """A next hop that can be shut: then each connection waits with its message handed over."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.waiting = 0
        self._open: threading.Event | None = None

    def decide(self, phase: str, recipient: str) -> Act | None:
        if phase != "dot":
            return None
        self.seen.add(recipient)
        if self._open is None:
            return None
        self.waiting += 1
        return hold("dot", self._open)

    def shut(self) -> None:
        self.waiting, self._open = 0, threading.Event()

    def open(self) -> None:
        event, self._open = self._open, None
        if event:
            event.set()


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return timezone.now() + self.ahead


def in_a_connection_of_its_own(act: Callable[[], object]) -> None:
    try:
        act()
    finally:
        connection.close()


def make_audience(readers: MailingList) -> None:
    """Make people of several domains: every other one on the list, the others elsewhere."""
    people = Recipient.objects.bulk_create(
        Recipient(address=address, key=address, domain=address.partition("@")[2])
        for address in (f"r{n}@d{n % DOMAINS}.example" for n in range(RECIPIENTS))
    )
    lists = (readers, make_list("Other"))
    Subscription.objects.bulk_create(
        Subscription(
            recipient=one, mailing_list=lists[n // 2 % 2], state=SubscriptionState.CONFIRMED
        )
        for n, one in enumerate(people)
    )


def shut_domain(one: Recipient) -> list[str]:
    suppress(one.domain, reason=SuppressionReason.MANUAL, source="test", now=timezone.now())
    return list(Recipient.objects.filter(domain=one.domain).values_list("key", flat=True))


def suppress_address(one: Recipient) -> list[str]:
    suppress(one.key, reason=SuppressionReason.COMPLAINT, source="test", now=timezone.now())
    return [one.key]


def leave(one: Recipient) -> list[str]:
    unsubscribe(one, lists=MailingList.objects.all(), source="test", now=timezone.now())
    return [one.key]


def pause(one: Recipient) -> list[str]:
    Recipient.objects.filter(pk=one.pk).update(paused_until=timezone.now() + timedelta(days=9))
    return [one.key]


def withdraw(left: list[Recipient], rng: random.Random) -> dict[str, str]:
    """Have some of those who have no message yet withdraw, each in a way; return who, and why."""
    withdrawn: dict[str, str] = {}
    shut = [one for one in left if int(one.domain[1:-8]) < SHUT]
    others = [one for one in left if int(one.domain[1:-8]) >= SHUT]
    for one in rng.sample(shut, min(2, len(shut))):
        withdrawn |= dict.fromkeys(shut_domain(one), "suppressed")
    chosen = iter(rng.sample(others, min(30, len(others))))
    for reason, act in (
        ("suppressed", suppress_address),
        ("unsubscribed", leave),
        ("paused", pause),
    ):
        for one, _ in zip(chosen, range(10), strict=False):
            withdrawn |= dict.fromkeys(act(one), reason)
    return withdrawn


def test_nobody_is_mailed_who_withdrew_more_than_a_look_ago_however_busy_the_workers(
    settings: Settings, smtp: ScriptedSMTP
) -> None:
    settings.EMAIL_URL = f"{smtp.url}?connections=1"
    readers, rng, door, clock = make_list(), random.Random(7), Door(), Clock()
    make_audience(readers)
    run = make_run(make_campaign(lists=[readers], segments=[make_segment()]))
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    smtp.decide = door.decide
    withdrawn: dict[str, str] = {}
    with ThreadPoolExecutor(WORKERS) as workers:
        done = [
            workers.submit(
                in_a_connection_of_its_own,
                partial(deliver, run.pk, ids[first : first + CHUNK], clock=clock),
            )
            for first in range(0, RECIPIENTS, CHUNK)
        ]
        try:
            for n in range(ROUNDS):
                smtp.wait_for(1 + n * BETWEEN)
                door.shut()
                wait_until(lambda: door.waiting == WORKERS, "each has a message in flight")
                gone = door.seen | withdrawn.keys()
                left = [one for one in Recipient.objects.all() if one.key not in gone]
                late = withdraw(left, rng)
                withdrawn |= {key: why for key, why in late.items() if key not in gone}
                clock.ahead += LOOK_AGAIN
                door.open()
        finally:
            door.open()
        for future in done:
            future.result()
    clock.ahead += timedelta(hours=1)
    deliver(run.pk, ids, clock=clock)

    assert {message.recipient for message in smtp.messages}.isdisjoint(withdrawn)
    rows = dict(Delivery.objects.values_list("key", "skip_reason"))
    assert {key: why for key, why in rows.items() if why} == withdrawn
    assert len(smtp.messages) == RECIPIENTS - len(withdrawn)
    assert set(withdrawn.values()) == {"suppressed", "unsubscribed", "paused"}
    assert disagreements([run.pk], kept_since=None) == []

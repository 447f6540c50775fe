"""Send campaigns while things happen, wait for calm, and judge what arrived."""

import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from django.conf import settings
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from campaigns.models import Campaign, Page, PageState, Run, RunStatus
from campaigns.sending import journal
from campaigns.services import create_campaign, get_sender, schedule
from config.chaos.crew import Crew
from config.chaos.events import DOUBTFUL, LEASE_SECONDS, Scene, chosen
from config.chaos.sink import Sink
from config.embedded import Home
from config.embedded.services import Services
from config.processes import LOOPBACK, Ports, environment
from config.rig.audience import make_list, make_recipients
from config.rig.message import SENDER, make_template
from config.rig.place import accept_signals, move_out
from recipients.models import MailingList
from templates_app.models import EmailTemplate
from tracking.links import key_ring
from tracking.models import Delivery, DeliveryState
from tracking.tokens import Kind, read
from tracking.verify import disagreements

T = TypeVar("T")

CALM_SECONDS = 240  # that the last run may take after the last event
PAUSES = (0.5, 4.0)  # seconds between two events
LISTED = 20

# Short, so that what heals by itself in minutes does so in seconds.
_FAST = {
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "REDISPATCH_SECONDS": "2",
    "SWEEP_SECONDS": "1",
    "TRANSPORT_WAIT_SECONDS": "1",
    "BREAKER_SECONDS": "1",
    "RETRY_SCHEDULE": ",".join(["2"] * 30),
}

Say = Callable[[str], object]


@dataclass
class Verdict:
    """What the books and the next hop say at the end."""

    seed: int
    recipients: int = 0
    runs: int = 0
    at_the_sink: int = 0
    twice: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)
    unconfirmed: list[str] = field(default_factory=list)
    doubts_allowed: int = 0
    failed: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        in_doubt = len(self.unconfirmed) <= self.doubts_allowed
        return in_doubt and not (self.twice or self.never or self.faults)

    def lines(self) -> Iterator[str]:
        yield f"seed           {self.seed}"
        yield f"recipients     {self.recipients:,} in {self.runs} runs"
        yield f"at the sink    {self.at_the_sink:,}"
        yield f"twice          {len(self.twice)}"
        yield f"never          {len(self.never)}"
        yield f"failed         {self.failed}"
        allowed = f"connections open at the kills: {self.doubts_allowed}"
        yield f"unconfirmed    {len(self.unconfirmed)} ({allowed})"
        for name in ("unconfirmed", "twice", "never", "faults"):
            for line in getattr(self, name)[:LISTED]:
                yield f"  {name}: {line}"
        yield "everything adds up" if self.holds else "IT DOES NOT ADD UP"


@contextmanager
def scene(chance: random.Random, *, pace: float) -> Iterator[Scene]:
    """Run an installation of its own; nothing of it is left at the end."""
    services = Services(Home(settings.STATE_DIR), {})
    ports = Ports(smtp=_unlikely_port())
    url = f"smtp://{LOOPBACK}:{ports.smtp}"
    directory = services.home.path
    environ = {**os.environ, **_FAST, "EMAIL_URL": url, "TMPDIR": str(directory)}
    crew = Crew(ports, environment(directory, ports, environ), logs=services.home.logs)
    sink = Sink(port=ports.smtp, pace=pace)
    accept_signals()
    try:
        services.up()
        call_command("migrate", interactive=False, verbosity=0)
        sink.start()
        crew.start()
        yield Scene(services, crew, sink, chance)
    finally:
        crew.stop()
        sink.stop()
        connections.close_all()
        move_out(services, keep=False)


def _unlikely_port() -> int:
    """Return a free one that nobody else looks for: while the sink is away, it is anybody's."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        return int(probe.getsockname()[1])


def drill(*, recipients: int, seconds: float, seed: int, say: Say) -> Verdict:
    """Let things happen for so long while campaigns are sent; return the verdict.

    The same seed gives the same events in the same order.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    # With some twenty connections, a run takes about as long as things happen.
    pace = min(0.2, 20 * seconds / recipients / 2)
    verdict = Verdict(seed, recipients=recipients)
    with scene(chance, pace=pace) as found:
        make_recipients(recipients)
        campaigns = _Campaigns(make_template(), make_list(recipients))
        campaigns.fire()
        _let_things_happen(found, campaigns, verdict, seconds=seconds, say=say)
        say("        calm")
        found.sink.pace = 0
        _wait_for_calm(verdict)
        _judge(found.sink, verdict)
    return verdict


@dataclass
class _Campaigns:
    """One after the other, to the same audience."""

    template: EmailTemplate
    mailing_list: MailingList
    count: int = 0

    def fire(self) -> None:
        self.count += 1
        campaign = create_campaign(
            f"Drill {self.count}",
            sender=get_sender(SENDER),
            template=self.template,
            lists=[self.mailing_list],
        )
        now = timezone.now()
        schedule(campaign, now=now, at=now)


def _let_things_happen(
    found: Scene, campaigns: _Campaigns, verdict: Verdict, *, seconds: float, say: Say
) -> None:
    events = chosen(found.chance)
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        time.sleep(found.chance.uniform(*PAUSES))
        event = next(events)
        say(f"{passed:6.1f} s  {event.__name__.replace('_', ' ')}")
        if event in DOUBTFUL:
            verdict.doubts_allowed += found.sink.open
        event(found)
        if _asked(_unfinished) == 0:
            _asked(campaigns.fire)


def _unfinished() -> int:
    waiting = Campaign.objects.filter(next_fire_at__isnull=False).count()
    return waiting + Run.objects.active().count()


def _asked(question: Callable[[], T]) -> T:
    """Return the answer, however often PostgreSQL has to be asked."""
    while True:
        try:
            return question()
        except (InterfaceError, OperationalError):
            connections.close_all()
            time.sleep(0.2)


def _wait_for_calm(verdict: Verdict) -> None:
    deadline = time.monotonic() + CALM_SECONDS
    while time.monotonic() < deadline:
        if _asked(_unfinished) == 0 and not _journals():
            return
        time.sleep(0.3)
    verdict.faults.append(f"not all has ended within {CALM_SECONDS} seconds")


def _journals() -> int:
    return len(journal.journals(settings.STATE_DIR / "journal"))


def _judge(sink: Sink, verdict: Verdict) -> None:
    runs = Run.objects.all().ids()
    verdict.runs = len(runs)
    verdict.at_the_sink = sum(sink.taken.values())
    arrived = {_delivery(token): count for token, count in sink.taken.items()}
    rows = Delivery.objects.values_list("pk", "state", "address", "run_id")
    for pk, state, address, run_id in rows.iterator():
        name = f"run {run_id}, {address} ({state})"
        count = arrived.pop(pk, 0)
        if count > 1:
            verdict.twice.append(f"{name}: {count} times")
        if state == DeliveryState.UNCONFIRMED:
            verdict.unconfirmed.append(name)
        elif state == DeliveryState.FAILED:
            verdict.failed += 1
        elif (state == DeliveryState.SENT) != (count == 1) and count < 2:
            verdict.never.append(name)
    verdict.faults += [f"delivery {pk} is not in the ledger" for pk in arrived]
    verdict.faults += [str(one) for one in disagreements(runs, kept_since=None)]
    verdict.faults += [f"{page} is open" for page in Page.objects.exclude(state=PageState.CLOSED)]
    for run in Run.objects.exclude(status=RunStatus.COMPLETED):
        verdict.faults.append(f"run {run.pk} is {run.status} {run.held_reason}")
    for run in Run.objects.exclude(audience=verdict.recipients):
        verdict.faults.append(f"run {run.pk} has an audience of {run.audience}")


def _delivery(token: str) -> int:
    return read(token.removeprefix("b-"), kind=Kind.BOUNCE, ring=key_ring())

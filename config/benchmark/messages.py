"""The question of `benchmark_messages`: how long a message takes while a campaign is sent."""

import http.client
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from campaigns.models import Run, RunStatus
from campaigns.services import get_sender, schedule
from config.accounts.keys import make_key
from config.benchmark import machine, report
from config.benchmark.engine import DUE_IN, Content, draft
from config.benchmark.installation import Installation, installation
from config.processes import LOOPBACK
from config.rig.audience import make_list, make_recipients, tidy_up
from config.rig.message import DOMAIN, make_template
from config.rig.place import BenchmarkError
from tracking.models import Delivery, DeliveryState, RunCounters
from tracking.verify import disagreements

Say = Callable[[str], object]

SENDER = f"The Shore <orders@{DOMAIN}>"
RECEIPT = {
    "subject": "Order {{ number }}",
    "html": "<h1>Thank you</h1><p>{{ name }}, your order {{ number }} came to {{ sum }}.</p>",
}
PATIENCE_SECONDS = 120
CALLERS = 16
LONGEST_CAMPAIGN_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Measured:
    """Times in seconds, from the moment at which a message was to be asked for."""

    when: str
    accepted: list[float]
    """Until the caller had the API's answer, with the id."""
    handed_over: list[float]
    """Until the next hop's answer was about to be recorded."""
    not_sent: int
    campaign_rate: float | None = None
    disagreements: list[str] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        return bool(self.handed_over) and not self.not_sent and not self.disagreements

    def as_dict(self) -> dict[str, Any]:
        parts = (0.5, 0.99, 1.0)
        said = {
            name: {f"p{100 * part:g}": quantile(times, part) for part in parts}
            for name, times in (("accepted", self.accepted), ("handed_over", self.handed_over))
        }
        return {**asdict(self), **said, "count": len(self.handed_over), "adds_up": self.adds_up}


def quantile(times: Sequence[float], part: float) -> float:
    """Return what this part of the times is not above; 1.0: the longest."""
    ordered = sorted(times)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else math.nan


def measure(recipients: int, *, rate: float, seconds: float, say: Say) -> dict[str, Any]:
    """Send messages on an idle installation, then while a campaign is sent; say what came out.

    :param rate: messages a second.
    :param seconds: for which they are sent on the idle one.
    :raises BenchmarkError: a process has ended, or nothing moves any more
    """
    with installation() as ours:
        make_recipients(recipients)
        content = make_template(), make_list(recipients)
        tidy_up()
        ours.start_processes(children=2)
        caller = _Caller(ours.start_web(), _key(), get_sender(SENDER).pk)
        found = [
            _idle(ours, caller, rate=rate, seconds=seconds),
            _busy(ours, caller, content, rate=rate),
        ]
        for line in [*report.named(machine.describe()), "next hop    " + ours.sink, *_table(found)]:
            say(line)
        return {"machine": machine.describe(), "runs": [each.as_dict() for each in found]}


def _key() -> str:
    user = User.objects.create_superuser("benchmark", password=None)
    scopes = ["campaigns.send_message"]
    return make_key(user, name="benchmark", scopes=scopes, now=timezone.now()).secret


@dataclass(frozen=True, slots=True)
class _Caller:
    """A program that sends messages by the API."""

    port: int
    key: str
    sender: int

    def ask(self, number: int, due: float) -> tuple[UUID, float]:
        """Ask for a message; give its id, and how long after `due` the answer was here.

        :raises BenchmarkError: the answer is another one than 202
        """
        body = {
            "to": f"m{number}@d{number % 50}.example",
            "sender": self.sender,
            "content": RECEIPT,
            "fields": {"number": number, "name": "Ada", "sum": f"{number} €"},
        }
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("POST", "/api/v1/messages", json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        took = time.time() - due
        if answer.status != http.client.ACCEPTED:
            raise BenchmarkError(f"the API answered {answer.status}: {text.decode()}")
        return UUID(json.loads(text)["id"]), took


def _idle(ours: Installation, caller: _Caller, *, rate: float, seconds: float) -> Measured:
    end = time.monotonic() + seconds
    asked = _ask(ours, caller, rate=rate, until=lambda: time.monotonic() > end)
    return _measured(ours, "alone", asked)


def _busy(ours: Installation, caller: _Caller, content: Content, *, rate: float) -> Measured:
    now = timezone.now()
    campaign = schedule(draft(content), now=now, at=now + DUE_IN)
    time.sleep(DUE_IN.total_seconds())
    ended = Run.objects.having(RunStatus.COMPLETED).filter(campaign=campaign)
    asked = _ask(ours, caller, rate=rate, until=ended.exists)
    run = ended.with_counters().get()
    took = (run.finished_at or now) - (run.started_at or now)
    pace = run.counters.sent / (took / timedelta(seconds=1))
    return _measured(ours, f"a campaign to {run.audience:,}", asked, pace=pace)


@dataclass(slots=True)
class _Asked:
    at: dict[int, float] = field(default_factory=dict)
    """When the message of this run was to be asked for: a late one has waited since."""
    accepted: list[float] = field(default_factory=list)


def _ask(ours: Installation, caller: _Caller, *, rate: float, until: Callable[[], bool]) -> _Asked:
    """Ask for a message so many times a second, as if others did: not later for being slow."""
    deadline = time.monotonic() + LONGEST_CAMPAIGN_SECONDS
    waiting: list[tuple[float, Future[tuple[UUID, float]]]] = []
    with ThreadPoolExecutor(CALLERS) as callers:
        for number, due in _ticks(rate):
            if until():
                break
            if time.monotonic() > deadline:
                raise BenchmarkError(f"it does not end:\n{ours.log_of('campaigns', 'maintenance')}")
            waiting.append((due, callers.submit(caller.ask, number, due)))
            ours.check_processes()
    dues = {answer.result()[0]: due for due, answer in waiting}
    runs = Run.objects.filter(message__in=list(dues)).values_list("pk", "message")
    return _Asked(
        at={run: dues[message] for run, message in runs},
        accepted=[answer.result()[1] for _, answer in waiting],
    )


def _ticks(rate: float) -> Iterator[tuple[int, float]]:
    begin, number = time.time(), 0
    while True:
        due = begin + number / rate
        time.sleep(max(0.0, due - time.time()))
        yield number, due
        number += 1


def _measured(
    ours: Installation, when: str, asked: _Asked, *, pace: float | None = None
) -> Measured:
    runs = list(asked.at)
    _wait_for_end(ours, runs)
    sent = Delivery.objects.filter(run__in=runs, state=DeliveryState.SENT)
    times = [
        finished_at.timestamp() - asked.at[run]
        for run, finished_at in sent.values_list("run", "finished_at")
        if finished_at
    ]
    said = [str(one) for one in disagreements(runs, kept_since=None)]
    return Measured(when, asked.accepted, times, len(runs) - len(times), pace, said)


def _wait_for_end(ours: Installation, runs: list[int]) -> None:
    open_ones = RunCounters.objects.filter(run__in=runs, queued=0, sending=0, retry=0)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while open_ones.count() < len(runs):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"messages are left:\n{ours.log_of('transactional')}")
        time.sleep(0.2)


def _table(found: Sequence[Measured]) -> list[str]:
    rows = [["while", "messages", "id: p50", "p99", "handed over: p50", "p99", "longest", "rate"]]
    for each in found:
        times = [(each.accepted, 0.5), (each.accepted, 0.99)]
        times += [(each.handed_over, part) for part in (0.5, 0.99, 1.0)]
        rows.append(
            [
                each.when,
                str(len(each.handed_over)),
                *(f"{1000 * quantile(*one):.0f} ms" for one in times),
                f"{each.campaign_rate:,.0f}/s" if each.campaign_rate else "",
            ]
        )
    return ["", *report.table(rows)]

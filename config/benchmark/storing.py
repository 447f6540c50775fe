"""How many hits a second are stored and counted: the second half of `benchmark_tracking`."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import redis
from django.conf import settings
from django.utils import timezone

from campaigns.models import Run
from campaigns.sending import fire, snapshot
from campaigns.services import create_campaign, get_sender, schedule
from config.benchmark import report, usage
from config.rig.audience import make_list, make_recipients, tidy_up
from config.rig.message import SENDER, make_template
from config.rig.place import BenchmarkError
from tracking.consuming import consume
from tracking.hits.stream import Arrival, Stream
from tracking.models import Delivery, DeliveryState, Hit
from tracking.recounting import differences

MESSAGES_PER_HIT = 0.5
AN_ENTRY = 16  # hits that arrived together
_AGENTS = [
    f"Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
    for version in range(100, 140)
]
_HOUR_MS = 3_600_000
_MICRO = 1e6


@dataclass(frozen=True, slots=True)
class Measured:
    """What one process stored."""

    case: str
    hits: int
    seconds: float
    rate: float
    cpu_us: float
    """Of the process and of PostgreSQL together, for a hit."""


def measure(hits: int, *, postgres: Sequence[int]) -> list[Measured]:
    """Store a burst of so many hits of a run, and once more as many, when some are known.

    :param postgres: the ids of its processes
    :raises BenchmarkError: a hit is missing, or a sum is wrong
    """
    run = _run(max(1, round(hits * MESSAGES_PER_HIT)))
    found = [
        _case(case, run, hits, postgres, seed=seed)
        for seed, case in enumerate(("the first hits of a run", "as many more"))
    ]
    if wrong := differences(run.pk, now=timezone.now()):
        raise BenchmarkError(f"{len(wrong)} sums are wrong: {wrong[0]}")
    return found


def table(found: Sequence[Measured]) -> list[str]:
    rows = [(one.case, f"{one.rate:,.0f}", f"{one.cpu_us:.0f} µs") for one in found]
    return report.table([("", "stored/s", "CPU"), *rows])


def _run(messages: int) -> Run:
    """Make a run that was sent to so many."""
    make_recipients(messages)
    now = timezone.now()
    campaign = create_campaign(
        "Opened", sender=get_sender(SENDER), template=make_template(), lists=[make_list(messages)]
    )
    schedule(campaign, now=now, at=now)
    run_id = fire.fire(campaign.pk, now=now)
    if run_id is None:
        raise BenchmarkError("the campaign was not fired")
    while not snapshot.take_slice(run_id, now=now).finished:
        pass
    Delivery.objects.of_run(run_id).update(
        state=DeliveryState.SENT, attempted_at=now, finished_at=now
    )
    tidy_up()
    return Run.objects.get(pk=run_id)


def _case(case: str, run: Run, hits: int, postgres: Sequence[int], *, seed: int) -> Measured:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        stream = Stream(client)
        arrivals = list(_arrivals(run, hits, random.Random(seed)))  # noqa: S311
        for at in range(0, hits, AN_ENTRY):
            stream.write(arrivals[at : at + AN_ENTRY])
        before, stored = _cpu(postgres), Hit.objects.count()
        began = time.perf_counter()
        while stream.length():
            consume(stream, clock=timezone.now, seconds=60)
        seconds = time.perf_counter() - began
    if (new := Hit.objects.count() - stored) != hits:
        raise BenchmarkError(f"{case}: {hits:,} hits, {new:,} were stored")
    return Measured(case, hits, seconds, hits / seconds, (_cpu(postgres) - before) / hits * _MICRO)


def _arrivals(run: Run, hits: int, chance: random.Random) -> Iterator[Arrival]:
    """Yield hits as they come in after a large run: two opens for each click, all mixed."""
    deliveries = list(Delivery.objects.of_run(run.pk).values_list("pk", flat=True))
    sent_ms = int(timezone.now().timestamp() * 1000)
    for _ in range(hits):
        yield Arrival(
            run_id=run.pk,
            delivery_id=chance.choice(deliveries),
            number=chance.choice((None, None, chance.randrange(4))),
            at_ms=sent_ms + chance.randrange(_HOUR_MS, 24 * _HOUR_MS),
            user_agent=chance.choice(_AGENTS),
        )


def _cpu(postgres: Sequence[int]) -> float:
    return time.process_time() + usage.cpu_seconds({"postgres": postgres})["postgres"]

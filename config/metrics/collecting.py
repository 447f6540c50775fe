"""What is read when Prometheus asks: sums that are there already, in PostgreSQL and Redis.

No process counts any of it by itself, so each web process says the same, however many there are.
Nothing is counted in a large table: states of deliveries come from the counters of the runs.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from kombu.exceptions import KombuError
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from campaigns.models import Gate, Run, RunStatus, Transport
from campaigns.sending import meter
from config.health import workers
from config.health.servers import redis_client
from recipients.models import Import, ImportStatus
from tracking.hits import stream
from tracking.models import (
    Call,
    DeliveryEvent,
    DeliveryState,
    Happening,
    InboundMessage,
    Lease,
    RunCounters,
    WebhookEvent,
)

MOST = 10_000  # of a backlog; counted no further than that
OPEN, OPENING, SHUT = 0, 1, 2
INSTALLATION = "EMAIL_URL"  # the transport without a name

Ask = Callable[[], Iterable[Metric]]


class Godwit(Collector):
    """All that is read; of a server that does not answer, that it does not."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("godwit_server_up", "Whether it answers: 1.", labels=["server"])
        asked: dict[str, Ask] = {"postgresql": _database, "redis": _redis, "broker": _broker}
        for server, ask in asked.items():
            try:
                found = list(ask())
            except (DatabaseError, redis.RedisError, KombuError, OSError):
                up.add_metric([server], 0)
            else:
                up.add_metric([server], 1)
                yield from found
        yield up


def _gauge(name: str, said: str, values: Mapping[str, float], label: str = "") -> Metric:
    gauge = GaugeMetricFamily(f"godwit_{name}", said, labels=[label] if label else [])
    for key, value in values.items():
        gauge.add_metric([key] if label else [], value)
    return gauge


def _one(name: str, said: str, value: float) -> Metric:
    return _gauge(name, said, {"": value})


# --- PostgreSQL -------------------------------------------------------------------------------


@transaction.atomic
def _database() -> Iterable[Metric]:
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '1s'")
    return [*_sending(now), *_breakers(now), *_backlogs(now)]


def _sending(now: datetime) -> Iterator[Metric]:
    sums = RunCounters.objects.aggregate(**{state: Sum(state) for state in DeliveryState.values})
    states = {state: count or 0 for state, count in sums.items()}
    yield _gauge("deliveries", "Deliveries of all runs, by state.", states, "state")
    runs = dict.fromkeys(RunStatus.values, 0.0) | _grouped(Run.objects.all())
    yield _gauge("runs", "Runs, by status.", runs, "status")
    held = Lease.objects.aggregate(
        held=Count("pk", filter=Q(until__gt=now)), overdue=Count("pk", filter=Q(until__lte=now))
    )
    yield _gauge("leases", "Chunks in the hands of workers, by whether in time.", held, "state")
    tick = PeriodicTask.objects.filter(name="tick").values_list("last_run_at", flat=True).first()
    said = "When Beat last ticked, in Unix time; 0: never."
    yield _one("beat_last_tick_timestamp_seconds", said, tick.timestamp() if tick else 0)


def _grouped(rows: "QuerySet[Any]") -> dict[str, float]:
    return dict(rows.order_by().values_list("status").annotate(count=Count("pk")))


def _breakers(now: datetime) -> Iterator[Metric]:
    names = dict(Transport.objects.values_list("pk", "name"))
    states: dict[str, float] = dict.fromkeys((INSTALLATION, *names.values()), OPEN)
    for gate in Gate.objects.limited(now=now).filter(group=""):
        is_shut = gate.shut_until is not None and gate.shut_until > now
        name = names.get(gate.transport_id or 0, INSTALLATION)
        states[name] = SHUT if is_shut else OPENING
    said = "Whether messages leave by a transport: 0 they do, 1 a few at a time, 2 none."
    yield _gauge("breaker", said, states, "transport")
    kept_back = Gate.objects.limited(now=now).exclude(group="").count()
    yield _one("domains_kept_back", "Domains that limit us, by transport.", kept_back)


def _backlogs(now: datetime) -> Iterator[Metric]:
    minute = now - timedelta(minutes=1)
    rows: dict[str, QuerySet[Any]] = {
        "webhooks": WebhookEvent.objects.unhandled(asked_before=minute),
        "inbound": InboundMessage.objects.new(),
        "feedback": DeliveryEvent.objects.to_follow(),
        "happened": Happening.objects.all(),
        "calls": Call.objects.to_be_made(),
    }
    since = {"webhooks": "received_at", "inbound": "received_at", "feedback": "noted_at"}
    found = {
        name: each[:MOST].aggregate(count=Count("pk"), oldest=Min(since.get(name, "at")))
        for name, each in rows.items()
    }
    counts = {name: float(each["count"]) for name, each in found.items()}
    said = f"What came back, or is to be told, and waits; up to {MOST:,}."
    yield _gauge("backlog", said, counts, "kind")
    under_way = Import.objects.filter(status__in=(ImportStatus.CHECKING, ImportStatus.IMPORTING))
    moved = under_way.aggregate(oldest=Min(Coalesce("moved_at", "created_at")))
    ages = {
        name: max(0.0, (now - (each["oldest"] or now)).total_seconds())
        for name, each in {**found, "imports": moved}.items()
    }
    said = "How long the oldest of it waits; of imports, how long one has not moved."
    yield _gauge("backlog_age_seconds", said, ages, "kind")
    imports = dict.fromkeys(ImportStatus.values, 0.0) | _grouped(Import.objects.all())
    yield _gauge("imports", "Imports, by status.", imports, "status")


# --- Redis ------------------------------------------------------------------------------------


def _redis() -> Iterator[Metric]:
    client = redis_client(settings.REDIS_URL)
    sums: dict[bytes, bytes] = client.hgetall(meter.KEY)  # type: ignore[assignment]
    yield from _chunks({field.decode(): int(amount) for field, amount in sums.items()})
    waiting: Any = client.xlen(stream.KEY)
    yield _one("hits_waiting", "Entries of opens and clicks not in the database yet.", waiting)
    first: Any = client.xrange(stream.KEY, count=1)
    since = int(first[0][0].partition(b"-")[0]) / 1000 if first else time.time()
    yield _one("hits_age_seconds", "How long the oldest one waits.", max(0, time.time() - since))


def _chunks(sums: dict[str, int]) -> Iterator[Metric]:
    said = "Messages that a transport answered, by outcome."
    messages = CounterMetricFamily("godwit_messages", said, labels=["transport", "outcome"])
    for field, amount in sums.items():
        kind, _, rest = field.partition("\t")
        if kind == meter.MESSAGES:
            transport, _, outcome = rest.rpartition("\t")
            messages.add_metric([transport or INSTALLATION, outcome], amount)
    yield messages
    total, buckets = 0, []
    for most in (*meter.BUCKETS, float("inf")):
        total += sums.get(f"{meter.SLOWEST}\t{most}", 0)
        buckets.append(("+Inf" if most == float("inf") else str(most), float(total)))
    chunks = HistogramMetricFamily("godwit_chunk_seconds", "How long a worker has a chunk.")
    chunks.add_metric([], buckets, sum_value=sums.get(meter.SECONDS, 0) / 1_000_000)
    yield chunks


# --- the broker -------------------------------------------------------------------------------


def _broker() -> Iterator[Metric]:
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    waiting = {name: count for name, count in workers.waiting(names).items() if count is not None}
    yield _gauge("queue_messages", "Messages that no worker has taken yet.", waiting, "queue")
    ages = {name: max(0.0, time.time() - at) for name, at in workers.oldest(names).items()}
    if not settings.BROKER_URL.startswith("amqp"):
        ages = dict.fromkeys(names, 0.0) | ages
    yield _gauge("queue_age_seconds", "How long the oldest one waits.", ages, "queue")

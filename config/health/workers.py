"""The workers: which queues they serve, what waits in these, and whether Beat ticks."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django_celery_beat.models import PeriodicTask
from kombu import Connection
from kombu.exceptions import KombuError

from config.celery import app
from config.health.facts import PATIENCE, Fact, State
from config.health.servers import broker_connection, redis_client

SILENCE = timedelta(seconds=60)  # Beat ticks each second; a restart of PostgreSQL may take some
MANY = 5_000  # messages in a queue; the engine stops filling it at a fifth of that


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    waiting: int | None
    """Messages that nobody has taken yet; None: not known."""
    workers: list[str] = field(default_factory=list)


def queues(*, patience: float = PATIENCE) -> list[Queue] | None:
    """Return each queue of the installation; None where the broker does not answer.

    :param patience: seconds that the workers have to say which queues they serve.
    """
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    try:
        with broker_connection() as link:
            link.ensure_connection(max_retries=1, interval_start=0)
            waiting = _waiting(names, link)
            serving = _serving(link, patience)
    except (OSError, KombuError, redis.RedisError):
        return None
    return [Queue(name, waiting[name], sorted(serving[name])) for name in names]


def oldest(names: Iterable[str]) -> dict[str, float]:
    """Return since when (Unix time) the oldest message waits, of each queue where that is known.

    RabbitMQ shows no message that it does not hand over.

    :raises redis.RedisError:
    """
    if settings.BROKER_URL.startswith("amqp"):
        return {}
    with redis_client(settings.BROKER_URL).pipeline(transaction=False) as pipe:
        for name in names:
            pipe.lindex(name, -1)
        found = dict(zip(names, pipe.execute(), strict=True))
    return {name: at for name, message in found.items() if (at := _queued_at(message))}


def _queued_at(message: bytes | None) -> float | None:
    if message is None:
        return None
    try:
        return float(json.loads(message)["headers"]["queued_at"])
    except (ValueError, LookupError, TypeError):
        return None  # of another program, or of another release


def waiting(names: Iterable[str]) -> dict[str, int | None]:
    """Return how many messages wait in each queue; None: not known.

    :raises OSError, KombuError, redis.RedisError: the broker does not answer
    """
    with broker_connection() as link:
        link.ensure_connection(max_retries=1, interval_start=0)
        return _waiting(names, link)


def _waiting(names: Iterable[str], link: Connection) -> dict[str, int | None]:
    if link.transport.driver_type == "redis":
        client = redis_client(settings.BROKER_URL)
        with client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.llen(name)
            return dict(zip(names, pipe.execute(), strict=True))
    return {name: _declared(name, link) for name in names}


def _declared(name: str, link: Connection) -> int | None:
    """Ask RabbitMQ for a queue; it closes the channel where there is none."""
    try:
        channel: Any
        with link.channel() as channel:
            return int(channel.queue_declare(queue=name, passive=True).message_count)
    except link.channel_errors:
        return None


def _serving(link: Connection, patience: float) -> Mapping[str, list[str]]:
    """Return the workers that answer within that time, by the queues that they serve."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    answers = app.control.inspect(timeout=patience, connection=link).active_queues() or {}
    for worker, served in answers.items():
        for queue in served:
            found[queue["name"]].append(worker)
    return found


def of_queue(queue: Queue) -> Fact:
    """Return whether somebody serves a queue, and whether it keeps up."""
    name, waiting = f"queue_{queue.name}", queue.waiting or 0
    text = _("%(count)s messages wait; served by %(workers)s.")
    said = text % {
        "count": number_format(waiting, force_grouping=True),
        "workers": ", ".join(queue.workers) or _("nobody"),
    }
    if not queue.workers:
        remedy = _(
            "Start a worker for it: celery -A config worker -Q %s. A busy one may be silent."
        )
        return Fact(name, queue.name, State.BAD, said, remedy % queue.name, waiting)
    if waiting > MANY:
        remedy = _("Give it more workers, or wait: they take one after the other.")
        return Fact(name, queue.name, State.ATTENTION, said, remedy, waiting)
    return Fact(name, queue.name, State.GOOD, said, figure=waiting)


def beat(*, now: datetime) -> Fact:
    """Return when Beat last ticked."""
    title = _("Beat")
    last = PeriodicTask.objects.filter(name="tick").values_list("last_run_at", flat=True).first()
    remedy = _("Start it: celery -A config beat. Until then no campaign departs.")
    if last is None:
        return Fact("beat", title, State.BAD, _("It has never ticked."), remedy)
    seconds = (now - last).total_seconds()
    said = _("It ticked %d seconds ago.") % max(0, seconds)
    if now - last > SILENCE:
        return Fact("beat", title, State.BAD, said, remedy, seconds)
    return Fact("beat", title, State.GOOD, said, figure=seconds)

"""What can happen, each as a function of the installation; chosen and paced by the seed."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
import redis
from django.conf import settings

from config.chaos.crew import Crew
from config.chaos.sink import Sink
from config.embedded.services import Services
from config.processes import LOOPBACK

SENDERS = "campaigns"  # the worker that mails, and its queue
LEASE_SECONDS = 8
NOBODY = 1  # a port that nobody listens on


@dataclass(frozen=True, slots=True)
class Scene:
    """What events act upon."""

    services: Services
    crew: Crew
    sink: Sink
    chance: random.Random

    @property
    def redis(self) -> Any:
        return redis.Redis.from_url(settings.REDIS_URL)

    def server(self, name: str) -> psutil.Process:
        [pid] = [one.pid for one in self.services.status() if one.server == name]
        return psutil.Process(pid)


def kill_a_child(scene: Scene) -> None:
    if children := scene.crew.children(SENDERS):
        scene.chance.choice(children).kill()


def kill_the_worker(scene: Scene) -> None:
    scene.crew.kill(SENDERS)


def stop_the_worker(scene: Scene) -> None:
    scene.crew.terminate(SENDERS)


def kill_the_housekeeping(scene: Scene) -> None:
    scene.crew.kill("maintenance")


def kill_beat(scene: Scene) -> None:
    scene.crew.kill("beat")


def freeze_a_child(scene: Scene) -> None:
    """Stop a child, now and then beyond its lease, and let it go on."""
    children = scene.crew.children(SENDERS)
    seconds = scene.chance.choice([1, LEASE_SECONDS + 2])
    if not children:
        return
    child = scene.chance.choice(children)
    with suppress(psutil.NoSuchProcess):
        child.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        child.send_signal(signal.SIGCONT)


def kill_redis(scene: Scene) -> None:
    scene.server("redis").kill()
    scene.services.up()


def empty_redis(scene: Scene) -> None:
    scene.redis.flushall()


def freeze_redis(scene: Scene) -> None:
    """Stop it: connections stay, and nobody answers, now and then longer than they wait for."""
    server = scene.server("redis")
    server.send_signal(signal.SIGSTOP)
    time.sleep(scene.chance.choice([2, 18]))
    server.send_signal(signal.SIGCONT)


def fill_redis(scene: Scene) -> None:
    """Have it refuse each message for some seconds, as at the limit of its memory."""
    scene.redis.config_set("maxmemory", 1)
    time.sleep(3)
    scene.redis.config_set("maxmemory", 0)


def demote_redis(scene: Scene) -> None:
    """Have it refuse to write for some seconds, as the loser of a failover does."""
    scene.redis.replicaof(LOOPBACK, NOBODY)
    time.sleep(scene.chance.choice([1, 4]))
    scene.redis.replicaof("NO", "ONE")


def double_all_messages(scene: Scene) -> None:
    if waiting := scene.redis.lrange(SENDERS, 0, -1):
        scene.redis.rpush(SENDERS, *waiting)


def lose_half_of_the_messages(scene: Scene) -> None:
    count = scene.redis.llen(SENDERS) // 2
    if count:
        scene.redis.lpop(SENDERS, count)


def stop_postgresql(scene: Scene) -> None:
    """As if the power had failed: no checkpoint, recovery at the start, now and then a while later.

    What is being handed over meanwhile is noted in the journals.
    """
    server = scene.server("postgresql")
    server.send_signal(signal.SIGQUIT)
    server.wait(30)
    time.sleep(scene.chance.choice([0, 6]))
    scene.services.up()


def end_all_sessions(scene: Scene) -> None:
    database: dict[str, Any] = settings.DATABASES["default"]
    with psycopg.connect(
        host=database["HOST"], user=database["USER"], dbname=database["NAME"], autocommit=True
    ) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def hang_up(scene: Scene) -> None:
    scene.sink.cut()


def send_away(scene: Scene) -> None:
    """Have the next hop say 421 for some seconds."""
    scene.sink.defers = True
    time.sleep(2)
    scene.sink.defers = False


def go_away(scene: Scene) -> None:
    """Have the next hop be gone for some seconds."""
    scene.sink.go_away()
    time.sleep(scene.chance.choice([2, 6]))
    scene.sink.come_back()


Event = Callable[[Scene], None]

EVENTS: tuple[Event, ...] = (
    kill_a_child,
    kill_the_worker,
    stop_the_worker,
    kill_the_housekeeping,
    kill_beat,
    freeze_a_child,
    kill_redis,
    empty_redis,
    freeze_redis,
    fill_redis,
    demote_redis,
    double_all_messages,
    lose_half_of_the_messages,
    stop_postgresql,
    end_all_sessions,
    hang_up,
    send_away,
    go_away,
)
# Those that may leave a message in doubt on each connection that is open.
DOUBTFUL = frozenset({kill_a_child, kill_the_worker, stop_the_worker, hang_up, send_away, go_away})


def chosen(chance: random.Random) -> Iterator[Event]:
    """Return events without end: all of them in a random order, and then again."""
    while True:
        yield from chance.sample(EVENTS, len(EVENTS))

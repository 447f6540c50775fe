"""The servers: database, broker, where messages go and their links lead, the clock, the disk."""

import shutil
import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from kombu import Connection
from kombu.exceptions import KombuError
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.health.facts import PATIENCE, Fact, State
from templates_app.redis_servers import connect

SKEW = 2.0  # seconds by which two clocks may differ
LITTLE_ROOM, NO_ROOM = 5, 1  # percent of a disk
NEARLY_FULL = 0.9  # of what Redis may have
CONNECT_SECONDS = 2  # libpq waits no shorter
SITE_SECONDS = 3
_LOCAL = {"localhost", "127.0.0.1", "::1", "[::1]"}
_CATCHER = b"Godwit mail catcher"


def redis_client(url: str) -> "redis.Redis":
    """Return a client that waits for a moment and tries nothing twice."""
    return connect(
        url,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )


def broker_connection() -> Connection:
    """Return a connection to the broker that gives up soon."""
    options = dict(settings.CELERY_BROKER_TRANSPORT_OPTIONS)
    if "socket_timeout" in options:
        options |= {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
        options |= {"retry_on_timeout": False, "max_retries": 0}
    return Connection(
        settings.CELERY_BROKER_URL, connect_timeout=PATIENCE, transport_options=options
    )


@contextmanager
def database_link() -> Iterator[BaseDatabaseWrapper]:
    """Yield a connection to the database that gives up soon.

    One of its own: who asks whether the database is there must not wait as long for it as who needs
    it, and a connection that is kept says nothing of whether there is another one to be had.
    """
    link = connections[DEFAULT_DB_ALIAS].copy()
    given = link.settings_dict["OPTIONS"]
    link.settings_dict["OPTIONS"] = {**given, "connect_timeout": CONNECT_SECONDS}
    try:
        yield link
    finally:
        link.close()


def database(*, now: datetime) -> list[Fact]:
    """Return whether the database answers, its clock is ours, and its tables are this release's."""
    title = _("Database")
    try:
        with database_link() as link:
            with link.cursor() as cursor:
                cursor.execute(
                    "SELECT clock_timestamp(), current_setting('server_version'), pg_backend_pid()"
                )
                there, version, session = cursor.fetchone()
            # A pooler says another number of its own, by which it would be asked to cancel.
            is_pooled = link.connection.info.backend_pid != session
            pending = pending_migrations(link)
    except DatabaseError as error:
        remedy = _("Start PostgreSQL, or look at DATABASE_URL.")
        return [Fact("database", title, State.BAD, in_words(error), remedy)]
    said = _("PostgreSQL %s answers.") % version
    answers = Fact("database", title, State.GOOD, said)
    facts = [answers, clock((there - now).total_seconds()), migrations(pending)]
    return [*facts, *([_pooler()] if is_pooled and not settings.BEHIND_POOLER else [])]


def _pooler() -> Fact:
    said = _("There is one between here and PostgreSQL.")
    remedy = _("Set BEHIND_POOLER=1, unless it hands out whole sessions: lists would break off.")
    return Fact("pooler", _("Pooler"), State.ATTENTION, said, remedy)


def pending_migrations(link: BaseDatabaseWrapper) -> list[str]:
    """Return the newest migrations of apps whose tables are of another release."""
    # Django's own recorder asks the connection that is kept, whichever it is given.
    with link.cursor() as cursor:
        applied: set[tuple[str, str]] = set()
        if "django_migrations" in link.introspection.table_names(cursor):
            cursor.execute("SELECT app, name FROM django_migrations")
            applied = set(cursor.fetchall())
    return [f"{app}.{name}" for app, name in _newest_migrations() if (app, name) not in applied]


@cache  # a process knows the migrations with which it was started
def _newest_migrations() -> list[tuple[str, str]]:
    return sorted(MigrationLoader(None).graph.leaf_nodes())


def migrations(pending: list[str]) -> Fact:
    """Return whether the tables are those of this release."""
    title, name = _("Tables"), "migrations"
    if not pending:
        return Fact(name, title, State.GOOD, _("They are those of this release."), figure=0)
    said = _("They are of another release than this one: %s.") % ", ".join(pending)
    remedy = _("Stop all processes, run manage.py migrate, and start them again.")
    return Fact(name, title, State.BAD, said, remedy, len(pending))


def clock(seconds: float) -> Fact:
    """Return whether the database's clock, ahead by so much, and ours agree."""
    title = _("Clock")
    if abs(seconds) <= SKEW:
        return Fact("clock", title, State.GOOD, _("As the database's."), figure=seconds)
    said = _("The clocks of this machine and of the database differ by %s seconds.")
    remedy = _("Have both set their clocks by NTP: what is due is taken by these clocks.")
    return Fact(
        "clock", title, State.ATTENTION, said % number_format(abs(seconds), 1), remedy, seconds
    )


def broker() -> Fact:
    """Return whether the broker answers."""
    title = _("Broker")
    is_rabbitmq = settings.BROKER_URL.startswith("amqp")
    try:
        if is_rabbitmq:
            with broker_connection() as link:
                link.ensure_connection(max_retries=1, interval_start=0)
        else:
            redis_client(settings.BROKER_URL).ping()
    except (OSError, KombuError, redis.RedisError) as error:
        said = _("It does not answer: %s.") % in_words(error)
        remedy = _(
            "Start it, or look at BROKER_URL. Nothing is lost: what waits is in the database, and"
            " goes on by itself."
        )
        return Fact("broker", title, State.BAD, said, remedy)
    kind = "RabbitMQ" if is_rabbitmq else "Redis"
    return Fact("broker", title, State.GOOD, _("%s answers.") % kind)


def in_words(error: Exception) -> str:
    """Return what an error says, on one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def redis_memory() -> list[Fact]:
    """Return, of each Redis that answers, whether it keeps what it is given."""
    urls = dict.fromkeys([settings.REDIS_URL, settings.BROKER_URL])
    found = [_told(url) for url in urls if not url.startswith("amqp")]
    return [_memory(told) for told in found if told]


def _told(url: str) -> dict[str, Any]:
    """Return what Redis tells of its memory; nothing where it does not answer, or may not say."""
    try:
        client = redis_client(url)
        return {**client.info("memory"), **client.info("stats")}
    except (OSError, redis.RedisError):
        return {}  # that it does not answer is a fact of its own


def _memory(told: dict[str, Any]) -> Fact:
    title, name = _("Memory of Redis"), "redis_memory"
    most, policy = int(told.get("maxmemory", 0)), str(told.get("maxmemory_policy", "noeviction"))
    evicted, share = int(told.get("evicted_keys", 0)), 0.0
    remedy = _("Set maxmemory-policy to noeviction: messages between processes would be lost.")
    if most:
        share = int(told["used_memory"]) / most
        if policy != "noeviction":
            said = _("What does not fit is thrown away (%(policy)s), so far %(count)s times.")
            text = said % {"policy": policy, "count": number_format(evicted)}
            state = State.BAD if evicted else State.ATTENTION
            return Fact(name, title, state, text, remedy, share)
        if share > NEARLY_FULL:
            text = _("%d %% are used of what it may have.") % (100 * share)
            remedy = _("Raise maxmemory, or see why so much waits: a full one takes nothing more.")
            return Fact(name, title, State.ATTENTION, text, remedy, share)
    return Fact(name, title, State.GOOD, _("Nothing is thrown away."), figure=share)


def site(host: str) -> Fact:
    """Return whether the links of messages lead to where people find this installation.

    :param host: by which the page was asked for, with its port; empty where nobody knows.
    """
    title, name = _("Address of the site"), "site_url"
    ours = urlsplit(settings.SITE_URL)
    remedy = _("Set SITE_URL to the address by which recipients reach this installation.")
    if ours.hostname in _LOCAL:
        said = _("Links in messages lead to %s, which works on this machine alone.")
        return Fact(name, title, State.ATTENTION, said % settings.SITE_URL, remedy)
    if host and host != ours.netloc:
        said = _("Links in messages lead to %(site)s, but this page was asked for at %(host)s.")
        text = said % {"site": settings.SITE_URL, "host": host}
        return Fact(name, title, State.ATTENTION, text, remedy)
    return Fact(name, title, State.GOOD, _("Links in messages lead to %s.") % settings.SITE_URL)


def site_asked() -> Fact:
    """Return whether SITE_URL leads to an installation, as far as this machine can tell."""
    fact = site("")
    if fact.state != State.GOOD:
        return fact
    said = _asked(urlsplit(settings.SITE_URL).netloc)
    if not said:
        return fact
    text = _("%(site)s does not lead here: %(why)s.") % {"site": settings.SITE_URL, "why": said}
    remedy = _(
        "Set SITE_URL to the address by which recipients reach this installation. Some networks do"
        " not lead back to their own address: then ask from outside."
    )
    return Fact(fact.name, fact.title, State.ATTENTION, text, remedy)


def _asked(place: str) -> str:
    """Ask whether somebody is alive at our address; return what is wrong with the answer."""
    is_tls = settings.SITE_URL.startswith("https://")
    link = (HTTPSConnection if is_tls else HTTPConnection)(place, timeout=SITE_SECONDS)
    try:
        link.request("GET", "/healthz")
        answer = link.getresponse()
        if (answer.status, answer.read(3)) == (HTTPStatus.OK, b"ok\n"):
            return ""
        return _("/healthz answers %d, and not as Godwit does") % answer.status
    except (OSError, HTTPException) as error:
        return in_words(error)
    finally:
        link.close()


def way_out() -> Fact:
    """Return where messages go whose sender has no transport of its own."""
    title, name = _("Where messages go"), "email_url"
    url = urlsplit(settings.EMAIL_URL)
    place = f"{url.hostname}:{url.port}" if url.port else str(url.hostname)
    if url.hostname not in _LOCAL or not url.scheme.startswith("smtp"):
        text = _("To %s, where a sender has no transport of its own.") % place
        return Fact(name, title, State.GOOD, text)
    greeting = _greeting(str(url.hostname), url.port or smtplib.SMTP_PORT)
    if greeting is None:
        text = _("Nothing listens at %s, on this machine.") % place
        remedy = _("Start the catcher (manage.py run), or set EMAIL_URL to a mail server.")
        return Fact(name, title, State.BAD, text, remedy)
    if _CATCHER in greeting:
        text = _("The mail catcher takes all messages: none leaves this machine.")
        remedy = _("To send for real, set EMAIL_URL to a mail server.")
        return Fact(name, title, State.ATTENTION, text, remedy)
    return Fact(name, title, State.GOOD, _("To a mail server on this machine, %s.") % place)


def _greeting(host: str, port: int) -> bytes | None:
    try:
        with socket.create_connection((host.strip("[]"), port), timeout=PATIENCE) as link:
            return link.recv(500)
    except OSError:
        return None


def disks() -> list[Fact]:
    """Return how much room each disk has on which we write."""
    places: dict[int, Path] = {}
    for place in (settings.STATE_DIR, settings.MEDIA_ROOT):
        found = next(each for each in (place, *place.parents) if each.exists())
        places.setdefault(found.stat().st_dev, found)
    return [disk(place) for place in places.values()]


def disk(place: Path) -> Fact:
    """Return how much room the disk has that a directory is on."""
    usage = shutil.disk_usage(place)
    free = 100 * usage.free / usage.total
    text = _("%(percent)d %% are free, %(size)s GB, where %(place)s is.")
    size = number_format(usage.free / 1e9, 1)
    said = text % {"percent": free, "size": size, "place": place}
    return Fact("disk", _("Disk"), room(free), said, _make_room(free), free)


def room(free: float) -> State:
    """Return what so many percent of a disk mean."""
    if free < NO_ROOM:
        return State.BAD
    return State.ATTENTION if free < LITTLE_ROOM else State.GOOD


def _make_room(free: float) -> str:
    if room(free) == State.GOOD:
        return ""
    return _("Make room, or move the files: a worker that cannot write its journal sends nothing.")

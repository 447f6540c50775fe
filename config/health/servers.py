"""The servers: database, broker, where messages go and their links lead, the clock, the disk."""

import shutil
import smtplib
import socket
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from kombu import Connection
from kombu.exceptions import KombuError
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.health.facts import PATIENCE, Fact, State

SKEW = 2.0  # seconds by which two clocks may differ
LITTLE_ROOM = 5  # percent of a disk
_LOCAL = {"localhost", "127.0.0.1", "::1", "[::1]"}
_CATCHER = b"Godwit mail catcher"


def redis_client(url: str) -> "redis.Redis":
    """Return a client that waits for a moment and tries nothing twice."""
    client: redis.Redis = redis.Redis.from_url(
        url,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )
    return client


def broker_connection() -> Connection:
    """Return a connection to the broker that gives up soon."""
    options = dict(settings.CELERY_BROKER_TRANSPORT_OPTIONS)
    if "socket_timeout" in options:
        options |= {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
        options |= {"retry_on_timeout": False, "max_retries": 0}
    return Connection(
        settings.CELERY_BROKER_URL, connect_timeout=PATIENCE, transport_options=options
    )


def database(*, now: datetime) -> list[Fact]:
    """Return whether the database answers, and by how much its clock differs from ours."""
    title = _("Database")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp(), current_setting('server_version')")
            there, version = cursor.fetchone()
    except DatabaseError as error:
        remedy = _("Start PostgreSQL, or look at DATABASE_URL.")
        return [Fact("database", title, State.BAD, in_words(error), remedy)]
    said = _("PostgreSQL %s answers.") % version
    return [Fact("database", title, State.GOOD, said), clock((there - now).total_seconds())]


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
    return str(error).rstrip(".") or type(error).__name__


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


def disk(place: Path) -> Fact:
    """Return how much room the disk has that uploads and files are on."""
    title = _("Disk")
    usage = shutil.disk_usage(place)
    free = 100 * usage.free / usage.total
    text = _("%(percent)d %% are free, %(size)s GB.")
    said = text % {"percent": free, "size": number_format(usage.free / 1e9, 1)}
    if free >= LITTLE_ROOM:
        return Fact("disk", title, State.GOOD, said, figure=free)
    return Fact("disk", title, State.ATTENTION, said, _("Make room, or move the files."), free)

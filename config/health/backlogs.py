"""What waits to be worked off, and what waits for a person."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from campaigns.models import Run, RunStatus
from campaigns.sending import instance
from config.health.facts import Fact, State
from config.health.servers import in_words, redis_client
from recipients.models import Import, ImportStatus
from tracking.hits import stream
from tracking.models import Call, DeliveryEvent, Endpoint, InboundMessage, WebhookEvent

MOST = 1_000  # counted no further than that: more is too many
LATE = timedelta(minutes=1)
_NAMED = 5  # webhooks; more are seen on their page


def all_of(*, now: datetime) -> Iterator[Fact]:
    yield copied()
    yield hits()
    webhooks = WebhookEvent.objects.unhandled(asked_before=now - LATE)
    late = webhooks.filter(received_at__lt=now - LATE)
    yield _backlog("webhooks", _("Reports of providers"), late)
    inbound = InboundMessage.objects.new().filter(received_at__lt=now - LATE)
    yield _backlog("inbound", _("Mail that came back"), inbound)
    to_follow = DeliveryEvent.objects.to_follow().filter(noted_at__lt=now - 2 * LATE)
    yield _backlog("feedback", _("Bounces and complaints"), to_follow)
    yield calls(now=now)
    moving = Import.objects.filter(status__in=(ImportStatus.CHECKING, ImportStatus.IMPORTING))
    yield _imports(moving[: MOST + 1].count())


def copied() -> Fact:
    """Return whether the database is this installation's own."""
    title = _("Installation")
    if reason := instance.check():
        text = _("Nothing goes out: %s.") % reason
        return Fact("instance", title, State.BAD, text)
    return Fact("instance", title, State.GOOD, _("The database is its own."))


def hits() -> Fact:
    """Return how many entries of opens and clicks are not in the database yet."""
    title = _("Opens and clicks")
    try:
        count = int(redis_client(settings.REDIS_URL).xlen(stream.KEY))
    except (OSError, redis.RedisError) as error:
        text = _("Redis does not answer: %s.") % in_words(error)
        remedy = _("Start it, or look at REDIS_URL. Hits wait in memory meanwhile.")
        return Fact("hits", title, State.BAD, text, remedy)
    return _counted("hits", title, count)


def calls(*, now: datetime) -> Fact:
    """Return whether programs elsewhere take what they are to be told."""
    title = _("Webhooks")
    off = Endpoint.objects.exclude(why_off="").order_by("name")
    if names := ", ".join(off.values_list("name", flat=True)[:_NAMED]):
        text = _("Switched off, because no call succeeded: %s.") % names
        remedy = _("Look at the answers on its page, and switch it on again.")
        return Fact("webhook_calls", title, State.BAD, text, remedy)
    if names := ", ".join(Endpoint.objects.failing().values_list("name", flat=True)[:_NAMED]):
        text = _("Calls fail: %s.") % names
        remedy = _("They are made again for a day; the answers stand on its page.")
        return Fact("webhook_calls", title, State.ATTENTION, text, remedy)
    if Call.objects.given_up().filter(last_at__gt=now - timedelta(days=1)).exists():
        text = _("Events were given up in the last day.")
        remedy = _("Their pages have them, and can tell them again.")
        return Fact("webhook_calls", title, State.ATTENTION, text, remedy)
    return Fact("webhook_calls", title, State.GOOD, _("What is to be told is taken."))


def _backlog(name: str, title: str, rows: "QuerySet[Any]") -> Fact:
    return _counted(name, title, rows[: MOST + 1].count())


def _counted(name: str, title: str, count: int) -> Fact:
    if count > MOST:
        text = _("More than %s wait.") % number_format(MOST, force_grouping=True)
        remedy = _("See that a worker serves the queue “tracking”, and that it keeps up.")
        return Fact(name, title, State.ATTENTION, text, remedy, count)
    number = number_format(count, force_grouping=True)
    text = _("%s wait.") % number if count else _("Nothing waits.")
    return Fact(name, title, State.GOOD, text, figure=count)


def _imports(count: int) -> Fact:
    number = number_format(count, force_grouping=True)
    text = _("%s are under way.") % number if count else _("None is under way.")
    return Fact("imports", _("Imports"), State.GOOD, text, figure=count)


def runs_waiting(shown: "QuerySet[Run]", *, most: int) -> list[Run]:
    """Return the runs that wait for a person, the newest first: held, or paused."""
    held = shown.filter(status__in=(RunStatus.HELD, RunStatus.PAUSED))
    return list(held.select_related("campaign").order_by("-pk")[:most])


def runs_in_doubt(shown: "QuerySet[Run]", *, most: int) -> list[Run]:
    """Return the runs of whose messages some are in doubt, the newest first."""
    doubtful = shown.filter(counters__unconfirmed__gt=0).select_related("campaign", "counters")
    return list(doubtful.order_by("-pk")[:most])

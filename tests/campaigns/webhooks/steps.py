"""What tests of webhooks do again and again."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from django.db import connection

from campaigns.webhooks import making
from campaigns.webhooks.calling import Ways
from campaigns.webhooks.endpoints import create_endpoint
from tests.http_server import Request, ScriptedHTTP
from tracking.models import Call, Endpoint, Happened

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LOOPBACK = Ways((ipaddress.ip_network("127.0.0.0/8"),))


def make_endpoint(
    url: str = "https://hooks.example.org/",
    *,
    kinds: Sequence[str] = tuple(Happened),
    name: str = "CRM",
) -> Endpoint:
    return create_endpoint(name, url=url, kinds=kinds).endpoint


def make_call(
    endpoint: Endpoint, *, lane: int | None = None, at: datetime = NOW, kind: str = "test"
) -> Call:
    return Call.objects.create(
        endpoint=endpoint, event=uuid4(), kind=kind, at=at, lane=lane, next_at=at, created_at=at
    )


def note(kind: str, *subjects: int) -> None:
    """Note what happened, as a statement does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tracking_happening (kind, subjects) VALUES (%s, %s)",
            [kind, list(subjects)],
        )


def work(at: datetime = NOW) -> int:
    return making.work(clock=lambda: at, seconds=30, ways=LOOPBACK)


def told(receiver: ScriptedHTTP) -> list[str]:
    return [str(request.json["type"]) for request in receiver.requests]


def ids(receiver: ScriptedHTTP) -> list[str]:
    return list(map(id_of, receiver.requests))


def id_of(request: Request) -> str:
    return request.headers["webhook-id"]

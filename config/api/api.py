"""The API, put together of what the apps have."""

import json
from typing import Any

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.parser import Parser
from ninja.types import DictStrAny

from campaigns.api import campaigns, deliveries, media, messages, runs, templates, webhooks
from config.api.authentication import Bearer
from config.api.errors import answer_problems
from config.api.openapi import Description
from config.api.tokens import router as tokens
from recipients.api import lists, people, segments, suppressions
from recipients.api.refusals import Problem


class StrictParser(Parser):
    """Refuses what PostgreSQL could not store: NUL, half a character, NaN."""

    def parse_body(self, request: HttpRequest) -> DictStrAny:
        try:
            given: DictStrAny = json.loads(request.body, parse_constant=_refuse)
            if _can_be_stored(given):
                return given
        except (ValueError, RecursionError):
            pass
        raise Problem(400, "The body is not JSON (RFC 8259) in UTF-8 that can be stored.")


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _can_be_stored(given: Any) -> bool:
    text = json.dumps(given, ensure_ascii=False)
    text.encode()  # half a character cannot be
    return "\\u0000" not in text


class API(Description, NinjaAPI):
    """As django-ninja has it, with our description."""


api = API(
    title="Godwit",
    version="1",
    urls_namespace="api",
    docs_url=None,
    openapi_url="/openapi.json",
    auth=Bearer(),
    parser=StrictParser(),
)
answer_problems(api)
api.add_router("/token", tokens, tags=["Tokens"])
api.add_router("/recipients", people.router, tags=["Recipients"])
api.add_router("/lists", lists.router, tags=["Lists"])
api.add_router("/messages", messages.router, tags=["Messages"])
api.add_router("/suppressions", suppressions.router, tags=["Suppression"])
api.add_router("/segments", segments.router, tags=["Segments"])
api.add_router("/templates", templates.router, tags=["Templates"])
api.add_router("/media", media.router, tags=["Media"])
api.add_router("/campaigns", campaigns.router, tags=["Campaigns"])
api.add_router("/runs", runs.router, tags=["Runs"])
api.add_router("/deliveries", deliveries.router, tags=["Deliveries"])
api.add_router("/events", deliveries.events_router, tags=["Events"])
api.add_router("/webhooks", webhooks.router, tags=["Webhooks"])

"""Who may do what by the API: each operation and the permission that it asks for, in one table.

What is in no table is refused to everybody. What an operation is about is narrowed further where
its rows are read (`visible_to(user)`).
"""

import re
from typing import Any

from django.http import HttpRequest

from config.web.access import Denied
from recipients.api.refusals import Problem

ROOT = "api/v1/"

# For everybody: what the API is like, and where people's clients say who they are.
PUBLIC = {
    "GET /openapi.json",
    "GET /docs",
    "POST /token",
    "POST /token/session",
    "POST /token/refresh",
    "POST /token/revoke",
}

# Of several permissions all are needed.
OPERATIONS: dict[str, str] = {
    "GET /recipients": "recipients.view_recipient",
    "POST /recipients": "recipients.add_recipient recipients.change_recipient",
    "POST /recipients/bulk": "recipients.add_recipient recipients.change_recipient",
    "GET /recipients/{pk}": "recipients.view_recipient",
    "PATCH /recipients/{pk}": "recipients.change_recipient",
    "DELETE /recipients/{pk}": "recipients.erase_recipient",
    "GET /recipients/{pk}/subscriptions": "recipients.view_subscription",
    "GET /lists": "recipients.view_mailinglist",
    "POST /lists": "recipients.add_mailinglist",
    "GET /lists/{pk}": "recipients.view_mailinglist",
    "PATCH /lists/{pk}": "recipients.change_mailinglist",
    "GET /lists/{pk}/subscriptions": "recipients.view_subscription",
    "POST /lists/{pk}/subscriptions": "recipients.change_recipient",
    "POST /lists/{pk}/unsubscriptions": "recipients.change_recipient",
    "POST /messages": "campaigns.send_message",
    "GET /messages/{pk}": "campaigns.view_message",
    "GET /suppressions": "recipients.view_suppression",
    "POST /suppressions": "recipients.add_suppression",
    "GET /suppressions/{pk}": "recipients.view_suppression",
    "POST /suppressions/{pk}/lift": "recipients.delete_suppression",
    "GET /segments": "recipients.view_segment",
    "POST /segments": "recipients.add_segment",
    "GET /segments/{pk}": "recipients.view_segment",
    "PATCH /segments/{pk}": "recipients.change_segment",
    "DELETE /segments/{pk}": "recipients.delete_segment",
    "GET /segments/{pk}/count": "recipients.view_segment",
    "GET /templates": "templates_app.view_emailtemplate",
    "POST /templates": "templates_app.add_emailtemplate",
    "GET /templates/{pk}": "templates_app.view_emailtemplate",
    "PATCH /templates/{pk}": "templates_app.change_emailtemplate",
    "DELETE /templates/{pk}": "templates_app.delete_emailtemplate",
    "GET /templates/{pk}/versions": "templates_app.view_emailtemplate",
    "GET /media": "templates_app.view_mediafile",
    "POST /media": "templates_app.add_mediafile",
    "GET /media/{pk}": "templates_app.view_mediafile",
    "GET /media/{pk}/content": "templates_app.view_mediafile",
    "PATCH /media/{pk}": "templates_app.change_mediafile",
    "DELETE /media/{pk}": "templates_app.delete_mediafile",
    "GET /campaigns": "campaigns.view_campaign",
    "POST /campaigns": "campaigns.add_campaign",
    "GET /campaigns/{pk}": "campaigns.view_campaign",
    "PATCH /campaigns/{pk}": "campaigns.change_campaign",
    "DELETE /campaigns/{pk}": "campaigns.delete_campaign",
    "GET /campaigns/{pk}/look": "campaigns.view_campaign",
    "POST /campaigns/{pk}/schedule": "campaigns.change_campaign",
    "POST /campaigns/{pk}/withdraw": "campaigns.change_campaign",
    "POST /campaigns/{pk}/pause": "campaigns.change_campaign",
    "POST /campaigns/{pk}/resume": "campaigns.change_campaign",
    "POST /campaigns/{pk}/cancel": "campaigns.change_campaign",
    "GET /campaigns/{pk}/report": "campaigns.view_campaign",
    "GET /campaigns/{pk}/links": "campaigns.view_campaign",
    "GET /runs": "campaigns.view_run",
    "GET /runs/{pk}": "campaigns.view_run",
    "GET /runs/{pk}/report": "campaigns.view_run",
    "GET /runs/{pk}/links": "campaigns.view_run",
    "GET /deliveries": "tracking.view_delivery",
    "GET /deliveries/{pk}": "tracking.view_delivery",
    "GET /deliveries/{pk}/events": "tracking.view_delivery",
    "GET /events": "tracking.view_delivery",
    "GET /webhooks": "tracking.view_endpoint",
    "POST /webhooks": "tracking.add_endpoint",
    "GET /webhooks/{pk}": "tracking.view_endpoint",
    "PATCH /webhooks/{pk}": "tracking.change_endpoint",
    "DELETE /webhooks/{pk}": "tracking.delete_endpoint",
    "POST /webhooks/{pk}/secret": "tracking.change_endpoint",
    "POST /webhooks/{pk}/test": "tracking.change_endpoint",
    "GET /webhooks/{pk}/calls": "tracking.view_endpoint",
    "POST /webhooks/{pk}/replay": "tracking.change_endpoint",
}

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


def operation_of(request: HttpRequest) -> str:
    """Return what a request asks for, as the tables name it: `GET /lists/{pk}`."""
    route = request.resolver_match.route if request.resolver_match else ""
    method = "GET" if request.method == "HEAD" else request.method
    path = _PARAMETER.sub(r"{\1}", route).removeprefix(ROOT)
    return f"{method} /{path}"


def require(user: Any, operation: str) -> None:
    """Let a caller pass.

    :raises Denied: a permission is missing, of the user or of the key.
    :raises Problem: nothing of this name can be done.
    """
    if operation not in OPERATIONS:
        raise _no_such(operation)
    for permission in OPERATIONS[operation].split():
        if not user.has_perm(permission):
            raise Denied(permission)


def _no_such(operation: str) -> Problem:
    path = operation.partition(" ")[2]
    allowed = [each.split(" ")[0] for each in OPERATIONS if each.endswith(f" {path}")]
    if not allowed:
        return Problem(404, "There is nothing at this address.")
    names = ", ".join(sorted({*allowed, "HEAD"} if "GET" in allowed else allowed))
    return Problem(405, f"Here one can {names}.", headers={"Allow": names})

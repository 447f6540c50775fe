"""Says to the database who writes: in each transaction that does, before it does.

It is a setting of the transaction, and said before each statement that writes: what is rolled back
takes it along, and a pooler gives the connection to others after each transaction. Workers say
nothing, so it costs them nothing.
"""

import getpass
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.conf import settings
from django.core.management import get_commands
from django.db import connection, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.accounts.models import Origin
from recipients.origin import client_address

_WRITES = re.compile(
    r"\s*(?:INSERT|UPDATE|DELETE|MERGE|WITH|SELECT accounts_audit_write)\b", re.IGNORECASE
)
_SAY = "SELECT set_config('godwit.actor', %s, true)"

# By people; the others are the engine's, run processes, or measure.
_APPS = {"recipients", "templates_app", "tracking", "campaigns", "django.contrib.auth"}
_COMMANDS = {
    "create_api_key",
    "give_role",
    "remove_second_factors",
    "restore_roles",
    "rotate_keys",
}
# An import is written down as one thing, not row by row.
_MANY_ROWS = {"import_recipients"}


def actor(
    name: str, *, origin: Origin, user_id: int | None = None, ip: str = "", rows: bool = True
) -> str:
    """Return who acts, as the triggers read it.

    :param rows: whether single recipients count.
    """
    told = {"name": name, "origin": origin.value, "user": user_id, "ip": ip or None, "rows": rows}
    return json.dumps(told)


def actor_of(request: HttpRequest) -> str:
    """Return who is signed in, as the triggers read it."""
    user = request.user
    return actor(user.get_username(), origin=Origin.WEB, user_id=user.pk, ip=address_of(request))


def address_of(request: HttpRequest | None) -> str:
    """Return from where they come; empty where that is not known, or not to be kept."""
    if request is None or not settings.AUDIT_IP:
        return ""
    return str(client_address(request.META) or "")


@contextmanager
def acting(who: Callable[[], str]) -> Iterator[None]:
    """Have what this thread writes in here be somebody's doing.

    :param who: asked before each statement that writes; empty: nobody's.
    """
    with connection.execute_wrapper(_saying(who)):
        yield


def _saying(who: Callable[[], str]) -> Callable[..., Any]:
    def say(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        told = who() if isinstance(sql, str) and _WRITES.match(sql) else ""
        if not told:
            return execute(sql, params, many, context)
        with nullcontext() if connection.in_atomic_block else transaction.atomic():
            context["cursor"].cursor.execute(_SAY, [told])
            return execute(sql, params, many, context)

    return say


class ActingMiddleware:
    """What staff have a request write is their doing; what a public page writes is nobody's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with acting(lambda: getattr(request, "actor", "")):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, view_func: Any, _args: Any, _kwargs: Any) -> None:
        if getattr(view_func, "login_required", True) and request.user.is_authenticated:
            request.actor = actor_of(request)  # type: ignore[attr-defined]


def begin_command(name: str) -> None:
    """Have what a command writes be the doing of whoever is logged in to the machine."""
    if get_commands().get(name) in _APPS or name in _COMMANDS:
        told = actor(f"{_login()}: {name}", origin=Origin.COMMAND, rows=name not in _MANY_ROWS)
        connection.execute_wrappers.append(_saying(lambda: told))  # until the process ends


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container the user may have a number and no name
        return f"user {os.getuid()}"

"""Programs that ask the HTTP API, and what they are answered."""

import json
from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from config.accounts.keys import make_key
from config.api.access import OPERATIONS
from recipients.models import MailingList
from tests.console import staff

ALL = sorted({name for needs in OPERATIONS.values() for name in needs.split()})


class Program:
    """What has a key: sends JSON, reads JSON."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self._client = Client(headers={"Authorization": f"Bearer {secret}"})

    def get(self, path: str, **headers: str) -> Any:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, data: Any = None, **headers: str) -> Any:
        return self._ask("POST", path, data, headers)

    def patch(self, path: str, data: Any, **headers: str) -> Any:
        return self._ask("PATCH", path, data, headers)

    def put(self, path: str, data: Any, **headers: str) -> Any:
        return self._ask("PUT", path, data, headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self._ask("DELETE", path, None, headers)

    def upload(self, path: str, data: Any, **headers: str) -> Any:
        """Send a form with files."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.post(f"/api/v1{path}", data, headers=named)

    def _ask(self, method: str, path: str, data: Any, headers: dict[str, str]) -> Any:
        return self._client.generic(
            method,
            path if path.startswith("/api/") else f"/api/v1{path}",
            data if isinstance(data, str) else json.dumps(data),
            content_type="application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )


def program(
    *permissions: str,
    user: User | None = None,
    scopes: Collection[str] | None = None,
    lists: Collection[MailingList] | None = None,
) -> Program:
    """Return a program with a key of a user.

    :param permissions: what its user may do; where none is named, all.
    :param scopes: what the key is for; all that any operation needs.
    """
    if user is None:
        name = f"robot{User.objects.count()}"
        staff(*(permissions or ALL), name=name)
        user = User.objects.get(username=name)
    scopes = ALL if scopes is None else scopes
    return Program(
        make_key(user, name="CRM", scopes=scopes, lists=lists, now=timezone.now()).secret
    )


def problem(answer: Any) -> dict[str, Any]:
    """Return what a refusal says."""
    assert answer["Content-Type"] == "application/problem+json", answer.content
    told: dict[str, Any] = answer.json()
    assert told["status"] == answer.status_code
    return told

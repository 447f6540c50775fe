"""The examples of docs/api.md, asked one after the other, as a reader would."""

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from recipients.models import Field
from tests.api import Program, program
from tests.factories import make_sender

TEXT = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text()
# A request, and below it what it is answered: all of it that is shown.
EXAMPLE = re.compile(r"^\$ (curl .*?)\n(\{.*?)\n(?=\$ |```)", re.MULTILINE | re.DOTALL)

# Whose rows the examples name by their ids, which begin with 1 in an empty installation.
COUNTED = (
    "recipients_mailinglist",
    "recipients_recipient",
    "templates_app_emailtemplate",
    "campaigns_sender",
    "campaigns_campaign",
    "tracking_endpoint",
    "tracking_call",
)


def curl() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("url")
    return parser


def ask(crm: Program, command: str) -> Any:
    given = curl().parse_args(shlex.split(command.replace("\\\n", " "))[1:])
    assert "Authorization: Bearer $KEY" in given.headers, command
    method = given.method or ("POST" if given.json else "GET")
    path = given.url.removeprefix("$GODWIT")
    assert path.startswith("/api/v1/"), command
    headers = dict(each.split(": ", 1) for each in given.headers)
    del headers["Authorization"]
    return crm._client.generic(
        method, path, given.json or "", content_type="application/json", headers=headers
    )


def holds(shown: Any, answer: Any) -> bool:
    """Whether what is shown is a part of the answer."""
    if isinstance(shown, dict):
        return all(name in answer and holds(value, answer[name]) for name, value in shown.items())
    if isinstance(shown, list):
        return len(shown) == len(answer) and all(map(holds, shown, answer))
    return bool(shown == answer)


@pytest.mark.django_db
def test_every_example_is_answered_as_shown() -> None:
    with connection.cursor() as cursor:
        for table in COUNTED:
            cursor.execute(f"ALTER SEQUENCE {table}_id_seq RESTART")
    crm = program(user=User.objects.create_superuser("root"))
    make_sender()
    Field.objects.create(name="city")
    examples = EXAMPLE.findall(TEXT)

    for command, shown in examples:
        answer = ask(crm, command)
        assert holds(json.loads(shown), answer.json()), (command, answer.content.decode())

    assert len(examples) == TEXT.count("\n$ curl ") >= 8

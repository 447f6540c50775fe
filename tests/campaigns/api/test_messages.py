import base64
from typing import Any
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from campaigns.models import Message, Run, RunAttachment
from campaigns.sending import single
from campaigns.sending.chunk import utc_now
from tests.api import Program, problem, program
from tests.factories import make_list, make_sender, make_template
from tests.smtp_server import ScriptedSMTP
from tracking.models import Delivery

pytestmark = pytest.mark.django_db

MESSAGES = "/messages"
CONTENT = {"subject": "Code {{ code }}", "html": "<p>Your code is {{ code }}.</p>"}


@pytest.fixture
def shop() -> Program:
    return program()


def asked(**changed: Any) -> dict[str, Any]:
    whole = {
        "to": "ada@example.org",
        "sender": make_sender().pk,
        "content": CONTENT,
        "fields": {"code": 42},
    } | changed
    return {name: value for name, value in whole.items() if value is not None}


def test_a_message_is_accepted_and_asked_about_by_its_id(
    shop: Program, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url

    answer = shop.post(MESSAGES, asked())
    queued = shop.get(answer["Location"]).json()
    single.hand_over(Run.objects.get().pk, clock=utc_now)
    sent = shop.get(answer["Location"]).json()

    assert answer.status_code == 202
    assert answer.json() == {"id": str(Message.objects.get().pk), "state": "queued"}
    assert (queued["state"], queued["to"], queued["sent_at"]) == ("queued", "ada@example.org", None)
    assert sent["state"] == "sent"
    assert sent["sent_at"]
    assert sent["message_id"] == Delivery.objects.get().message_id


def test_a_template_is_named_instead_of_a_content(shop: Program) -> None:
    template = make_template(html="<p>Hello {{ name }}</p>")

    answer = shop.post(MESSAGES, asked(content=None, template=template.pk, fields={"name": "Ada"}))

    assert answer.status_code == 202
    assert Run.objects.get().version.template == template


def test_files_come_as_base64(shop: Program, disk: object) -> None:
    content = base64.b64encode(b"%PDF-1.7\n%%EOF\n").decode()

    answer = shop.post(MESSAGES, asked(attachments=[{"name": "a.pdf", "content": content}]))

    assert answer.status_code == 202
    assert RunAttachment.objects.get().name == "a.pdf"


@pytest.mark.parametrize(
    ("pointer", "changed"),
    [
        ("/to", {"to": ["a@example.org", "b@example.org"]}),
        ("/to", {"to": "a@example.org, b@example.org"}),
        ("/sender", {"sender": 9_876}),
        ("/template", {"content": None, "template": 9_876}),
        ("", {"content": None}),
        ("/content", {"content": {"subject": "Hi", "html": "{{ code"}}),
        ("/fields", {"fields": {}}),
        ("/attachments", {"attachments": [{"name": "a.exe", "content": "TVo="}]}),
        ("/attachments/0/content", {"attachments": [{"name": "a.pdf", "content": "é"}]}),
    ],
)
def test_what_is_wrong_is_refused_with_a_pointer_to_it(
    shop: Program, pointer: str, changed: dict[str, Any]
) -> None:
    answer = shop.post(MESSAGES, asked(**changed))

    told = problem(answer)
    assert told["status"] == 422
    assert told["errors"][0]["pointer"] == pointer
    assert told["errors"][0]["detail"]
    assert not Message.objects.exists()


def test_a_message_that_is_asked_for_twice_with_one_key_is_one(shop: Program) -> None:
    first = shop.post(MESSAGES, asked(), idempotency_key="order-7")
    again = shop.post(MESSAGES, asked(), idempotency_key="order-7")

    assert again.json() == first.json()
    assert Message.objects.count() == 1


def test_who_may_not_send_does_not() -> None:
    answer = program("campaigns.view_message").post(MESSAGES, asked())

    assert problem(answer)["permission"] == "campaigns.send_message"


def test_a_key_of_some_lists_sends_nobody_a_message() -> None:
    make_list("Others").limited_to_users.set([])
    readers = make_list()

    answer = program(lists=[readers]).post(MESSAGES, asked())

    assert problem(answer)["status"] == 403
    assert not Message.objects.exists()


def test_of_a_message_that_there_is_not_nothing_is_told(shop: Program) -> None:
    assert problem(shop.get(f"{MESSAGES}/{uuid4()}"))["status"] == 404

"""From a form in somebody's page to a subscription, by a live worker and real messages."""

import email
import email.policy
import re

from django.test import Client

from recipients.models import Notice, SignupForm, Subscription
from tests.e2e.steps import Installation
from tests.factories import make_form, make_sender, typed_into
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP

SITE = "http://localhost:8000"


def link(smtp: ScriptedSMTP, *, number: int) -> str:
    """Return the link in a message, without the site."""
    data = smtp.wait_for(number)[-1].data
    message = email.message_from_bytes(data, policy=email.policy.default)
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    found = re.search(rf"{SITE}(/\w/\S+)", text)
    assert found
    return found[1]


def test_who_signs_up_is_asked_once_and_is_welcomed_when_they_confirm(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    make_sender()
    form = make_form()
    SignupForm.objects.update(welcome_text="Look up!")
    with installation() as live:
        live.worker(queues="transactional")
        live.wait_until_ready()

        for _ in range(5):
            Client().post(f"/subscribe/{form.slug}", typed_into(form, "ada@example.org"))
        path = link(smtp, number=1)
        Client().get(path)
        before = Subscription.objects.get().state
        Client().post(path, {"list": form.mailing_list_id})
        preferences = link(smtp, number=2)
        wait_until(
            lambda: not Notice.objects.filter(sent_at=None).exists(),
            "both are written down as sent",
        )

    assert before == "pending"
    assert Subscription.objects.get().state == "confirmed"
    assert Client().get(preferences).status_code == 200
    assert len(smtp.messages) == 2

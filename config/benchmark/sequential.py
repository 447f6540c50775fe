"""One after the other, without Celery: what a campaign takes in a plain loop of Django's."""

import time
from uuid import uuid4

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.template import Context, Engine, Template
from django.utils import timezone

from config.rig.message import SENDER, SUBJECT, source
from recipients.models import MailingList, Recipient
from templates_app.plaintext import html_to_text

SITE = "https://links.shore.example"


def seconds_for_one(mailing_list: MailingList, *, sample: int, next_hop: tuple[str, int]) -> float:
    """Send to the first `sample` of a list, one after the other; return the time for a message.

    For each: three templates of Django's, `EmailMultiAlternatives.send()` on a kept connection,
    and a `save()` that notes in the database that it was done.
    """
    html = source()
    engine = Engine()
    templates = [engine.from_string(part) for part in (SUBJECT, html_to_text(html), html)]
    host, port = next_hop
    backend = "django.core.mail.backends.smtp.EmailBackend"
    with get_connection(backend, host=host, port=port) as connection:
        begun = time.monotonic()
        for recipient in Recipient.objects.subscribed_to(mailing_list).order_by("pk")[:sample]:
            _message(recipient, templates, connection).send()
            recipient.updated_at = timezone.now()
            recipient.save(update_fields=["updated_at"])
        return (time.monotonic() - begun) / sample


def _message(
    recipient: Recipient, templates: list[Template], connection: BaseEmailBackend
) -> EmailMultiAlternatives:
    token = uuid4().hex
    unsubscribe_url = f"{SITE}/u/{token}"
    context = Context(
        {
            **recipient.fields,
            "email": recipient.address,
            "list_name": "Readers",
            "token": token,
            "unsubscribe_url": unsubscribe_url,
        }
    )
    subject, text, html = (template.render(context) for template in templates)
    headers = {
        "List-Unsubscribe": f"<{unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    message = EmailMultiAlternatives(
        subject, text, SENDER, [recipient.address], headers=headers, connection=connection
    )
    message.attach_alternative(html, "text/html")
    return message

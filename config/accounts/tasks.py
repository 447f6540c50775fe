"""Messages to the people of an installation, sent by a worker."""

from celery import shared_task
from django.utils import timezone

from config.accounts import audit, mails, services, tokens
from config.api import idempotency


@shared_task(name="accounts.send_mail", ignore_result=True)
def send_mail(*, to: str, subject: str, text: str, html: str) -> str:
    outcome = mails.send(to=to, subject=subject, text=text, html=html, now=timezone.now())
    return type(outcome).__name__


@shared_task(name="accounts.forget_audit", ignore_result=True)
def forget_audit() -> int:
    return audit.forget_old(now=timezone.now())


@shared_task(name="accounts.forget_answers", ignore_result=True)
def forget_answers() -> int:
    now = timezone.now()
    forgotten = idempotency.forget_old(now=now) + tokens.forget_old(now=now)
    return forgotten + services.forget_sessions(now=now)

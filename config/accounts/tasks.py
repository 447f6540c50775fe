"""Messages to the people of an installation, sent by a worker."""

from secrets import token_hex

from celery import shared_task
from django.utils import timezone

from campaigns import staff_mail
from config.accounts import audit, services, tokens
from config.api import idempotency


@shared_task(name="accounts.send_mail", ignore_result=True)
def send_mail(*, to: str, subject: str, text: str, html: str) -> str:
    token = f"account-{token_hex(16)}"
    outcome = staff_mail.send_or_log(
        to=to, subject=subject, text=text, html=html, token=token, now=timezone.now()
    )
    return type(outcome).__name__


@shared_task(name="accounts.forget_audit", ignore_result=True)
def forget_audit() -> int:
    return audit.forget_old(now=timezone.now())


@shared_task(name="accounts.forget_answers", ignore_result=True)
def forget_answers() -> int:
    now = timezone.now()
    forgotten = idempotency.forget_old(now=now) + tokens.forget_old(now=now)
    return forgotten + services.forget_sessions(now=now)

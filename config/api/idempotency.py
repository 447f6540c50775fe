"""A POST with an Idempotency-Key is done once: its answer is kept with its effect, in one commit.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/

A process that dies has done neither, so that the request can be sent again. What was refused is not
kept: it had no effect, and is looked at anew. Nor is an answer that nobody may store (`no-store`),
for it has a secret: sent again, its request is not done again, and is told so.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from config.accounts.models import IdempotentAnswer
from config.api.errors import problem
from recipients import named_locks
from recipients.api.refusals import Problem
from recipients.mentions import alone
from recipients.privacy import Holder, Person, register
from recipients.retention import delete_in_batches

HEADER = "Idempotency-Key"
KEPT_FOR = timedelta(hours=24)
LONGEST = 255  # characters of a key
_REPEATED = ("Content-Type", "ETag", "Location")

# JSON has other characters than ASCII as escapes, which jsonb has not.
_FORGET = """
DELETE FROM accounts_idempotentanswer
 WHERE CASE WHEN headers ->> 'Content-Type' LIKE '%%json%%'
            THEN convert_from(body, 'UTF8')::jsonb::text ~* %(alone)s END
    OR endpoint ~* %(alone)s
"""


def once(
    request: HttpRequest, holder: str, act: Callable[[], HttpResponseBase], *, now: datetime
) -> HttpResponseBase:
    """Do what is asked, or repeat the answer of when it was done; in the caller's transaction.

    :raises Problem: the key is of another request, or that is under way at this moment.
    """
    key = request.headers.get(HEADER, "")
    if not key or request.method != "POST":
        return act()
    _check(key)
    endpoint = f"{request.method} {request.path}"[:300]
    _lock(f"api:{holder}:{endpoint}:{key}")
    sent = _digest(request)
    known = IdempotentAnswer.objects.filter(holder=holder, endpoint=endpoint, key=key).first()
    if known and known.created_at > now - KEPT_FOR:
        return _again(known, sent)
    if known:
        known.delete()
    answer = act()
    if isinstance(answer, HttpResponse) and answer.status_code < 400:
        repeated = _done_already(answer) if _is_secret(answer) else answer
        IdempotentAnswer.objects.create(
            holder=holder,
            endpoint=endpoint,
            key=key,
            request=sent,
            status=repeated.status_code,
            headers={name: repeated[name] for name in _REPEATED if name in repeated},
            body=repeated.content,
            created_at=now,
        )
    return answer


def forget_old(*, now: datetime) -> int:
    """Delete answers that are not repeated any more; return how many."""
    return delete_in_batches(IdempotentAnswer.objects.filter(created_at__lte=now - KEPT_FOR))


def forget(person: Person, _now: datetime) -> None:
    """Delete the answers that name a person: their requests, sent again, are looked at anew."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"alone": alone(person.keys)})


register(Holder("answers of the API", forget=forget))


def _check(key: str) -> None:
    if len(key) > LONGEST or not (key.isascii() and key.isprintable()):
        raise Problem(400, f"An {HEADER} has at most {LONGEST} printable ASCII characters.")


def _lock(name: str) -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("the answer is kept with its effect")
    if not named_locks.take(name):
        raise Problem(
            409, f"A request with this {HEADER} is under way.", headers={"Retry-After": "1"}
        )


def _digest(request: HttpRequest) -> bytes:
    """Return what stands for a request; of a form by its parts: their boundary is made anew."""
    said = sha256(f"{request.content_type}\n{request.META.get('QUERY_STRING', '')}\n".encode())
    if request.content_type != "multipart/form-data":
        said.update(request.body)
        return said.digest()
    said.update(repr(sorted(request.POST.lists())).encode())
    for name, files in sorted(request.FILES.lists()):
        for file in files:
            said.update(repr((name, file.name, file.content_type)).encode())
            said.update(sha256(file.read()).digest())
            file.seek(0)
    return said.digest()


def _is_secret(answer: HttpResponse) -> bool:
    return "no-store" in answer.headers.get("Cache-Control", "")


def _done_already(answer: HttpResponse) -> HttpResponse:
    """Return what is answered to a request whose answer had a secret."""
    made = {"Location": answer["Location"]} if "Location" in answer else {}
    return problem(
        409,
        "This was done already. Its answer had a secret, which is not kept here: if you have not"
        " got it, renew the secret.",
        headers=made,
    )


def _again(known: IdempotentAnswer, sent: bytes) -> HttpResponse:
    if bytes(known.request) != sent:
        raise Problem(422, f"This {HEADER} was used for another request; take a new one.")
    answer = HttpResponse(bytes(known.body), status=known.status, headers=known.headers)
    answer["Idempotency-Replayed"] = "true"
    return answer

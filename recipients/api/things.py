"""One thing: found for who may see it, and changed by who saw it as it is (RFC 9110 8.8.3)."""

from hashlib import sha256
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags
from ninja import Schema

from recipients.api.refusals import Problem, not_found

Row = TypeVar("Row", bound=Model)
Shown = TypeVar("Shown", bound=Schema)


def found(rows: "QuerySet[Row]", pk: object) -> Row:
    """Return a row of these.

    :raises Problem: there is none.
    """
    row = rows.filter(pk=pk).first()
    if row is None:
        raise not_found()
    return row


def shown(response: HttpResponse, row: Model, form: type[Shown]) -> Shown:
    """Return how a row is shown, and tell its entity tag."""
    answer = form.from_orm(row)
    response["ETag"] = etag(answer)
    return answer


def held(request: HttpRequest, rows: "QuerySet[Row]", pk: object, form: type[Schema]) -> Row:
    """Return a row of these, locked to the end of the transaction.

    :raises Problem: there is none, or it is not as the caller saw it (If-Match).
    """
    # By itself: what narrows the rows may join others, which need not wait.
    list(rows.model._base_manager.filter(pk=pk).select_for_update().values_list("pk"))  # noqa: SLF001
    row = found(rows, pk)
    wanted = parse_etags(request.headers.get("If-Match", "*"))
    if "*" not in wanted and etag(form.from_orm(row)) not in wanted:
        raise Problem(412, "It has been changed since you read it; read it again.")
    return row


def etag(answer: Schema) -> str:
    """Return the entity tag of what is shown; the same words have the same one."""
    return f'"{sha256(answer.model_dump_json().encode()).hexdigest()[:32]}"'

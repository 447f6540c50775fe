"""What staff did by these pages, in the same history as what they do at the console."""

from typing import Any

from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest


def note(request: Any, about: Model, what: str) -> None:
    """Note down what the user of this request did with something."""
    _note(request, about, str(about), CHANGE, what)


def note_erasure(request: Any, about: Model) -> None:
    """Note down that somebody was erased, without what they were called."""
    _note(request, about, "erased", DELETION, "Erased")


def source_of(request: HttpRequest, declaration: str = "") -> str:
    """Return who said so, for the consent ledger: a number, for names may be addresses."""
    return ": ".join(filter(None, [f"staff {request.user.pk}", declaration]))


def _note(request: Any, about: Model, called: str, flag: int, what: str) -> None:
    LogEntry.objects.create(
        user_id=request.user.pk,
        content_type=ContentType.objects.get_for_model(about),
        object_id=str(about.pk),
        object_repr=called[:200],
        action_flag=flag,
        change_message=what,
    )

"""What an endpoint refuses, as RFC 9457 describes it; the wiring makes the answer of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BaseForm


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in what was sent."""

    pointer: str
    """Where (RFC 6901): `/fields/city`; empty: the whole."""
    detail: str


@dataclass(slots=True)
class Problem(Exception):
    """What was asked for is not done; the detail says why."""

    status: int
    detail: str
    faults: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail


def not_found() -> Problem:
    """Return the refusal of what is not there, or is not to be seen, which nobody can tell."""
    return Problem(404, "There is nothing here that you may see.")


def invalid(faults: Iterable[Fault]) -> Problem:
    """Return the refusal of what can be read and is wrong."""
    return Problem(422, "Something in what was sent is wrong.", list(faults))


def refuse_form(form: BaseForm, *, names: Mapping[str, str] | None = None) -> NoReturn:
    """Refuse what a form does not take.

    :param names: what its fields are called in the body, where it is something else.
    :raises Problem:
    """
    known = names or {}
    raise invalid(
        Fault("" if name == NON_FIELD_ERRORS else f"/{known.get(name, name)}", message)
        for name, errors in form.errors.get_json_data().items()
        for message in [each["message"] for each in errors]
    )

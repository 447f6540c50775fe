"""What the fields of models may hold, beside what Django looks at."""

from functools import cache
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError

from recipients.headers import BadHeader, clean_header


def validate_header_text(value: str) -> None:
    """Validate a text that goes into headers: a list's name, a display name.

    :raises ValidationError: it could break out of its line, see `clean_header`.
    """
    try:
        clean_header(value)
    except BadHeader as error:
        raise ValidationError(str(error)) from None


@cache
def time_zones() -> frozenset[str]:
    """Return the names of all time zones, read once: to find them, 600 files are opened."""
    return frozenset(available_timezones())


def in_one_line(error: ValidationError) -> str:
    """Return what `full_clean` found, field by field."""
    found = error.message_dict.items()
    return "; ".join(f"{name.strip('_')}: {' '.join(said)}" for name, said in found)

"""Reasons and times as people read them, in their language."""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.timezone import localtime


def sentence(reason: object) -> str:
    """Return a reason that stands alone: a capital letter, one full stop; a library's has one."""
    return f"{capfirst(str(reason)).removesuffix('.')}."


def moment(at: datetime) -> str:
    """Return a time as a page shows it, with its zone."""
    local = localtime(at)
    return f"{date_format(local, 'DATETIME_FORMAT')} {local:%Z}"

"""Reasons as people read them: where they stand alone, and not after a colon."""

from django.utils.text import capfirst


def sentence(reason: object) -> str:
    """Return a reason with a capital letter and one full stop; a library's own has one already."""
    return f"{capfirst(str(reason)).removesuffix('.')}."

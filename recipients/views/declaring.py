"""Who says so, for the consent ledger."""

from django.http import HttpRequest


def source_of(request: HttpRequest, declaration: str = "") -> str:
    """Return who said so: a number, for names may be addresses."""
    return ": ".join(filter(None, [f"staff {request.user.pk}", declaration]))

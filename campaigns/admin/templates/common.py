"""What the pages of templates have in common."""

from django.urls import reverse

from templates_app.models import EmailTemplate

_LONGEST = 18  # digits that a bigint has room for


def is_number(text: str) -> bool:
    """Whether a text from an address or a form can be an id, or a place in a list."""
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST


def change_url(template: EmailTemplate) -> str:
    return reverse("admin:templates_app_emailtemplate_change", args=[template.pk])

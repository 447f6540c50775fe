# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
"""A page of the console that says what a verb means, with a form and a button that does it."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest
from django.template.response import TemplateResponse


@dataclass(frozen=True, slots=True)
class Verb:
    title: str
    meaning: str
    button: str
    is_final: bool = False


def verb_page(
    model_admin: Any,
    request: HttpRequest,
    verb: Verb,
    form: forms.Form,
    *,
    back: str,
    original: Any = None,
    **context: Any,
) -> TemplateResponse:
    """Show the page of a verb, with what is wrong in the form."""
    return TemplateResponse(
        request,
        "recipients/verb.html",
        {
            **model_admin.admin_site.each_context(request),
            "title": f"{verb.title}: {original}" if original else verb.title,
            "opts": model_admin.opts,
            "original": original,
            "verb": verb,
            "form": form,
            "back": back,
            **context,
        },
        status=422 if form.errors else 200,
    )

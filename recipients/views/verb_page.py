"""A page that says what a verb means, with a form and a button that does it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Verb:
    title: str | Promise
    meaning: str | Promise
    button: str | Promise
    is_final: bool = False


def verb_page(
    request: HttpRequest,
    verb: Verb,
    form: forms.Form,
    *,
    back: str,
    of: object = None,
    facts: Sequence[tuple[str, object]] = (),
) -> HttpResponse:
    """Show the page of a verb, with what is wrong in the form.

    :param of: what it is done with
    :param facts: what is to be known before, by name
    """
    context = {"verb": verb, "form": form, "back": back, "of": of, "facts": facts}
    return render(request, "recipients/verb_page.html", context, status=422 if form.errors else 200)

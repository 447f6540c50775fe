"""Fields and tags: what can be known of recipients, and the words that staff put on them."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from recipients.forms.recipients import FieldForm, TagForm
from recipients.models import Field, FieldKind, Tag
from recipients.models.lists import hidden_lists
from recipients.segments.saving import segments_about
from recipients.views.verb_page import Verb, verb_page

DELETE_FIELD = Verb(
    gettext_lazy("Delete"),
    gettext_lazy(
        "Templates cannot speak of it any more. The values that recipients have stay where they"
        " are, for a field of the same name and kind."
    ),
    gettext_lazy("Delete the field"),
    is_final=True,
)
DELETE_TAG = Verb(
    gettext_lazy("Delete"),
    gettext_lazy("It is taken off all recipients who have it. It cannot be taken back."),
    gettext_lazy("Delete the tag"),
    is_final=True,
)

_WITH_FORM = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
@never_cache
def field_list(request: HttpRequest) -> HttpResponse:
    context = {"fields": Field.objects.order_by("name"), "choice": FieldKind.CHOICE}
    return render(request, "recipients/field_list.html", context)


@_WITH_FORM
@never_cache
def field_add(request: HttpRequest) -> HttpResponse:
    return _edit(request, FieldForm, Field(), _("New field"), "recipients:field_list")


@_WITH_FORM
@never_cache
def field_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what can be chosen; name and kind stay, or the values would not fit."""
    field = get_object_or_404(Field, pk=pk, kind=FieldKind.CHOICE)
    form_of = partial(FieldForm, names_segments=not hidden_lists(request.user))
    return _edit(
        request, form_of, field, _("Edit %(name)s") % {"name": field}, "recipients:field_list"
    )


@_WITH_FORM
@never_cache
def field_delete(request: HttpRequest, pk: int) -> HttpResponse:
    field = get_object_or_404(Field, pk=pk)
    users = _shown(request, segments_about(f"field:{field.name}"))
    return _delete(request, DELETE_FIELD, field, users, "recipients:field_list")


@require_safe
@never_cache
def tag_list(request: HttpRequest) -> HttpResponse:
    return render(request, "recipients/tag_list.html", {"tags": Tag.objects.order_by("name")})


@_WITH_FORM
@never_cache
def tag_add(request: HttpRequest) -> HttpResponse:
    return _edit(request, TagForm, Tag(), _("New tag"), "recipients:tag_list")


@_WITH_FORM
@never_cache
def tag_edit(request: HttpRequest, pk: int) -> HttpResponse:
    tag = get_object_or_404(Tag, pk=pk)
    return _edit(request, TagForm, tag, _("Edit %(name)s") % {"name": tag}, "recipients:tag_list")


@_WITH_FORM
@never_cache
def tag_delete(request: HttpRequest, pk: int) -> HttpResponse:
    tag = get_object_or_404(Tag, pk=pk)
    users = _shown(request, segments_about("tag", pk))
    return _delete(request, DELETE_TAG, tag, users, "recipients:tag_list")


def _edit(
    request: HttpRequest,
    form_of: Callable[..., forms.ModelForm[Any]],
    row: Model,
    title: str,
    back: str,
) -> HttpResponse:
    form = form_of(request.POST if request.method == "POST" else None, instance=row)
    if form.is_valid():
        saved = form.save()
        messages.success(request, _("%(name)s is saved.") % {"name": saved})
        return redirect(back)
    context = {"form": form, "title": title, "back": reverse(back)}
    status = 422 if form.errors else 200
    return render(request, "recipients/word_edit.html", context, status=status)


def _shown(request: HttpRequest, segments: Iterable[str]) -> list[str]:
    """Return what uses something; to whom no segment is shown, none is named."""
    found = list(segments)
    return [_("segments that you may not see")] if found and hidden_lists(request.user) else found


def _delete(
    request: HttpRequest, verb: Verb, row: Model, users: list[str], back: str
) -> HttpResponse:
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid() and users:
        said = _("It is used by %(users)s; take it out there first.") % {"users": ", ".join(users)}
        form.add_error(None, said)
    elif form.is_valid():
        row.delete()
        messages.success(request, _("%(name)s is deleted.") % {"name": row})
        return redirect(back)
    facts = [(_("Used by"), ", ".join(users) or _("nothing"))]
    return verb_page(request, verb, form, back=reverse(back), of=row, facts=facts)

"""The audit log, for who may look at it: who did what, to what, when, from where."""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.apps import apps
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from config.accounts.models import AuditEntry, Origin
from recipients.formulas import guarded
from recipients.noting import note
from recipients.paging import key_page

_MOST = 100_000  # rows of a file
_HEAD = tuple(
    "at actor origin ip act kind object_id name before after rows".split()  # noqa: SIM905
)

# Columns that name a thing by its id, and of which kind it is.
_NAMED = {
    "group_id": "auth.Group",
    "permission_id": "auth.Permission",
    "user_id": "auth.User",
    "mailinglist_id": "recipients.MailingList",
    "mailing_list_id": "recipients.MailingList",
    "segment_id": "recipients.Segment",
    "sender_id": "campaigns.Sender",
    "template_id": "templates_app.EmailTemplate",
    "transport_id": "campaigns.Transport",
    "file_id": "templates_app.MediaFile",
    "tag_id": "recipients.Tag",
}
Called = dict[tuple[str, int], str]

# What the log says, in English, in the words of whoever reads it.
_ACTS = {
    "added": _("added"),
    "changed": _("changed"),
    "deleted": _("deleted"),
    "and more": _("and more"),
    "discarded": _("discarded"),
    "downloaded": _("downloaded"),
    "handed out": _("handed out"),
    "sent a test": _("sent a test"),
    "signed in": _("signed in"),
    "signed out": _("signed out"),
    "failed to sign in": _("failed to sign in"),
}


class AuditForm(forms.Form):
    """What is looked for; each field narrows."""

    who = forms.CharField(label=_("Who"), required=False, max_length=200)
    kind = forms.CharField(label=_("What"), required=False, max_length=100)
    id = forms.CharField(label=_("Its id"), required=False, max_length=40)
    origin = forms.ChoiceField(
        label=_("From"), required=False, choices=[("", _("Everywhere")), *Origin.choices]
    )
    since = forms.DateField(
        label=_("Since"), required=False, widget=forms.DateInput({"type": "date"})
    )
    until = forms.DateField(
        label=_("Until"), required=False, widget=forms.DateInput({"type": "date"})
    )

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        for name in ("since", "until"):
            # No moment can be told at the ends of the calendar.
            if answers.get(name) and not 2000 <= answers[name].year < 3000:
                self.add_error(name, _("This year is too far away."))
        return answers

    def entries(self) -> "QuerySet[AuditEntry]":
        asked = self.cleaned_data
        given = {
            "actor": asked["who"],
            "kind": asked["kind"],
            "object_id": asked["id"],
            "origin": asked["origin"],
            "at__gte": asked["since"] and _midnight(asked["since"]),
            "at__lt": asked["until"] and _midnight(asked["until"]) + timedelta(days=1),
        }
        return AuditEntry.objects.filter(**{name: each for name, each in given.items() if each})


@require_safe
def audit_list(request: HttpRequest) -> HttpResponse:
    return _page(request, AuditForm(request.GET))


def _page(request: HttpRequest, form: AuditForm) -> HttpResponse:
    """Show the entries that are looked for; 422, and none, where the form cannot be read."""
    entries = form.entries() if form.is_valid() else AuditEntry.objects.none()
    page = key_page(entries, request.GET)
    called = called_of(page.rows)
    context = {
        "form": form,
        "page": page,
        "lines": [
            (each, _ACTS.get(each.act, each.act), kind_of(each.kind), changes_of(each, called))
            for each in page.rows
        ],
        "is_narrowed": any(request.GET.get(name) for name in form.fields),
        "query": request.GET.urlencode(),
    }
    status = 422 if form.errors else 200
    return render(request, "accounts/audit_list.html", context, status=status)


@require_safe
def audit_file(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Hand out what the page shows, all of its pages, as CSV."""
    form = AuditForm(request.GET)
    if not form.is_valid():
        return _page(request, form)
    note("downloaded", kind="", pk=0, name="audit log")
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingHttpResponse(_lines(form.entries()), content_type="text/csv", headers=headers)


def changes_of(entry: AuditEntry, called: Called) -> list[tuple[str, str, str]]:
    """Return column, before and after of what an entry changed."""
    before, after = entry.before or {}, entry.after or {}

    def word(name: str, value: Any) -> str:
        name_of_it = called.get((name, value)) if isinstance(value, int) else None
        return name_of_it or _word(value)

    names = sorted(before.keys() | after.keys())
    return [(name, word(name, before.get(name)), word(name, after.get(name))) for name in names]


def called_of(entries: Iterable[AuditEntry]) -> Called:
    """Return what the things are called that columns name by their ids; one query for a kind."""
    asked: dict[str, set[int]] = {}
    for entry in entries:
        for column, value in [*(entry.before or {}).items(), *(entry.after or {}).items()]:
            if column in _NAMED and isinstance(value, int):
                asked.setdefault(column, set()).add(value)
    return {
        (column, pk): str(found)
        for column, ids in asked.items()
        for pk, found in apps.get_model(_NAMED[column]).objects.in_bulk(ids).items()
    }


def kind_of(kind: str) -> str:
    """Return what people call it: `campaigns.campaign` is a campaign."""
    app, _dot, model = kind.partition(".")
    if not model:
        return ""
    try:
        return capfirst(str(apps.get_model(app, model)._meta.verbose_name))  # noqa: SLF001
    except LookupError:
        return kind


def _word(value: Any) -> str:
    if value is None or value == "":
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _midnight(day: Any) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


class _Echo:
    def write(self, line: str) -> str:
        return line


def _lines(entries: "QuerySet[AuditEntry]") -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(_HEAD)
    for entry in entries.order_by("-pk")[:_MOST].iterator(chunk_size=1_000):
        values = [getattr(entry, name) for name in _HEAD]
        yield writer.writerow([guarded(_cell(value)) for value in values])


def _cell(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else _word(value)

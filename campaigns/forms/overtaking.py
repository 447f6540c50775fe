"""Two people at the same form: what its author saw, and what somebody else has saved meanwhile.

The form is shown with a digest of what it showed. Where that is not what is saved any more, it is
shown once more, with all that was typed, and beside it what is saved now.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, cast

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _

SEEN = "seen"


def remember(form: forms.BaseForm) -> None:
    """Have a form carry what it shows; it is called when all initial values are there."""
    form.fields[SEEN] = forms.CharField(
        max_length=64, required=False, widget=forms.HiddenInput, initial=_digest(form)
    )


def theirs(form: forms.BaseForm) -> list[tuple[str, str]]:
    """Return what is saved now and differs from what was typed, where its author has not seen it.

    Sent again, the form overrules that: its author has seen it then. What was typed twice alike
    differs in nothing. A form that does not say what was seen is taken as it is.
    """
    seen, saved = form.cleaned_data.get(SEEN), form.fields[SEEN].initial
    if not seen or seen == saved:
        return []
    found = [
        (str(form[name].label), _words(form.fields[name], form[name].initial))
        for name in form.changed_data
        if name != SEEN
    ]
    form.data = cast("QueryDict", form.data).copy()
    form.data[SEEN] = saved
    return found


def _digest(form: forms.BaseForm) -> str:
    shown = [(name, _plain(form[name].initial)) for name in form.fields if name != SEEN]
    return hashlib.sha256(repr(shown).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(map(str, value))
    return str(value)


def _words(field: forms.Field, saved: Any) -> str:
    """Return a value as people read it."""
    if isinstance(field, forms.ModelChoiceField):  # also of several
        chosen = saved if isinstance(saved, list) else [saved]
        found = cast("QuerySet[Any]", field.queryset).filter(pk__in=chosen)
        return _listed(map(str, found))
    if isinstance(field, forms.ChoiceField):
        choices = cast("Iterable[tuple[Any, Any]]", field.choices)
        return _listed(str(text) for value, text in choices if value == saved)
    if isinstance(field, forms.BooleanField):
        return _("yes") if saved else _("no")
    return _listed([str(field.prepare_value(saved))] if saved not in (None, "") else [])


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(texts) or _("nothing")

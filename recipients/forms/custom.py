"""A control for a custom field: what is typed becomes a value of its kind."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from recipients.models import FieldKind
from recipients.values import BadValue, Kind, Value, in_digits


class CustomField(forms.CharField):
    """The text of a value that may be left blank; cleaned, it is the value as it is stored."""

    def __init__(self, kind: Kind, *, longest: int, label: str) -> None:
        self._kind = kind
        super().__init__(required=False, max_length=longest, label=label, widget=_widget(kind))

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {} if isinstance(widget, forms.Select) else super().widget_attrs(widget)

    def clean(self, value: Any) -> Value:
        text = super().clean(value)
        try:
            return self._kind.read(text) if text else ""
        except BadValue as error:
            raise ValidationError(_("This does not fit: %(reason)s.") % {"reason": error}) from None


def _widget(kind: Kind) -> forms.Widget:
    if kind.kind == FieldKind.CHOICE:
        return forms.Select(choices=[("", "—"), *((each, each) for each in kind.choices)])
    if kind.kind == FieldKind.BOOLEAN:
        return forms.Select(choices=[("", "—"), ("yes", _("Yes")), ("no", _("No"))])
    if kind.kind == FieldKind.DATE:
        return forms.DateInput(attrs={"type": "date"})
    if kind.kind == FieldKind.NUMBER:
        return forms.TextInput(attrs={"inputmode": "decimal"})
    return forms.TextInput()


def as_typed(value: Any) -> str:
    """Return a stored value as the control of its field has it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return in_digits(value) if isinstance(value, float) else str(value)


def in_words(name: str) -> str:
    """Return the name of a custom field as people read it."""
    return name.replace("_", " ").capitalize()

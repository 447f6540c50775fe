"""What staff type about recipients, checked in the same way as what they import."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recipients.addresses import Address, BadAddress, parse_address
from recipients.importing.layout import RESERVED, STANDARD
from recipients.models import Field, FieldKind, Recipient, Tag
from recipients.segments.saving import segments_choosing
from recipients.segments.takes import LONGEST_VALUE
from recipients.services import misfit
from recipients.suppression import erased
from recipients.validators import time_zones
from recipients.values import BadValue, Kind, kinds_of


def clean_address(text: str) -> Address:
    """Read an address that was typed into a form.

    :raises ValidationError: it is none.
    """
    try:
        return parse_address(text)
    except BadAddress as error:
        raise ValidationError(
            _("This is not an address: %(reason)s.") % {"reason": error}
        ) from None


class TypedJSONField(forms.JSONField):
    """Shows what was typed as it was typed; to write it anew may fail."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial if self.disabled else InvalidJSONInput(data or "")


class RecipientForm(forms.ModelForm[Recipient]):
    class Meta:
        model = Recipient
        fields = ("address", "fields", "language", "time_zone")
        field_classes = {"fields": TypedJSONField}

    def clean_address(self) -> str:
        parsed = clean_address(self.cleaned_data["address"])
        if erased([parsed.key]):
            raise ValidationError(
                _("This person asked to be forgotten; only they themselves may come back.")
            )
        same = Recipient.objects.filter(key=parsed.key).exclude(pk=self.instance.pk)
        if found := same.first():
            raise ValidationError(
                _("There is a recipient with this address: %(address)s.")
                % {"address": found.address}
            )
        self.instance.key = parsed.key
        self.instance.domain = parsed.domain
        self.instance.needs_smtputf8 = parsed.needs_smtputf8
        return parsed.addr_spec

    def clean_fields(self) -> dict[str, Any]:
        values = self.cleaned_data["fields"] or {}
        if not isinstance(values, dict):
            raise ValidationError(_('Write an object of names and values: {"first_name": "Ada"}.'))
        if not _can_be_stored(values):
            raise ValidationError(
                _("There is a NUL, half a character or a number without value in it.")
            )
        known = kinds_of(Field.objects.all())
        if unknown := sorted(values.keys() - known.keys()):
            raise ValidationError(
                _("There is no field %(names)s: add it to the fields first.")
                % {"names": ", ".join(unknown)}
            )
        return {name: _read_value(name, known[name], value) for name, value in values.items()}

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if name and name not in time_zones():
            raise ValidationError(
                _("%(name)s is no time zone; write one like Europe/Berlin.") % {"name": name}
            )
        return name


def _read_value(name: str, kind: Kind, value: Any) -> Any:
    if value in (None, ""):
        return ""
    try:
        return kind.check(value)
    except BadValue as error:
        raise ValidationError(f"{name}: {error}.") from None


def _can_be_stored(values: dict[str, Any]) -> bool:
    """Whether PostgreSQL takes this JSON; Python's reader takes more than there is (RFC 8259)."""
    try:
        text = json.dumps(values, allow_nan=False, ensure_ascii=False)
        text.encode()
    except ValueError:
        return False
    return r"\u0000" not in text


class FieldForm(forms.ModelForm[Field]):
    choices = forms.CharField(
        label=gettext_lazy("Choices"),
        required=False,
        widget=forms.Textarea,
        help_text=gettext_lazy("Of a field that is one of several: one choice in each line."),
    )

    class Meta:
        model = Field
        fields = ("name", "kind", "choices")
        labels = {"name": gettext_lazy("Name"), "kind": gettext_lazy("Kind")}
        help_texts = {
            "name": gettext_lazy(
                "As templates write it: {{ first_name }} has the name first_name."
            ),
            "kind": gettext_lazy(
                "It cannot be changed later: the values that are there would not fit."
            ),
        }

    def __init__(self, *args: Any, names_segments: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names_segments = names_segments
        self.initial["choices"] = "\n".join(self.instance.choices)
        if self.instance.pk:
            # Neither renamed nor made another kind: the values of recipients would stay behind.
            del self.fields["name"], self.fields["kind"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not (name.isidentifier() and name == name.lower() and not name.startswith("_")):
            raise ValidationError(_("Write lower-case letters, digits and _, a letter first."))
        if name in RESERVED or name in STANDARD:
            raise ValidationError(
                _("%(name)s is a name of Godwit's own; choose another one.") % {"name": name}
            )
        return name

    def clean_choices(self) -> list[str]:
        lines = (line.strip() for line in self.cleaned_data["choices"].splitlines())
        choices = [line for line in lines if line]
        folded = [choice.casefold() for choice in choices]
        if len(set(folded)) < len(folded):
            raise ValidationError(_("Two choices are the same; write each once."))
        if max(map(len, choices), default=0) > LONGEST_VALUE:
            raise ValidationError(
                _("A choice has at most %(most)s characters.") % {"most": LONGEST_VALUE}
            )
        self._keep_what_is_asked(choices)
        return choices

    def _keep_what_is_asked(self, choices: list[str]) -> None:
        gone = sorted(set(self.instance.choices) - set(choices))
        if users := list(segments_choosing(f"field:{self.instance.name}", gone)):
            if not self._names_segments:
                users = [_("segments that you may not see")]
            raise ValidationError(
                _("%(choices)s: used by %(users)s; take it out there first.")
                % {"choices": ", ".join(gone), "users": ", ".join(users)}
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        kind = cleaned.get("kind", self.instance.kind)
        if kind == FieldKind.CHOICE and cleaned.get("choices") == []:
            raise ValidationError({"choices": _("Write what can be chosen, one in each line.")})
        if kind != FieldKind.CHOICE and cleaned.get("choices"):
            said = _("A field of kind %(kind)s has no choices.") % {"kind": kind}
            raise ValidationError({"choices": said})
        if not self.errors:
            self._keep_what_is_stored(Kind(FieldKind(kind), cleaned["choices"]))
        return cleaned

    def _keep_what_is_stored(self, kind: Kind) -> None:
        name = self.cleaned_data.get("name", self.instance.name)
        if reason := misfit(name, kind):
            raise ValidationError(
                _(
                    "Recipients have values under this name that would not fit: %(reason)s. "
                    "Keep the choices, or take another name or kind."
                )
                % {"reason": reason}
            )


class TagForm(forms.ModelForm[Tag]):
    class Meta:
        model = Tag
        fields = ("name",)
        labels = {"name": gettext_lazy("Name")}

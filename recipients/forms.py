"""What staff type about recipients, checked in the same way as what they import."""

import json
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput

from recipients.addresses import Address, BadAddress, parse_address
from recipients.csv_reader import ADDRESS_COLUMN, RESERVED
from recipients.models import Field, Recipient, Suppression


def clean_address(text: str) -> Address:
    """Read an address that was typed into a form.

    :raises ValidationError: it is none.
    """
    try:
        return parse_address(text)
    except BadAddress as error:
        raise ValidationError(f"This is not an address: {error}.") from None


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
        same = Recipient.objects.filter(key=parsed.key).exclude(pk=self.instance.pk)
        if found := same.first():
            raise ValidationError(f"There is a recipient with this address: {found.address}.")
        self.instance.key = parsed.key
        self.instance.domain = parsed.domain
        self.instance.needs_smtputf8 = parsed.needs_smtputf8
        return parsed.addr_spec

    def clean_fields(self) -> dict[str, Any]:
        values = self.cleaned_data["fields"] or {}
        if not isinstance(values, dict):
            raise ValidationError('Write an object of names and values: {"first_name": "Ada"}.')
        if not _can_be_stored(values):
            raise ValidationError(
                "There is a NUL, half a character or a number without value in it."
            )
        known = Field.objects.filter(name__in=values).values_list("name", flat=True)
        if unknown := sorted(values.keys() - set(known)):
            raise ValidationError(
                f"There is no field {', '.join(unknown)}: add it to the fields first."
            )
        return values

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if name and name not in available_timezones():
            raise ValidationError(f"{name} is no time zone; write one like Europe/Berlin.")
        return name


def _can_be_stored(values: dict[str, Any]) -> bool:
    """Whether PostgreSQL takes this JSON; Python's reader takes more than there is (RFC 8259)."""
    try:
        text = json.dumps(values, allow_nan=False, ensure_ascii=False)
        text.encode()
    except ValueError:
        return False
    return r"\u0000" not in text


class FieldForm(forms.ModelForm[Field]):
    class Meta:
        model = Field
        fields = ("name",)
        help_texts = {"name": "As templates write it: {{ first_name }} has the name first_name."}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not (name.isidentifier() and name == name.lower() and not name.startswith("_")):
            raise ValidationError("Write lower-case letters, digits and _, a letter first.")
        if name in RESERVED or name == ADDRESS_COLUMN:
            raise ValidationError(f"{name} is a name of Godwit's own; choose another one.")
        return name


class SuppressionForm(forms.ModelForm[Suppression]):
    class Meta:
        model = Suppression
        fields = ("key", "reason")

    def clean_key(self) -> str:
        return clean_address(self.cleaned_data["key"]).key

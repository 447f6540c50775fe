"""The form by which people subscribe, on its own page and in those of others."""

import re
from typing import Any

from django import forms
from django.http import QueryDict

from recipients import consent
from recipients.addresses import Address
from recipients.forms.custom import CustomField, in_words
from recipients.forms.recipients import clean_address
from recipients.models import ConsentWording, SignupForm
from recipients.values import Value, kinds_of

HONEYPOT = "website"
ADDRESS, AGREED, WORDING = "address", "agreed", "wording"
_FIELD = "field-"  # before the names of custom fields: none of them can be one of ours
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST = 1_000  # characters of an answer
CHANGED = (
    "The words have changed since this form was made. Read them, and tick the box if you agree."
)


class SubscribeForm(forms.Form):
    """What a `SignupForm` asks; all of it is checked before anything is looked up."""

    use_required_attribute = False  # our words say what is missing, and where

    def __init__(self, signup_form: SignupForm, data: QueryDict | None = None) -> None:
        self.signup_form = signup_form
        present = ConsentWording(language=signup_form.language, text=signup_form.wording)
        self._wording = present
        missing = "Tick the box if you agree; without it nothing is sent."
        if data is not None:
            found = self._shown(data.get(WORDING, ""))
            if found is None:
                data, missing = _read_again(data), CHANGED
            self._wording = found or present
        super().__init__(data, auto_id="subscribe-%s")
        self.custom = kinds_of(signup_form.fields.order_by("pk"))
        self.fields[ADDRESS] = _AddressField()
        for name, kind in self.custom.items():
            label = f"{in_words(name)} (optional)"
            self.fields[f"{_FIELD}{name}"] = CustomField(kind, longest=_LONGEST, label=label)
        self.fields[AGREED] = forms.BooleanField(
            label=self._wording.text, error_messages={"required": missing}
        )

    @property
    def wording(self) -> str:
        """The digits of the words beside the box; they come back with the form."""
        return _digest(self._wording).hex()

    def keep_wording(self) -> bytes:
        """Keep the words that were agreed to, and return what stands for them."""
        return consent.keep_wording(self._wording.text, language=self._wording.language)

    def _shown(self, digits: str) -> ConsentWording | None:
        """Return the words that a copy of the form shows: the present ones, or earlier ones."""
        if digits == self.wording:
            return self._wording
        if not _DIGEST.fullmatch(digits):
            return None
        return self.signup_form.wordings.filter(digest=bytes.fromhex(digits)).first()

    def answers(self) -> dict[str, Value]:
        """Return what was answered, by the names of fields, in the form in which it is stored."""
        given = {name: self.cleaned_data[f"{_FIELD}{name}"] for name in self.custom}
        return {name: value for name, value in given.items() if value != ""}


def _read_again(data: QueryDict) -> QueryDict:
    """Return what was typed, but for the consent: it was given to words that are not ours."""
    data = data.copy()
    data.pop(AGREED, None)
    return data


def _digest(wording: ConsentWording) -> bytes:
    return consent.wording_digest(wording.text, language=wording.language)


class _AddressField(forms.CharField):
    def __init__(self) -> None:
        super().__init__(
            label="Email address",
            max_length=320,
            widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
            error_messages={"required": "Write your email address."},
        )

    def clean(self, value: Any) -> Address:
        return clean_address(super().clean(value))

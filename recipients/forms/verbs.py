"""What staff are asked before something is done that cannot simply be taken back."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from recipients.forms.recipients import clean_address
from recipients.handout import HandoutFormat
from recipients.models import GIVEN_BY_STAFF, Export, MergePolicy, Recipient, SuppressionReason
from recipients.suppression import LONGEST_SOURCE, BadEntry, entries_of

_REASONS = [(one.value, one.label) for one in GIVEN_BY_STAFF]


class SuppressManyForm(forms.Form):
    entries = forms.CharField(
        label="Addresses and domains",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12}),
        help_text="One on each line.",
        strip=False,
    )
    reason = forms.ChoiceField(
        choices=_REASONS, initial=SuppressionReason.MANUAL, widget=UnfoldAdminSelectWidget
    )
    source = forms.CharField(
        label="Where this is from",
        max_length=LONGEST_SOURCE - 50,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Without addresses: the list of our former provider, March 2026.",
    )

    def clean_entries(self) -> list[str]:
        try:
            return entries_of(self.cleaned_data["entries"])
        except BadEntry as error:
            raise ValidationError(f"Nothing was added. {error}.") from None

    def clean_source(self) -> str:
        source: str = self.cleaned_data["source"]
        if "@" in source:
            raise ValidationError("Write it without an address: it is kept when they are erased.")
        return source


class LiftForm(forms.Form):
    why = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text="Kept with who lifted it, and when.",
    )


class HandOutForm(forms.Form):
    form = forms.ChoiceField(
        label="File",
        choices=HandoutFormat.choices,
        initial=HandoutFormat.JSON,
        widget=UnfoldAdminRadioSelectWidget,
    )


class EraseForm(forms.Form):
    address = forms.CharField(
        label="The address once more",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Type it, so that nobody else is erased.",
    )

    def __init__(self, *args: Any, recipient: Recipient, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recipient = recipient

    def clean_address(self) -> str:
        typed = clean_address(self.cleaned_data["address"])
        if typed.key != self._recipient.key:
            raise ValidationError("This is another address than that of this recipient.")
        return typed.key


class MergeForm(forms.Form):
    other = forms.CharField(
        label="Address of the other row",
        widget=UnfoldAdminTextInputWidget,
        help_text="It becomes a part of this one, and its row goes.",
    )
    policy = forms.ChoiceField(
        label="Fields",
        choices=MergePolicy.choices,
        initial=MergePolicy.FILL,
        widget=UnfoldAdminSelectWidget,
    )

    def clean_other(self) -> Recipient:
        key = clean_address(self.cleaned_data["other"]).key
        other = Recipient.objects.filter(key=key).first()
        if other is None:
            raise ValidationError(f"There is no recipient {key}.")
        return other


class ExportForm(forms.ModelForm[Export]):
    class Meta:
        model = Export
        fields = ("mailing_list", "segment", "format")
        help_texts = {
            "mailing_list": "Everybody on it, in whatever state.",
            "segment": "Who answers to it. With neither: all recipients.",
        }

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("mailing_list") and given.get("segment"):
            raise ValidationError("Choose a list or a segment, or neither.")
        return given

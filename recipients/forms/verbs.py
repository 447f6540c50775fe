"""What staff are asked before something is done that cannot simply be taken back."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recipients.forms.person import without_address
from recipients.forms.recipients import clean_address
from recipients.handout import HandoutFormat
from recipients.models import GIVEN_BY_STAFF, Export, MergePolicy, Recipient, SuppressionReason
from recipients.suppression import LONGEST_SOURCE, BadEntry, entries_of

_REASONS = [(one.value, one.label) for one in GIVEN_BY_STAFF]


class SuppressionFilterForm(forms.Form):
    q = forms.CharField(
        label=gettext_lazy("Search"),
        max_length=254,
        required=False,
        help_text=gettext_lazy("An address, a domain, or how one begins"),
        widget=forms.TextInput({"type": "search", "autocomplete": "off", "spellcheck": "false"}),
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        choices=[("", gettext_lazy("any")), *SuppressionReason.choices],
        required=False,
    )
    domains = forms.BooleanField(label=gettext_lazy("Whole domains"), required=False)


class SuppressManyForm(forms.Form):
    entries = forms.CharField(
        label=gettext_lazy("Addresses and domains"),
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One on each line; some 70,000 at once, of more the command suppress reads a file."
        ),
        strip=False,
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"), choices=_REASONS, initial=SuppressionReason.MANUAL
    )
    source = forms.CharField(
        label=gettext_lazy("Where this is from"),
        max_length=LONGEST_SOURCE - 50,
        required=False,
        help_text=gettext_lazy("Without addresses: the list of our former provider, March 2026."),
    )

    def clean_entries(self) -> list[str]:
        try:
            return entries_of(self.cleaned_data["entries"])
        except BadEntry as error:
            raise ValidationError(_("Nothing was added. %(reason)s.") % {"reason": error}) from None

    def clean_source(self) -> str:
        return without_address(self.cleaned_data["source"])


class LiftForm(forms.Form):
    why = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=500,
        help_text=gettext_lazy("Kept with who lifted it, and when."),
    )


class SuppressForm(forms.Form):
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"), choices=_REASONS, initial=SuppressionReason.MANUAL
    )
    source = forms.CharField(
        label=gettext_lazy("Where this is from"),
        max_length=LONGEST_SOURCE - 50,
        required=False,
        help_text=gettext_lazy("Without an address: it is kept when they are erased."),
    )

    def clean_source(self) -> str:
        return without_address(self.cleaned_data["source"])


class HandOutForm(forms.Form):
    form = forms.ChoiceField(
        label=gettext_lazy("File"),
        choices=HandoutFormat.choices,
        initial=HandoutFormat.JSON,
        widget=forms.RadioSelect,
    )


class EraseForm(forms.Form):
    address = forms.CharField(
        label=gettext_lazy("The address once more"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Type it, so that nobody else is erased."),
    )

    def __init__(self, *args: Any, recipient: Recipient, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recipient = recipient

    def clean_address(self) -> str:
        typed = clean_address(self.cleaned_data["address"])
        if typed.key != self._recipient.key:
            raise ValidationError(_("This is another address than that of this recipient."))
        return typed.key


class MergeForm(forms.Form):
    other = forms.CharField(
        label=gettext_lazy("Address of the other row"),
        help_text=gettext_lazy("It becomes a part of this one, and its row goes."),
    )
    policy = forms.ChoiceField(
        label=gettext_lazy("Fields"), choices=MergePolicy.choices, initial=MergePolicy.FILL
    )

    def __init__(self, *args: Any, among: "QuerySet[Recipient]", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._among = among

    def clean_other(self) -> Recipient:
        key = clean_address(self.cleaned_data["other"]).key
        other = self._among.filter(key=key).first()
        if other is None:
            raise ValidationError(_("There is no recipient %(address)s.") % {"address": key})
        return other


class ExportForm(forms.ModelForm[Export]):
    class Meta:
        model = Export
        fields = ("mailing_list", "segment", "format")
        help_texts = {
            "mailing_list": gettext_lazy("Everybody on it, in whatever state."),
            "segment": gettext_lazy("Who answers to it. With neither: all recipients."),
        }

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("mailing_list") and given.get("segment"):
            raise ValidationError(_("Choose a list or a segment, or neither."))
        return given

"""The filter of the list of recipients; it stands in the address of the page."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from recipients.finding import NO, YES, Filter
from recipients.models import MailingList, Segment, SubscriptionState, Tag

_LONGEST = 254  # characters: Recipient.key
_STATES = (
    (SubscriptionState.CONFIRMED, _("is on it")),
    (SubscriptionState.PENDING, _("has not confirmed yet")),
    (SubscriptionState.UNSUBSCRIBED, _("has left")),
)

_MAIL = ((NO, _("may be mailed")), (YES, _("suppressed")))


class FilterForm(forms.Form):
    q = forms.CharField(
        label=_("Search"),
        max_length=_LONGEST,
        required=False,
        help_text=_("The beginning of an address, or a field: city:Hanoi"),
        widget=forms.TextInput({"type": "search", "autocomplete": "off", "spellcheck": "false"}),
    )
    list = forms.ModelChoiceField(
        MailingList.objects.none(), label=_("List"), required=False, empty_label=_("any")
    )
    state = forms.ChoiceField(label=_("On that list"), choices=_STATES, required=False)
    tag = forms.ModelChoiceField(
        Tag.objects.all(), label=_("Tag"), required=False, empty_label=_("any")
    )
    segment = forms.ModelChoiceField(
        Segment.objects.none(), label=_("Segment"), required=False, empty_label=_("any")
    )
    suppressed = forms.ChoiceField(
        label=_("Mail"),
        choices=[("", _("any")), *_MAIL],
        required=False,
    )

    def __init__(
        self, data: Any, *, lists: "QuerySet[MailingList]", segments: "QuerySet[Segment]"
    ) -> None:
        super().__init__(data, auto_id="filter-%s")
        self.fields["list"].queryset = lists  # type: ignore[attr-defined]
        self.fields["segment"].queryset = segments  # type: ignore[attr-defined]

    def asked(self) -> Filter:
        """Return what a valid form asks."""
        given = self.cleaned_data
        return Filter(
            text=given["q"],
            mailing_list=given["list"],
            state=given["state"] or SubscriptionState.CONFIRMED,
            tag=given["tag"],
            segment=given["segment"],
            suppressed=given["suppressed"],
        )

    def filled(self) -> Sequence[tuple[str, Any, str, str]]:
        """Return what it asks: name, label, value as it is posted, value as it is read."""
        return [
            (name, self.fields[name].label, self[name].value(), _read(self, name))
            for name in self.fields
            if self.cleaned_data.get(name) and (name != "state" or self.cleaned_data.get("list"))
        ]


def _read(form: FilterForm, name: str) -> str:
    words: dict[str, Any] = {**dict(_STATES), **dict(_MAIL)}
    chosen = form.cleaned_data[name]
    return str(words.get(chosen, chosen) if name in {"state", "suppressed"} else chosen)

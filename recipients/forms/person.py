"""What staff type about one recipient."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recipients.addresses import Address
from recipients.forms.custom import CustomField, as_typed, in_words
from recipients.forms.recipients import clean_address
from recipients.models import Field, MailingList, Recipient, Tag
from recipients.people import Typed
from recipients.validators import time_zones
from recipients.values import LONGEST_TEXT, kinds_of

_FIELD = "field-"  # before the names of custom fields: none of them can be one of ours


class PersonForm(forms.Form):
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=320,
        widget=forms.TextInput({"inputmode": "email", "autocomplete": "off"}),
    )
    language = forms.CharField(
        label=gettext_lazy("Language"),
        max_length=35,
        required=False,
        help_text=gettext_lazy("As BCP 47 writes it: en, vi, pt-BR."),
    )
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        max_length=64,
        required=False,
        help_text=gettext_lazy("Like Asia/Ho_Chi_Minh or Europe/Berlin."),
    )
    tags = forms.ModelMultipleChoiceField(
        Tag.objects.all(),
        label=gettext_lazy("Tags"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, data: Any = None, *, recipient: Recipient | None = None) -> None:
        stored = dict(recipient.fields) if recipient else {}
        self._stored = stored
        super().__init__(data, initial=_initial(recipient) if recipient else None)
        if not Tag.objects.exists():
            del self.fields["tags"]
        self._kinds = kinds_of(Field.objects.order_by("name"))
        for name, kind in self._kinds.items():
            self.fields[f"{_FIELD}{name}"] = CustomField(
                kind, longest=LONGEST_TEXT, label=in_words(name)
            )

    def clean_address(self) -> Address:
        return clean_address(self.cleaned_data["address"])

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if name and name not in time_zones():
            said = _("%(name)s is no time zone; write one like Europe/Berlin.")
            raise ValidationError(said % {"name": name})
        return name

    def typed(self) -> Typed:
        """Return what a valid form says; values of fields that are no more stay as they are."""
        given = self.cleaned_data
        values = {name: given[f"{_FIELD}{name}"] for name in self._kinds}
        filled = {
            name: value for name, value in values.items() if value != "" or name in self._stored
        }
        return Typed(
            address=given["address"],
            fields={**self._stored, **filled},
            language=given["language"],
            time_zone=given["time_zone"],
            tags=list(given.get("tags", ())),
        )


class ChangeForm(PersonForm):
    seen = forms.DateTimeField(widget=forms.HiddenInput)


class AddForm(PersonForm):
    lists = forms.ModelMultipleChoiceField(
        MailingList.objects.none(),
        label=gettext_lazy("Lists"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    declaration = forms.CharField(
        label=gettext_lazy("Where their consent comes from"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Kept in the consent ledger. Write it without an address."),
    )

    def __init__(self, data: Any = None, *, lists: "QuerySet[MailingList]") -> None:
        super().__init__(data)
        self.fields["lists"].queryset = lists  # type: ignore[attr-defined]

    def clean_declaration(self) -> str:
        return without_address(self.cleaned_data["declaration"])


class SubscribeForm(forms.Form):
    """Onto which list somebody comes, and why that is right."""

    mailing_list = forms.ModelChoiceField(
        MailingList.objects.none(), label=gettext_lazy("List"), empty_label=gettext_lazy("Choose")
    )
    declaration = forms.CharField(
        label=gettext_lazy("Where their consent comes from"),
        max_length=200,
        help_text=gettext_lazy("Kept in the consent ledger. Write it without an address."),
    )

    def __init__(self, data: Any = None, *, lists: "QuerySet[MailingList]") -> None:
        super().__init__(data)
        self.fields["mailing_list"].queryset = lists  # type: ignore[attr-defined]

    def clean_declaration(self) -> str:
        return without_address(self.cleaned_data["declaration"])


def without_address(text: str) -> str:
    """Return a text that is kept for good, and so must name nobody.

    :raises ValidationError: there is an address in it.
    """
    if "@" in text:
        raise ValidationError(_("Write it without an address: it is kept when they are erased."))
    return text


def _initial(recipient: Recipient) -> dict[str, Any]:
    return {
        "address": recipient.address,
        "language": recipient.language,
        "time_zone": recipient.time_zone,
        "tags": recipient.tags.all(),
        "seen": recipient.updated_at.isoformat(),
        **{f"{_FIELD}{name}": as_typed(value) for name, value in recipient.fields.items()},
    }

"""What is asked before something is done with many recipients."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from recipients.models import ExportFormat, MailingList, Tag


class TagForm(forms.Form):
    tag = forms.ModelChoiceField(Tag.objects.all(), label=_("Tag"), empty_label=_("Choose"))


class LeaveForm(forms.Form):
    mailing_list = forms.ModelChoiceField(
        MailingList.objects.none(), label=_("List"), empty_label=_("Choose")
    )

    def __init__(self, data: Any = None, *, lists: "QuerySet[MailingList]") -> None:
        super().__init__(data)
        self.fields["mailing_list"].queryset = lists  # type: ignore[attr-defined]


class ExportForm(forms.Form):
    format = forms.ChoiceField(
        label=_("File"), choices=ExportFormat.choices, initial=ExportFormat.CSV
    )

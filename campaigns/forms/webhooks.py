"""What staff type about webhooks."""

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.webhooks.endpoints import Refused, check_url
from recipients.sentences import sentence
from tracking.models import Endpoint, Happened


class EndpointForm(forms.ModelForm[Endpoint]):
    url = forms.CharField(
        label="URL",
        max_length=500,
        widget=forms.URLInput({"placeholder": "https://", "spellcheck": "false"}),
        help_text=_("It is called with names and addresses of people."),
    )
    kinds = forms.MultipleChoiceField(
        label=_("Events"), choices=Happened, widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Endpoint
        fields = ("name", "url", "kinds", "is_active")
        help_texts = {
            "is_active": _("Switched off, it is not told of what happens meanwhile."),
        }

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            check_url(url)
        except Refused as refusal:
            raise forms.ValidationError(sentence(refusal)) from None
        return url


class ReplayForm(forms.Form):
    """Which calls that were given up are made again."""

    since = forms.DateField(
        label=_("What happened from this day on"), widget=forms.DateInput({"type": "date"})
    )

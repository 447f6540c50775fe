"""What people choose on the pages that signed links lead to."""

from typing import Any

from django import forms
from django.conf import global_settings
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from recipients import preferences
from recipients.models import Recipient, TrackingConsent
from tracking.models import Departure, DepartureReason

_LIST_IDS = 1_000


class ListsForm:
    """The lists that a page showed, which come back with its button: it speaks of no others."""

    def __init__(self, data: QueryDict, name: str = "list") -> None:
        self._values = data.getlist(name)[:_LIST_IDS]

    def ids(self) -> set[int]:
        """Return their ids; whether they are this person's to choose is asked later."""
        return {int(each) for each in self._values if each.isdecimal() and len(each) < 19}


class PreferencesForm(forms.Form):
    paused_until = forms.DateField(
        label="No message before",
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        input_formats=["%Y-%m-%d"],
        help_text="Empty: no pause.",
        error_messages={"invalid": "Write a date like 2026-12-04, or nothing."},
    )
    language = forms.ChoiceField(required=False)
    tracking = forms.ChoiceField(
        label=preferences.TRACKING_WORDS,
        required=False,
        choices=[(TrackingConsent.GRANTED, "Yes"), (TrackingConsent.DENIED, "No")],
        widget=forms.RadioSelect,
    )

    def __init__(self, person: Recipient, data: QueryDict | None = None) -> None:
        is_said = person.tracking_consent != TrackingConsent.UNKNOWN
        initial = {
            "paused_until": _still_ahead(person),
            "language": person.language,
            "tracking": person.tracking_consent if is_said else "",
        }
        super().__init__(data, initial=initial, auto_id="preferences-%s")
        self._person, self._sent = person, data or QueryDict()
        self.fields["language"].choices = _languages(person.language)  # type: ignore[attr-defined]

    def is_whole(self) -> bool:
        """Whether all of the form was posted: what is left out would be taken for empty."""
        return {"paused_until", "language"} <= self._sent.keys()

    def lists(self) -> list[dict[str, Any]]:
        """Return what is to be ticked: each list with the words of what that means."""
        on = preferences.confirmed_ids(self._person)
        if self.is_bound:
            on = ListsForm(self._sent).ids()
        return [
            {"id": each.pk, "words": preferences.joining_words(each), "is_on": each.pk in on}
            for each in preferences.lists_of(self._person)
        ]

    def clean_paused_until(self) -> Any:
        until, today = self.cleaned_data["paused_until"], timezone.localdate()
        is_other = until != self._person.paused_until
        if until and is_other and not today < until <= today + preferences.LONGEST_PAUSE:
            raise ValidationError("Choose a day after today, and within a year.")
        return until

    def choice(self) -> preferences.Choice:
        """Return what was chosen, once it is valid."""
        return preferences.Choice(
            shown=ListsForm(self._sent, "shown").ids(),
            lists=ListsForm(self._sent).ids(),
            paused_until=self.cleaned_data["paused_until"],
            language=self.cleaned_data["language"],
            tracking=TrackingConsent(self.cleaned_data["tracking"] or TrackingConsent.UNKNOWN),
        )


class DepartureForm(forms.ModelForm[Departure]):
    reason = forms.ChoiceField(
        label="Why do you leave?",
        required=False,
        choices=DepartureReason.choices,
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Departure
        fields = ("reason", "comment")
        labels = {"comment": "Anything else?"}
        widgets = {"comment": forms.Textarea(attrs={"rows": 3})}


def _languages(present: str) -> list[tuple[str, str]]:
    """Return the languages to choose from; the present one as it is written (BCP 47: pt-BR)."""
    others = [(code, name) for code, name in global_settings.LANGUAGES if code != present.lower()]
    named = dict(global_settings.LANGUAGES).get(present.lower(), present)
    return [("", "No matter"), *([(present, named)] if present else []), *others]


def _still_ahead(person: Recipient) -> Any:
    until = person.paused_until
    return until if until and until > timezone.localdate() else None

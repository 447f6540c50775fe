"""The form that settles messages of which nobody knows whether they arrived."""

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _


class Verdict(models.TextChoices):
    ARRIVED = "arrived", _("They arrived: count them as sent. Who did not get one never will.")
    AGAIN = "again", _("They did not: send them once more. Who did get one gets it twice.")


class DoubtsForm(forms.Form):
    verdict = forms.ChoiceField(
        choices=Verdict.choices, widget=forms.RadioSelect, label=_("What became of them?")
    )
    whose = forms.ChoiceField(
        choices=[
            ("chosen", _("Those that are ticked in the list")),
            ("all", _("All that are in doubt in this run")),
        ],
        widget=forms.RadioSelect,
        initial="chosen",
        label=_("Which messages?"),
    )
    chosen = forms.TypedMultipleChoiceField(
        coerce=int, required=False, widget=forms.MultipleHiddenInput
    )
    expected = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(
        self, *arguments: object, offered: list[int], may_resend: bool, **named: object
    ) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self.fields["chosen"].choices = [(pk, pk) for pk in offered]  # type: ignore[attr-defined]
        if not may_resend:
            self.fields["verdict"].choices = Verdict.choices[:1]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, object]:
        answers = super().clean() or {}
        if answers.get("whose") == "chosen" and not answers.get("chosen"):
            self.add_error("whose", _("No message is ticked."))
        return answers

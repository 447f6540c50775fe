"""What staff say about a list, and about the forms by which people come onto it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from recipients.models import MailingList, SignupForm


class ListForm(forms.ModelForm[MailingList]):
    class Meta:
        model = MailingList
        fields = ("name", "description", "is_public", "tracking")
        labels = {
            "name": _("Name"),
            "description": _("Description"),
            "is_public": _("People may subscribe to it where they choose their lists"),
            "tracking": _("Measuring of opens and clicks"),
        }
        help_texts = {
            "name": _("Recipients see it, and mail programs as the name of the list."),
            "description": _("Shown where people choose their lists."),
            "is_public": "",
            "tracking": _("Where a campaign or the installation wants less, that holds."),
        }
        widgets = {"description": forms.Textarea({"rows": 3})}


class SignupEditForm(forms.ModelForm[SignupForm]):
    class Meta:
        model = SignupForm
        fields = (
            "title",
            "slug",
            "is_open",
            "introduction",
            "wording",
            "language",
            "fields",
            "sender",
            "welcome_subject",
            "welcome_text",
        )
        labels = {
            "title": _("Title"),
            "slug": _("Name in its address"),
            "is_open": _("Open: people can subscribe by it"),
            "introduction": _("Introduction"),
            "wording": _("What people agree to"),
            "language": _("Language"),
            "fields": _("Asked beside the address"),
            "sender": _("Sender"),
            "welcome_subject": _("Subject of the welcome"),
            "welcome_text": _("Welcome"),
        }
        help_texts = {
            "title": _("It is in the subject of the message that asks to confirm."),
            "slug": _("Its page is /subscribe/NAME."),
            "wording": _("It is kept with each consent, word for word."),
            "language": _("As BCP 47 writes it: en, vi, pt-BR."),
            "fields": "",
            "sender": _("Who asks to confirm. Empty: the oldest sender."),
            "welcome_subject": _("Empty: Welcome to, and the list's name."),
            "welcome_text": _("Sent once, when somebody confirms. Empty: nothing is sent."),
        }
        widgets = {
            "introduction": forms.Textarea({"rows": 3}),
            "wording": forms.Textarea({"rows": 3}),
            "welcome_text": forms.Textarea({"rows": 5}),
            "fields": forms.CheckboxSelectMultiple,
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.fields["fields"].queryset.exists():  # type: ignore[attr-defined]
            del self.fields["fields"]

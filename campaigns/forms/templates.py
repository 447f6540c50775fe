"""What staff type about a test of a template."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import trial
from campaigns.models import Sender
from recipients.addresses import BadAddress, parse_address
from recipients.models import Recipient
from recipients.models.people import RecipientQuerySet
from templates_app.models import EmailTemplate

_NEWEST = 20  # versions to choose from
_BETWEEN = re.compile(r"[,;\s]+")


class SampleForm(forms.Form):
    """To whom, from whom, and which content in whose name."""

    addresses = forms.CharField(
        label=gettext_lazy("Send the test to"),
        max_length=3_000,
        widget=forms.Textarea({"rows": 3, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "Up to ten addresses, one on each line. They need not be recipients'."
        ),
    )
    sender = forms.ModelChoiceField(Sender.objects.order_by("address"), label=gettext_lazy("From"))
    content = forms.ChoiceField(label=gettext_lazy("Content"))
    reader = forms.CharField(
        label=gettext_lazy("In the name of"),
        required=False,
        max_length=500,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text=gettext_lazy(
            "The address of a recipient, whose fields the message shows. Left empty, the values"
            " are invented."
        ),
    )
    language = forms.ChoiceField(label=gettext_lazy("Language"), required=False)

    def __init__(
        self,
        *args: Any,
        template: EmailTemplate,
        readers: RecipientQuerySet | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        numbers = template.versions.order_by("-number").values_list("number", flat=True)[:_NEWEST]
        self.fields["content"].choices = [  # type: ignore[attr-defined]
            ("", _("As it is saved now")),
            *((str(number), _("Version %s") % number) for number in numbers),
        ]
        self.fields["content"].required = False
        languages = [template.language, *_other_languages(template)]
        self.fields["language"].choices = [  # type: ignore[attr-defined]
            ("", _("The reader's")),
            *((language, language) for language in languages if language),
        ]
        self._readers = Recipient.objects.none() if readers is None else readers
        if readers is None:
            del self.fields["reader"]

    def clean_addresses(self) -> list[str]:
        texts = [text for text in _BETWEEN.split(self.cleaned_data["addresses"]) if text]
        if len(texts) > trial.MOST_AT_ONCE:
            raise ValidationError(
                _(
                    "These are %(count)s addresses; %(most)s at most. To mail people, make a"
                    " campaign."
                )
                % {"count": len(texts), "most": trial.MOST_AT_ONCE}
            )
        try:
            return list(dict.fromkeys(parse_address(text).addr_spec for text in texts))
        except BadAddress as error:
            raise ValidationError(_("This is not an address: %s.") % error) from None

    def clean_reader(self) -> Recipient | None:
        text = self.cleaned_data["reader"].strip()
        if not text:
            return None
        try:
            return self._readers.get(key=parse_address(text).key)
        except BadAddress as error:
            raise ValidationError(_("This is not an address: %s.") % error) from None
        except Recipient.DoesNotExist:
            raise ValidationError(_("No recipient has this address.")) from None


def _other_languages(template: EmailTemplate) -> list[str]:
    return list(template.variants.order_by("language").values_list("language", flat=True))

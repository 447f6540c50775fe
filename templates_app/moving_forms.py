from io import BytesIO
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextInputWidget,
)

from templates_app.bundle import MOST_BYTES, BadBundle, Bundle, unpack
from templates_app.moving import Clash

_LONGEST_NAME = 200  # EmailTemplate.name


class ImportForm(forms.Form):
    """A file that was exported, under which name, and what becomes of what is here already."""

    file = forms.FileField(widget=UnfoldAdminFileFieldWidget)
    name = forms.CharField(
        required=False,
        max_length=_LONGEST_NAME,
        widget=UnfoldAdminTextInputWidget,
        help_text="Left empty: the one that it had.",
    )
    clash = forms.ChoiceField(
        label="Snippets, layouts and files of the same name with other content",
        choices=[
            (Clash.REFUSE, "Import nothing, and list them"),
            (Clash.MINE, "Keep those that are here, and use them"),
            (Clash.THEIRS, "Replace those that are here; what uses them changes as well"),
            (Clash.RENAME, "Let those that come have other names"),
        ],
        initial=Clash.REFUSE,
        widget=UnfoldAdminRadioSelectWidget,
    )

    def clean_file(self) -> Bundle:
        uploaded: Any = self.cleaned_data["file"]
        try:
            return unpack(BytesIO(uploaded.read(MOST_BYTES + 1)))
        except BadBundle as error:
            text = str(error)
            raise forms.ValidationError(f"{text[:1].upper()}{text[1:]}.") from None


class StarterForm(forms.Form):
    """Which template of the gallery, and what it is to be called."""

    starter = forms.CharField()
    name = forms.CharField(max_length=_LONGEST_NAME)

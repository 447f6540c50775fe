from io import BytesIO
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from templates_app.bundle import MOST_BYTES, BadBundle, Bundle, unpack
from templates_app.moving import Clash

_LONGEST_NAME = 200  # EmailTemplate.name


class ImportForm(forms.Form):
    """A file that was exported, under which name, and what becomes of what is here already."""

    file = forms.FileField(label=_("File"))
    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=_LONGEST_NAME,
        help_text=_("Left empty: the one that it had."),
    )
    clash = forms.ChoiceField(
        label=_("Snippets, layouts and files of the same name with other content"),
        choices=[
            (Clash.REFUSE, _("Import nothing, and list them")),
            (Clash.MINE, _("Keep those that are here, and use them")),
            (Clash.THEIRS, _("Replace those that are here; what uses them changes as well")),
            (Clash.RENAME, _("Let those that come have other names")),
        ],
        initial=Clash.REFUSE,
        widget=forms.RadioSelect,
    )
    keep_raw = forms.BooleanField(
        label=_("Keep HTML exactly as written"),
        required=False,
        help_text=_(
            "Where the template was kept so, and where snippets and layouts of such templates are"
            " replaced. Scripts, forms and all else that mail may not have are sent then: check it"
            " only where you trust whoever wrote the file."
        ),
    )

    def __init__(self, *args: Any, may_write_raw: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_write_raw:
            del self.fields["keep_raw"]

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
    name = forms.CharField(label=_("Name"), max_length=_LONGEST_NAME)

"""What staff type about campaigns in the console."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectMultipleWidget

from campaigns.models import Campaign, CampaignAttachment
from templates_app.models import MediaFile


class CampaignForm(forms.ModelForm[Campaign]):
    attached = forms.ModelMultipleChoiceField(
        MediaFile.objects.order_by("folder", "name"),
        label=gettext_lazy("Attachments"),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        help_text=gettext_lazy(
            "Files of the media library. Their bytes are fixed when it is scheduled."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # It is not there where the campaign can only be looked at.
        if self.instance.pk and "attached" in self.fields:
            wanted = CampaignAttachment.objects.wanted_by(self.instance.pk)
            self.fields["attached"].initial = [row.file_id for row in wanted]

    def clean(self) -> dict[str, Any]:
        """Refuse a campaign to nobody, and one that excludes what it includes."""
        answers: dict[str, Any] = super().clean() or {}
        if not ({"lists", "segments"} & self.errors.keys()) and not (
            answers.get("lists") or answers.get("segments")
        ):
            self.add_error("lists", _("Choose a list or a segment: it says who gets the campaign."))
        for included in ("lists", "segments"):
            excluded = answers.get(f"excluded_{included}") or ()
            if both := [str(each) for each in answers.get(included) or () if each in excluded]:
                self.add_error(
                    f"excluded_{included}",
                    _("Included as well: %s. Choose one.") % ", ".join(both),
                )
        return answers

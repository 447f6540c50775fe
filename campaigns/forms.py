"""What staff type about campaigns and what they are sent through."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.models import (
    Campaign,
    CampaignAttachment,
    DomainGroup,
    DomainLimit,
    Sender,
    Transport,
)
from campaigns.preflight.findings import Finding
from campaigns.sending.domains import group_of
from campaigns.sending.transports import FORM, BadTransportURL, open_transport
from recipients.forms.recipients import clean_address
from recipients.headers import BadHeader, clean_header
from recipients.validators import time_zones
from templates_app.models import MediaFile

NOW, AT, CRON = "now", "at", "cron"


class CampaignForm(forms.ModelForm[Campaign]):
    attached = forms.ModelMultipleChoiceField(
        MediaFile.objects.order_by("folder", "name"),
        label="Attachments",
        required=False,
        widget=UnfoldAdminSelectMultipleWidget,
        help_text="Files of the media library. Their bytes are fixed when it is scheduled.",
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
            self.add_error("lists", "Choose a list or a segment: it says who gets the campaign.")
        for included in ("lists", "segments"):
            excluded = answers.get(f"excluded_{included}") or ()
            if both := [str(each) for each in answers.get(included) or () if each in excluded]:
                self.add_error(
                    f"excluded_{included}", f"Included as well: {', '.join(both)}. Choose one."
                )
        return answers


class WhyForm(forms.Form):
    """Asks for the address of somebody, who need not be known."""

    address = forms.CharField(
        label="Why (not) this person?",
        max_length=500,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "off", "placeholder": "name@example.org"}
        ),
    )

    def clean_address(self) -> str:
        return _addr_spec(self.cleaned_data["address"])


class SenderForm(forms.ModelForm[Sender]):
    class Meta:
        model = Sender
        fields = (
            "display_name",
            "address",
            "reply_to",
            "postal_address",
            "envelope_domain",
            "dkim_domain",
            "queue",
        )

    def clean_display_name(self) -> str:
        try:
            return clean_header(self.cleaned_data["display_name"].strip())
        except BadHeader as error:
            raise ValidationError(f"{error}.") from None

    def clean_address(self) -> str:
        return _addr_spec(self.cleaned_data["address"])

    def clean_reply_to(self) -> str:
        text = self.cleaned_data["reply_to"]
        return _addr_spec(text) if text else ""

    def clean_envelope_domain(self) -> str:
        domain = self.cleaned_data["envelope_domain"]
        return _addr_spec(f"bounces@{domain}").partition("@")[2] if domain else ""

    def clean_dkim_domain(self) -> str:
        """Return the domain; receivers ask that it is the address's own, or one above it."""
        domain: str = self.cleaned_data["dkim_domain"].strip().lower().rstrip(".")
        own = self.cleaned_data.get("address", "").rpartition("@")[2]
        if domain and own and own != domain and not own.endswith(f".{domain}"):
            raise ValidationError(f"It must be {own}, or a domain that {own} belongs to.")
        return domain


class TransportForm(forms.ModelForm[Transport]):
    url = forms.CharField(
        label="URL",
        required=False,
        max_length=2_000,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=f"With user and password, stored encrypted and never shown again: {FORM}.",
    )

    class Meta:
        model = Transport
        fields = ("name", "per_second", "per_hour", "per_day", "connections", "message_mb")

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        if not (url or self.instance.encrypted_url):
            raise ValidationError(f"Say where it leads to: {FORM}.")
        if url:
            try:
                open_transport(url).close()
            except BadTransportURL as error:
                raise ValidationError(str(error)) from None
        return url


class DomainLimitForm(forms.ModelForm[DomainLimit]):
    class Meta:
        model = DomainLimit
        fields = ("group", "transport", "per_second", "per_hour", "per_day")

    def clean_group(self) -> str:
        return _group(self.cleaned_data["group"])


class DomainGroupForm(forms.ModelForm[DomainGroup]):
    class Meta:
        model = DomainGroup
        fields = ("domain", "group")

    def clean_domain(self) -> str:
        return _domain(self.cleaned_data["domain"])

    def clean_group(self) -> str:
        return _group(self.cleaned_data["group"])


class ConfirmForm(forms.Form):
    """Nothing is asked; the button is the answer."""

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = campaign


class TrialForm(ConfirmForm):
    address = forms.CharField(
        label="Send the test to",
        max_length=254,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "email", "autocomplete": "email"}),
        help_text="One address. It need not be a recipient's.",
    )

    def clean_address(self) -> str:
        return _addr_spec(self.cleaned_data["address"])


class ScheduleForm(ConfirmForm):
    """When to send; `moment` is what was chosen, None for a crontab."""

    when = forms.ChoiceField(
        label="When",
        choices=((AT, "Once, at a time"), (CRON, "Again and again"), (NOW, "Now")),
        initial=AT,
        widget=UnfoldAdminRadioSelectWidget,
    )
    date = forms.DateField(
        required=False, widget=UnfoldAdminTextInputWidget(attrs={"type": "date"})
    )
    time = forms.TimeField(
        required=False, widget=UnfoldAdminTextInputWidget(attrs={"type": "time"})
    )
    cron = forms.CharField(
        label="Crontab expression",
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "0 9 * * MON"}),
        help_text="Minute, hour, day, month, weekday: 0 9 * * MON is each Monday at 9:00.",
    )
    time_zone = forms.ChoiceField(
        label="Time zone",
        widget=UnfoldAdminSelectWidget,
        help_text="Of the date and time, or of the crontab expression.",
    )

    by = ""

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, campaign=campaign, **kwargs)
        zones = [(zone, zone.replace("_", " ")) for zone in sorted(time_zones())]
        self.fields["time_zone"].choices = zones  # type: ignore[attr-defined]
        self.fields["time_zone"].initial = campaign.time_zone

    def ask_about(self, warnings: Sequence[Finding], *, by: str) -> None:
        """Ask about each kind of warning whether it is accepted.

        :param by: who answers.
        """
        self.by = by
        said: dict[str, str] = {}
        for each in warnings:
            said.setdefault(each.name, str(each))
        if said:
            self.fields["accepted"] = forms.MultipleChoiceField(
                label="Send in spite of",
                required=False,
                choices=[(name, f"{name}: {text}") for name, text in said.items()],
                widget=UnfoldAdminCheckboxSelectMultipleWidget,
                help_text="Warnings that are not mended must be accepted, each by its name.",
            )

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        when = answers.get("when")
        if when == CRON and not answers.get("cron") and "cron" not in self.errors:
            self.add_error("cron", "Write a crontab expression.")
        if when == AT:
            for name in ("date", "time"):
                if answers.get(name) is None and name not in self.errors:
                    self.add_error(name, f"Say at which {name}.")
        if when == AT and not self.errors and not 2000 <= answers["date"].year < 3000:
            self.add_error("date", "This year is too far away.")
        if when == AT and not self.errors:
            answers["at"] = self._moment(answers)
        return answers

    def schedule(self, *, now: datetime) -> dict[str, Any]:
        """Return what `services.schedule` takes, beside the campaign and the clock."""
        answers = self.cleaned_data
        common = {"time_zone": answers["time_zone"], "accepted": answers.get("accepted", [])}
        if answers["when"] == CRON:
            return {"cron": answers["cron"], **common}
        return {"at": answers.get("at", now), **common}

    def _moment(self, answers: dict[str, Any]) -> datetime | None:
        """Return the time in its zone; refuse one that the clocks skip or strike twice."""
        zone = ZoneInfo(answers["time_zone"])
        local = datetime.combine(answers["date"], answers["time"], tzinfo=zone)
        if local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(
            tzinfo=None
        ):
            later = local.astimezone(UTC).astimezone(zone)
            self.add_error(
                "time", f"The clocks go forward: this time does not exist; {later:%H:%M} does."
            )
        elif local.utcoffset() != local.replace(fold=1).utcoffset():
            before = local - timedelta(hours=2)
            self.add_error(
                "time",
                f"The clocks go back: this time comes twice; {before:%H:%M} comes once.",
            )
        else:
            return local
        return None


def _group(text: str) -> str:
    """Return the group that is meant: a domain of a known one stands for all of its domains."""
    return group_of(_domain(text)) if "." in text else text.strip().lower()


def _domain(text: str) -> str:
    return _addr_spec(f"postmaster@{text.strip()}").partition("@")[2]


def _addr_spec(text: str) -> str:
    return clean_address(text).addr_spec

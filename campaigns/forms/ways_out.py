"""What staff type about senders, transports and limits, in the console."""

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminPasswordWidget

from campaigns.forms.addresses import addr_spec, domain, group
from campaigns.models import DomainGroup, DomainLimit, Sender, Transport
from campaigns.sending.transports import FORM, BadTransportURL, open_transport
from recipients.headers import BadHeader, clean_header


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
        return addr_spec(self.cleaned_data["address"])

    def clean_reply_to(self) -> str:
        text = self.cleaned_data["reply_to"]
        return addr_spec(text) if text else ""

    def clean_envelope_domain(self) -> str:
        domain = self.cleaned_data["envelope_domain"]
        return addr_spec(f"bounces@{domain}").partition("@")[2] if domain else ""

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
        return group(self.cleaned_data["group"])


class DomainGroupForm(forms.ModelForm[DomainGroup]):
    class Meta:
        model = DomainGroup
        fields = ("domain", "group")

    def clean_domain(self) -> str:
        return domain(self.cleaned_data["domain"])

    def clean_group(self) -> str:
        return group(self.cleaned_data["group"])

"""What staff type about senders, transports and limits."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.forms.addresses import addr_spec, domain, group
from campaigns.models import DomainGroup, DomainLimit, Route, Sender, Transport
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
            said = gettext("It must be %(own)s, or a domain that %(own)s belongs to.")
            raise ValidationError(said % {"own": own})
        return domain


class TransportForm(forms.ModelForm[Transport]):
    url = forms.CharField(
        label="URL",
        required=False,
        max_length=2_000,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text=format_lazy(
            "{} {}.",
            _(
                "With user and password, stored encrypted and never shown again. Left empty, it"
                " stays as it is:"
            ),
            FORM,
        ),
    )

    class Meta:
        model = Transport
        fields = ("name", "per_second", "per_hour", "per_day", "connections", "message_mb")

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        if not (url or self.instance.encrypted_url):
            raise ValidationError(gettext("Say where it leads to: %s.") % FORM)
        if url:
            try:
                open_transport(url).close()
            except BadTransportURL as error:
                raise ValidationError(str(error)) from None
        return url


RouteForms = forms.inlineformset_factory(
    Sender, Route, fields=("transport", "weight"), extra=1, can_delete=True, can_delete_extra=False
)


class WayTrialForm(forms.Form):
    """To whom a test of a transport goes, and in whose name."""

    address = forms.CharField(label=_("Send the test to"), max_length=254)
    sender = forms.ModelChoiceField(Sender.objects.order_by("address"), label=_("From"))

    def clean_address(self) -> str:
        return addr_spec(self.cleaned_data["address"])


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

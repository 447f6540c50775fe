# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns.forms import SenderForm, TransportForm
from campaigns.models import Sender, Transport
from campaigns.services import set_transport_url


@admin.register(Sender)
class SenderAdmin(ModelAdmin):
    form = SenderForm
    list_display = ("address", "display_name", "reply_to", "transport")
    list_select_related = ("transport",)
    search_fields = ("address", "display_name")
    ordering = ("address",)


@admin.register(Transport)
class TransportAdmin(ModelAdmin):
    """The URL goes in and never comes out: it holds a password."""

    form = TransportForm
    list_display = ("name", "credentials")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "url", "credentials")
    readonly_fields = ("credentials",)

    def save_model(
        self, request: HttpRequest, obj: Transport, form: ModelForm[Any], change: bool
    ) -> None:
        if url := form.cleaned_data["url"]:
            set_transport_url(obj, url=url)
        else:
            obj.save(update_fields=["name"])

    @display(description="Stored URL")
    def credentials(self, transport: Transport) -> str:
        if not transport.encrypted_url:
            return "Not set yet."
        # A token of Fernet's begins with its version and the time at which it was made.
        seconds = int.from_bytes(urlsafe_b64decode(transport.encrypted_url)[1:9], "big")
        at = datetime.fromtimestamp(seconds, UTC)
        return f"Set on {at:%Y-%m-%d %H:%M} UTC. Leave the field empty to keep it."

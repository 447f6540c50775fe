# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from campaigns import tasks
from campaigns.forms.ways_out import DomainGroupForm, DomainLimitForm, SenderForm, TransportForm
from campaigns.models import (
    DKIMKey,
    DomainGroup,
    DomainLimit,
    Route,
    Sender,
    SenderCheck,
    Transport,
)
from campaigns.preflight import watching
from campaigns.sending import waiting
from campaigns.services import domain_limit_changed, set_limits, set_transport_url
from templates_app.admin import ReadOnlyAdmin

LIMITS = ("per_second", "per_hour", "per_day", "connections", "message_mb")


class RouteInline(TabularInline):
    """Without one, the sender's messages leave by EMAIL_URL."""

    model = Route
    extra = 0
    autocomplete_fields = ("transport",)


@admin.register(Sender)
class SenderAdmin(ModelAdmin):
    form = SenderForm
    inlines = (RouteInline,)
    list_display = ("address", "display_name", "reply_to")
    search_fields = ("address", "display_name")
    ordering = ("address",)
    readonly_fields = ("found",)

    def save_related(
        self, request: HttpRequest, form: ModelForm[Any], formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        for sender_id in watching.want([form.instance.pk], now=timezone.now()):
            tasks.wake_sender_check(sender_id)

    @display(description="What receivers meet")
    def found(self, sender: Sender) -> str:
        check = SenderCheck.objects.filter(sender=sender.pk).first()
        found = watching.findings_of(check) if check else []
        context = {"check": check, "found": found}
        return render_to_string("campaigns/_sender_found.html", context)


@admin.register(DKIMKey)
class DKIMKeyAdmin(ReadOnlyAdmin):
    """Made and activated by `manage.py create_dkim_key`; the private key is never shown."""

    list_display = ("__str__", "algorithm", "is_active", "created_at")
    list_filter = ("domain", "is_active")
    search_fields = ("domain", "selector")
    ordering = ("domain", "-pk")
    fields = ("domain", "selector", "algorithm", "is_active", "created_at")


@admin.register(Transport)
class TransportAdmin(ModelAdmin):
    """The URL goes in and never comes out: it holds a password."""

    form = TransportForm
    list_display = ("name", "credentials")
    search_fields = ("name",)
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "url", "credentials", "gate")}),
        (
            "Limits over all workers",
            {"fields": (("per_second", "per_hour"), ("per_day", "connections"))},
        ),
        ("Limit of a message", {"fields": ("message_mb",)}),
    )
    readonly_fields = ("credentials", "gate")

    def save_model(
        self, request: HttpRequest, obj: Transport, form: ModelForm[Any], change: bool
    ) -> None:
        now = timezone.now()
        if url := form.cleaned_data["url"]:
            set_transport_url(obj, url=url, now=now)
        else:
            obj.save(update_fields=["name"])
        set_limits(obj, now=now, **{name: form.cleaned_data[name] for name in LIMITS})

    @display(description="Gate")
    def gate(self, transport: Transport) -> str:
        return waiting.of_transport(transport, now=timezone.now()) or "Open."

    @display(description="Stored URL")
    def credentials(self, transport: Transport) -> str:
        if not transport.encrypted_url:
            return "Not set yet."
        # A token of Fernet's begins with its version and the time at which it was made.
        seconds = int.from_bytes(urlsafe_b64decode(transport.encrypted_url)[1:9], "big")
        at = datetime.fromtimestamp(seconds, UTC)
        return f"Set on {at:%Y-%m-%d %H:%M} UTC. Leave the field empty to keep it."


@admin.register(DomainLimit)
class DomainLimitAdmin(ModelAdmin):
    form = DomainLimitForm
    list_display = ("group", "transport", "per_second", "per_hour", "per_day")
    list_select_related = ("transport",)
    search_fields = ("group",)
    ordering = ("group",)
    autocomplete_fields = ("transport",)

    def save_model(
        self, request: HttpRequest, obj: DomainLimit, form: ModelForm[Any], change: bool
    ) -> None:
        # Only what was typed: what is used up is counted while somebody types.
        obj.save(update_fields=list(form.fields) if change else None)
        domain_limit_changed(obj.group, now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: DomainLimit) -> None:
        obj.delete()
        domain_limit_changed(obj.group, now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[DomainLimit]") -> None:
        for limit in queryset:
            self.delete_model(request, limit)


@admin.register(DomainGroup)
class DomainGroupAdmin(ModelAdmin):
    form = DomainGroupForm
    list_display = ("domain", "group")
    search_fields = ("domain", "group")
    ordering = ("domain",)

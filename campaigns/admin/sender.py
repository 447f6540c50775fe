# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action

from campaigns.forms.ways_out import DomainGroupForm, DomainLimitForm
from campaigns.models import (
    DKIMKey,
    DomainGroup,
    DomainLimit,
    Sender,
    Transport,
)
from campaigns.services import domain_limit_changed
from templates_app.admin import ReadOnlyAdmin


@admin.register(Sender)
class SenderAdmin(ReadOnlyAdmin):
    """Each is written, checked and deleted on its own page."""

    list_display = ("address", "display_name", "reply_to")
    search_fields = ("address", "display_name")
    ordering = ("address",)
    fields = (*list_display, "postal_address", "envelope_domain", "dkim_domain", "queue")
    actions_detail: Any = ("open",)

    @action(description=_("Open"), url_path="open", icon="open_in_new", permissions=["view"])
    def open(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("campaigns:sender_detail", args=[object_id]))


@admin.register(DKIMKey)
class DKIMKeyAdmin(ReadOnlyAdmin):
    """Made and activated by `manage.py create_dkim_key`; the private key is never shown."""

    list_display = ("__str__", "algorithm", "is_active", "created_at")
    list_filter = ("domain", "is_active")
    search_fields = ("domain", "selector")
    ordering = ("domain", "-pk")
    fields = ("domain", "selector", "algorithm", "is_active", "created_at")


@admin.register(Transport)
class TransportAdmin(ReadOnlyAdmin):
    """Each is written, tested and deleted on its own page; its URL is shown nowhere."""

    list_display = ("name",)
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "per_second", "per_hour", "per_day", "connections", "message_mb")
    actions_detail: Any = ("open",)

    @action(description=_("Open"), url_path="open", icon="open_in_new", permissions=["view"])
    def open(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("campaigns:transport_detail", args=[object_id]))


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

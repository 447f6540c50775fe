# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from recipients.addresses import BadAddress, parse_address
from recipients.forms import FieldForm, RecipientForm, SuppressionForm
from recipients.models import (
    Field,
    MailingList,
    Recipient,
    Subscription,
    Suppression,
    SuppressionReason,
)

COUNTED = 100_000  # a list is counted so far; the exact number of a larger one takes seconds


class ManyRowsAdmin(ModelAdmin):
    """A list that may have millions of rows: nothing is counted, and it is sorted by its key."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_disable_select_all = True
    list_per_page = 50
    sortable_by = ()


def state_tag(state: str, word: str) -> SafeString:
    """Show a state as a word; the style sheet adds shape and colour."""
    return format_html('<span class="state" data-state="{}">{}</span>', state, word)


def find_key(queryset: "QuerySet[Any]", term: str) -> "QuerySet[Any]":
    """Find a whole address by the unique index of its key, anything else by looking at each row."""
    try:
        return queryset.filter(key=parse_address(term).key)
    except BadAddress:
        return queryset.filter(key__contains=term.strip().lower())


class OnListFilter(SimpleListFilter):
    title = "list"
    parameter_name = "list"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        lists = MailingList.objects.order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in lists]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.value() or ""
        mailing_list = MailingList.objects.filter(pk=chosen if chosen.isdecimal() else 0).first()
        return queryset.subscribed_to(mailing_list) if mailing_list else queryset


class SuppressedFilter(SimpleListFilter):
    title = "suppression"
    parameter_name = "suppressed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Suppressed"), ("no", "May be mailed")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "yes":
            return queryset.filter(is_suppressed=True)
        return queryset.not_suppressed() if self.value() == "no" else queryset


class SubscriptionInline(TabularInline):
    model = Subscription
    fields = ("mailing_list", "state", "changed_at")
    readonly_fields = ("changed_at",)
    autocomplete_fields = ("mailing_list",)
    extra = 0


@admin.register(Recipient)
class RecipientAdmin(ManyRowsAdmin):
    form = RecipientForm
    list_display = ("address", "lists", "may_be_mailed", "language", "created_at")
    list_filter = (OnListFilter, SuppressedFilter)
    search_fields = ("key",)
    search_help_text = "A whole address is found at once"
    readonly_fields = ("may_be_mailed", "fields_in_words", "created_at", "updated_at")
    inlines = (SubscriptionInline,)
    fieldsets = (
        (None, {"fields": ("address", "may_be_mailed", "fields_in_words")}),
        ("Language and time", {"fields": (("language", "time_zone"),)}),
        ("Edit the fields", {"fields": ("fields",)}),
        ("History", {"fields": (("created_at", "updated_at"),)}),
    )

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Recipient]":
        suppressed = Exists(Suppression.objects.filter(key=OuterRef("key")))
        subscriptions = Subscription.objects.select_related("mailing_list").order_by("pk")
        return Recipient.objects.annotate(is_suppressed=suppressed).prefetch_related(
            Prefetch("subscription_set", queryset=subscriptions)
        )

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        return (find_key(queryset, search_term) if search_term else queryset), False

    @display(description="Lists")
    def lists(self, recipient: Recipient) -> str:
        return ", ".join(
            f"{each.mailing_list} ({each.get_state_display().lower()})"
            for each in recipient.subscription_set.all()
        )

    @display(description="Mail")
    def may_be_mailed(self, recipient: Recipient) -> SafeString:
        # A new recipient does not come from the queryset that knows.
        if getattr(recipient, "is_suppressed", False):
            return state_tag("suppressed", "Suppressed")
        return state_tag("mailable", "May be mailed")

    @display(description="Fields")
    def fields_in_words(self, recipient: Recipient) -> SafeString | str:
        if not recipient.fields:
            return "None"
        return render_to_string("recipients/_fields.html", {"fields": recipient.fields})


@admin.register(MailingList)
class MailingListAdmin(ModelAdmin):
    list_display = ("name", "description", "recipients", "created_at")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "description", "confirmed", "identifier", "created_at")
    readonly_fields = ("confirmed", "identifier", "created_at")
    actions = None  # deleting is for empty lists, one by one

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep lists that somebody is on or a campaign uses: both would silently go with them."""
        allowed = super().has_delete_permission(request, obj)
        if not allowed or not isinstance(obj, MailingList):
            return bool(allowed)
        return not (obj.subscription_set.exists() or obj.campaigns.exists())

    @display(description="Recipients")
    def recipients(self, mailing_list: MailingList) -> SafeString:
        url = reverse("admin:recipients_recipient_changelist")
        return format_html('<a href="{}?list={}">Show</a>', url, mailing_list.pk)

    @display(description="Confirmed recipients")
    def confirmed(self, mailing_list: MailingList) -> str:
        if not mailing_list.pk:
            return "None yet"
        found = Recipient.objects.subscribed_to(mailing_list)[: COUNTED + 1].count()
        return f"more than {COUNTED:,}" if found > COUNTED else f"{found:,}"


@admin.register(Suppression)
class SuppressionAdmin(ManyRowsAdmin):
    """Added and lifted, never edited: who was left alone, and why, stays as it was."""

    form = SuppressionForm
    list_display = ("key", "reason", "source", "created_at")
    list_filter = ("reason",)
    search_fields = ("key",)
    search_help_text = "A whole address is found at once"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("key", "reason", "source", "created_at") if obj else ("key", "reason")

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        return (find_key(queryset, search_term) if search_term else queryset), False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"reason": SuppressionReason.MANUAL, **super().get_changeform_initial_data(request)}

    def save_model(
        self, request: HttpRequest, obj: Suppression, form: ModelForm[Any], change: bool
    ) -> None:
        obj.source = f"added by {request.user}"[:200]
        super().save_model(request, obj, form, change)


@admin.register(Field)
class FieldAdmin(ModelAdmin):
    """Added and deleted; a new name would leave the values of recipients under the old one."""

    form = FieldForm
    list_display = ("name", "in_templates", "created_at")
    search_fields = ("name",)
    ordering = ("name",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="In templates")
    def in_templates(self, field: Field) -> str:
        return f"{{{{ {field.name} }}}}"

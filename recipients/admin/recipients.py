# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from django.contrib import admin, messages
from django.db.models import Exists, Prefetch, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import ActionForm

from recipients import tags
from recipients.admin.base import (
    ManyRowsAdmin,
    NarrowedAdmin,
    NarrowedInline,
    find_key,
    link_to_page,
    link_to_recipients,
    state_tag,
)
from recipients.admin.consent import ConsentOfRecipient
from recipients.admin.filters import OnListFilter, SegmentFilter, SuppressedFilter, TagFilter
from recipients.forms.recipients import RecipientForm
from recipients.models import (
    Field,
    MailingList,
    Recipient,
    Subscription,
    Suppression,
    Tag,
)
from recipients.segments.asking import those
from recipients.segments.catalogue import rules_for_value
from recipients.segments.grammar import BadRules
from recipients.segments.saving import segments_about
from recipients.translatable import number
from recipients.values import BadValue, kinds_of

COUNTED = 100_000  # a list is counted so far; the exact number of a larger one takes seconds


class TagActionForm(ActionForm):
    tag = ModelChoiceField(Tag.objects.all(), required=False, label=gettext_lazy("Tag"))


class SubscriptionInline(NarrowedInline):
    model = Subscription
    fields = ("mailing_list", "state", "changed_at")
    readonly_fields = ("changed_at",)
    autocomplete_fields = ("mailing_list",)
    extra = 0


@admin.register(Recipient)
class RecipientAdmin(ConsentOfRecipient, NarrowedAdmin, ManyRowsAdmin):
    form = RecipientForm
    list_display = ("address", "lists", "may_be_mailed", "language", "created_at")
    list_filter = (OnListFilter, TagFilter, SegmentFilter, SuppressedFilter)
    search_fields = ("key",)
    search_help_text = gettext_lazy("A whole address, or a value: city:Hanoi")
    action_form = TagActionForm
    actions = ("add_tag", "remove_tag")
    readonly_fields = (
        "page",
        "may_be_mailed",
        "tag_names",
        "fields_in_words",
        "consent",
        "sent_messages",
        "created_at",
        "updated_at",
    )
    inlines = (SubscriptionInline,)
    fieldsets = (
        (None, {"fields": ("address", "page", "may_be_mailed", "tag_names", "fields_in_words")}),
        (gettext_lazy("Language and time"), {"fields": (("language", "time_zone"),)}),
        (gettext_lazy("Edit the fields"), {"fields": ("fields",)}),
        (
            gettext_lazy("History"),
            {"fields": (("created_at", "updated_at"), "consent", "sent_messages")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Recipient]":
        suppressed = Exists(Suppression.objects.of_outer())
        shown = Subscription.objects.visible_to(request.user)
        subscriptions = shown.select_related("mailing_list").order_by("pk")
        recipients = Recipient.objects.visible_to(request.user).annotate(is_suppressed=suppressed)
        return recipients.prefetch_related(Prefetch("subscription_set", queryset=subscriptions))

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        if (found := _with_value(queryset, search_term)) is not None:
            return found, False
        return (find_key(queryset, search_term) if search_term else queryset), False

    @action(description=gettext_lazy("Add the tag"), permissions=["change"])
    def add_tag(self, request: HttpRequest, queryset: "QuerySet[Recipient]") -> None:
        if tag := self._chosen_tag(request):
            count = tags.add_tag(queryset, tag)
            said = _("Recipients who have the tag %(tag)s: %(count)s.")
            self.message_user(request, said % {"tag": tag, "count": number(count)})

    @action(description=gettext_lazy("Remove the tag"), permissions=["change"])
    def remove_tag(self, request: HttpRequest, queryset: "QuerySet[Recipient]") -> None:
        if tag := self._chosen_tag(request):
            count = tags.remove_tag(queryset, tag)
            said = _("Recipients who had the tag %(tag)s: %(count)s.")
            self.message_user(request, said % {"tag": tag, "count": number(count)})

    def _chosen_tag(self, request: HttpRequest) -> Tag | None:
        chosen = request.POST.get("tag", "")
        tag = Tag.objects.filter(pk=chosen if chosen.isdecimal() else 0).first()
        if tag is None:
            self.message_user(request, _("Choose a tag beside the action."), messages.ERROR)
        return tag

    @display(description=gettext_lazy("Page"))
    def page(self, recipient: Recipient) -> SafeString | str:
        """Link to where somebody is put on a list, suppressed, handed out, erased or merged."""
        if not recipient.pk:
            return _("None yet")
        return link_to_page("recipients:recipient_detail", recipient.pk)

    @display(description=gettext_lazy("Tags"))
    def tag_names(self, recipient: Recipient) -> str:
        return ", ".join(tag.name for tag in recipient.tags.all()) or _("None")

    @display(description=gettext_lazy("Lists"))
    def lists(self, recipient: Recipient) -> str:
        return ", ".join(
            f"{each.mailing_list} ({each.get_state_display().lower()})"
            for each in recipient.subscription_set.all()
        )

    @display(description=gettext_lazy("Mail"))
    def may_be_mailed(self, recipient: Recipient) -> SafeString:
        # A new recipient does not come from the queryset that knows.
        if getattr(recipient, "is_suppressed", False):
            return state_tag("suppressed", _("Suppressed"))
        return state_tag("mailable", _("May be mailed"))

    @display(description=gettext_lazy("Messages"))
    def sent_messages(self, recipient: Recipient) -> SafeString | str:
        """Link to what the app of campaigns shows, of which this one knows nothing."""
        if not recipient.pk:
            return _("None yet")
        url = reverse("campaigns:recipient_history", args=[recipient.pk])
        return format_html('<a href="{}">{}</a>', url, _("What was sent, and what became of it"))

    @display(description=gettext_lazy("Fields"))
    def fields_in_words(self, recipient: Recipient) -> SafeString | str:
        if not recipient.fields:
            return _("None")
        return render_to_string("recipients/_fields.html", {"fields": recipient.fields})


@admin.register(MailingList)
class MailingListAdmin(NarrowedAdmin):
    list_display = ("name", "description", "recipients", "created_at")
    search_fields = ("name",)
    ordering = ("name",)
    fields = (
        "name",
        "description",
        "is_public",
        "tracking",
        "is_limited",
        "limited_to_users",
        "limited_to_groups",
        "confirmed",
        "growth",
        "identifier",
        "created_at",
    )
    readonly_fields = ("confirmed", "growth", "identifier", "created_at")
    filter_horizontal = ("limited_to_users", "limited_to_groups")
    actions = None  # deleting is for empty lists, one by one

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep lists that somebody is on or a campaign uses: both would silently go with them."""
        allowed = super().has_delete_permission(request, obj)
        if not allowed or not isinstance(obj, MailingList):
            return bool(allowed)
        uses = (obj.subscription_set, obj.campaigns, obj.excluding_campaigns)
        is_used = any(use.exists() for use in uses)
        return not (is_used or any(segments_about("list", obj.pk)))

    @display(description=gettext_lazy("Recipients"))
    def recipients(self, mailing_list: MailingList) -> SafeString:
        return link_to_recipients("list", mailing_list.pk)

    @display(description=gettext_lazy("Growth"))
    def growth(self, mailing_list: MailingList) -> SafeString | str:
        """Link to what the app of campaigns shows, of which this one knows nothing."""
        if not mailing_list.pk:
            return _("None yet")
        url = reverse("campaigns:list_growth", args=[mailing_list.pk])
        return format_html('<a href="{}">{}</a>', url, _("Who came and left, by day or week"))

    @display(description=gettext_lazy("Confirmed recipients"))
    def confirmed(self, mailing_list: MailingList) -> str:
        if not mailing_list.pk:
            return _("None yet")
        found = Recipient.objects.subscribed_to(mailing_list)[: COUNTED + 1].count()
        if found > COUNTED:
            return _("more than %(count)s") % {"count": number(COUNTED)}
        return number(found)


class LookedAt(ModelAdmin):
    """Only looked at here: these are made, changed and deleted on pages of staff's."""

    search_fields = ("name",)
    ordering = ("name",)
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Field)
class FieldAdmin(LookedAt):
    list_display = ("name", "kind", "in_templates", "created_at")
    fields = ("name", "kind", "choices", "created_at")

    @display(description=gettext_lazy("In templates"))
    def in_templates(self, field: Field) -> str:
        return f"{{{{ {field.name} }}}}"


@admin.register(Tag)
class TagAdmin(LookedAt):
    list_display = ("name", "recipients_with_it", "created_at")
    fields = ("name", "created_at")

    @display(description=gettext_lazy("Recipients"))
    def recipients_with_it(self, tag: Tag) -> SafeString:
        return link_to_recipients("tag", tag.pk)


def _with_value(queryset: "QuerySet[Any]", term: str) -> "QuerySet[Any] | None":
    """Find `city:Hanoi` by the index of the field; None where it is no field and a value."""
    name, _colon, value = term.strip().partition(":")
    kind = kinds_of(Field.objects.all()).get(name) if value else None
    if kind is None:
        return None
    try:
        rules = rules_for_value(name, kind, value.strip())
        return queryset.filter(pk__in=those(rules, now=timezone.now()))
    except (BadValue, BadRules):
        return queryset.none()

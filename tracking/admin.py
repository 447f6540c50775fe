# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin import EmptyFieldListFilter, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_celery_results.models import TaskResult
from unfold.decorators import display

from recipients.addresses import BadAddress, parse_address
from recipients.admin.base import ManyRowsAdmin, Narrowed, state_tag
from recipients.translatable import number
from templates_app.admin import ReadOnlyAdmin
from tracking.models import (
    Delivery,
    DeliveryState,
    InboundMessage,
    Mailbox,
    RunCounters,
    SkipReason,
    WebhookEvent,
)

RUNS_LISTED = 20
SHOWN = 64 << 10  # bytes of a message that came in

MEANINGS = {
    DeliveryState.QUEUED: gettext_lazy("In the queue, not attempted yet."),
    DeliveryState.SENDING: gettext_lazy("A worker is handing it over at this moment."),
    DeliveryState.SENT: gettext_lazy("The next hop took it. That is no proof of reading."),
    DeliveryState.RETRY: gettext_lazy("Refused for now; it is attempted again by itself."),
    DeliveryState.FAILED: gettext_lazy(
        "Given up; the diagnostic says why. Nothing was handed over."
    ),
    DeliveryState.UNCONFIRMED: gettext_lazy(
        "The connection broke after the message was handed over. It may have arrived;"
        " sending it again may make two."
    ),
    DeliveryState.SKIPPED: gettext_lazy("Left out on purpose."),
    DeliveryState.CANCELLED: gettext_lazy("The run was cancelled before its turn."),
}


class RunFilter(SimpleListFilter):
    title = gettext_lazy("run")
    parameter_name = "run"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        # By name: this app knows nothing of campaigns.
        run: Any = apps.get_model("campaigns", "Run")
        runs = run.objects.visible_to(request.user).select_related("campaign")
        newest = list(runs.newest_first()[:RUNS_LISTED])
        chosen = request.GET.get(self.parameter_name, "")
        if chosen.isdecimal() and int(chosen) not in {run.pk for run in newest}:
            newest += runs.filter(pk=int(chosen))
        return [(str(run.pk), str(run)) for run in newest]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.value()
        if chosen is None:
            return queryset
        if not chosen.isdecimal():
            raise IncorrectLookupParameters(_("%(text)s is no run") % {"text": repr(chosen)})
        return queryset.of_run(int(chosen))


@admin.register(Delivery)
class DeliveryAdmin(Narrowed, ManyRowsAdmin, ReadOnlyAdmin):
    list_display = ("address", "state_in_words", "run", "reply", "attempts", "attempted_at")
    # By state the ledger of staff looks: here a state that nobody is in would read every row.
    list_filter = (RunFilter,)
    list_select_related = ("run__campaign",)
    # By the index of the ledger's unique constraint, backwards.
    ordering = ("-run_id", "-recipient_id")
    search_fields = ("address",)
    search_help_text = gettext_lazy("The whole address")
    fieldsets = (
        (None, {"fields": ("recipient", "address", "run", "state_in_words", "meaning")}),
        (
            gettext_lazy("The answer"),
            {"fields": (("reply_code", "enhanced_status_code"), "answer")},
        ),
        (
            gettext_lazy("Attempts"),
            {"fields": (("attempts", "next_attempt_at"), ("attempted_at", "finished_at"))},
        ),
        (gettext_lazy("Records"), {"fields": ("message_id", "task_result", "created_at")}),
    )
    readonly_fields = ("state_in_words", "meaning", "answer", "task_result")

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        """Find one address exactly, by its recipient: no index has the addresses of all runs."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(recipient__key=parse_address(search_term).key), False
        except BadAddress as error:
            said = _("%(text)s cannot be searched: %(reason)s")
            said %= {"text": repr(search_term), "reason": error}
            self.message_user(request, said, "WARNING")
            return queryset.none(), False

    @display(description=gettext_lazy("State"))
    def state_in_words(self, delivery: Delivery) -> SafeString:
        return state_tag(delivery.state, delivery.get_state_display())

    @display(description=gettext_lazy("diagnostic"))
    def answer(self, delivery: Delivery) -> str:
        return delivery.said

    @display(description=gettext_lazy("Meaning"))
    def meaning(self, delivery: Delivery) -> str:
        sentence = MEANINGS[DeliveryState(delivery.state)]
        if not delivery.skip_reason:
            return str(sentence)
        reason = SkipReason(delivery.skip_reason).label
        return _("%(meaning)s Reason: %(reason)s.") % {"meaning": sentence, "reason": reason}

    @display(description=gettext_lazy("Answer"))
    def reply(self, delivery: Delivery) -> str:
        if delivery.skip_reason:
            return str(SkipReason(delivery.skip_reason).label)
        codes = (str(delivery.reply_code or ""), delivery.enhanced_status_code)
        return " ".join(code for code in codes if code)

    @display(description=gettext_lazy("Task result"))
    def task_result(self, delivery: Delivery) -> SafeString | str:
        result = TaskResult.objects.filter(task_id=str(delivery.task_id)).first()
        if result is None:
            return _("Deleted, as those of old runs are")
        url = reverse("admin:django_celery_results_taskresult_change", args=[result.pk])
        return format_html('<a href="{}">{} ({})</a>', url, result.task_id, result.status)


@admin.register(RunCounters)
class RunCountersAdmin(ReadOnlyAdmin):
    list_display = ("run", "__str__", "moved_at")
    list_select_related = ("run__campaign",)
    ordering = ("-run_id",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return False  # shown on the page of their run


@admin.register(InboundMessage)
class InboundMessageAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "state_in_words", "explanation", "recipient", "origin")
    list_filter = ("status",)
    ordering = ("-pk",)
    show_full_result_count = False
    fields = (
        "state_in_words",
        "explanation",
        "about",
        "recipient",
        "origin",
        "received_at",
        "handled_at",
        "content",
    )
    readonly_fields = ("state_in_words", "about", "content")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[InboundMessage]":
        # A page of the list would else read a hundred megabytes.
        messages: QuerySet[InboundMessage] = super().get_queryset(request)
        return messages.defer("raw")

    @display(description=gettext_lazy("State"))
    def state_in_words(self, message: InboundMessage) -> SafeString:
        return state_tag(message.status, message.get_status_display())

    @display(description=gettext_lazy("About"))
    def about(self, message: InboundMessage) -> SafeString | str:
        if message.delivery_id is None:
            return _("No delivery")
        url = reverse("admin:tracking_delivery_change", args=[message.delivery_id])
        return format_html(
            '<a href="{}">{}</a>', url, _("Delivery %(id)s") % {"id": message.delivery_id}
        )

    @display(description=gettext_lazy("The message"))
    def content(self, message: InboundMessage) -> SafeString | str:
        if message.raw is None:
            return _("Deleted: somebody whom it named was erased")
        raw = bytes(message.raw)
        shown, left = raw[:SHOWN].decode(errors="replace"), len(raw) - SHOWN
        more = _("… %(count)s more bytes") % {"count": number(left)} if left > 0 else ""
        return format_html("<pre>{}\n{}</pre>" if more else "<pre>{}{}</pre>", shown, more)


@admin.register(Mailbox)
class MailboxAdmin(ReadOnlyAdmin):
    list_display = ("address", "read_at", "received_at", "messages", "error")
    ordering = ("address",)


@admin.register(WebhookEvent)
class WebhookEventAdmin(ManyRowsAdmin, ReadOnlyAdmin):
    list_display = ("received_at", "provider", "event_type", "recipient", "explanation")
    list_filter = (("handled_at", EmptyFieldListFilter),)
    ordering = ("-id",)
    fields = (
        ("provider", "event_type"),
        ("received_at", "handled_at"),
        "explanation",
        "message_id",
        "payload",
    )

    @display(description=gettext_lazy("Recipient"))
    def recipient(self, event: WebhookEvent) -> str:
        return str(event.payload.get("recipient") or "")

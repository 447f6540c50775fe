"""Consent on the page of a recipient: its proof, and what staff change is written down."""

# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display

from recipients import consent as ledger
from recipients.consent import Consent
from recipients.models import ConsentAction, Recipient, Subscription, SubscriptionState
from recipients.proof import proof

CONSENT = "recipients.view_consentevent"


def _states(recipient: Recipient) -> "QuerySet[Any, Any]":
    return recipient.subscription_set.values_list("mailing_list_id", "state")


def staff_changes(
    recipient: Recipient, before: Mapping[int, str], after: Mapping[int, str], source: str
) -> Iterator[Consent]:
    """Yield what it means for consent that staff changed subscriptions.

    They cannot consent in a person's place: what they confirm is a declaration.
    """
    for list_id in sorted({*before, *after}):
        was, now = before.get(list_id), after.get(list_id)
        if was != now:
            yield Consent(
                recipient.key,
                _meaning(was, now),
                source,
                recipient_id=recipient.pk,
                mailing_list_id=list_id,
            )


def _meaning(was: str | None, now: str | None) -> ConsentAction:
    if now == SubscriptionState.CONFIRMED:
        return ConsentAction.IMPORTED
    if now == SubscriptionState.PENDING and was != SubscriptionState.CONFIRMED:
        return ConsentAction.GRANTED
    return ConsentAction.WITHDRAWN


class ConsentOfRecipient(ModelAdmin):
    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.consent_view)
        own = path("<int:pk>/consent/", page, name="recipients_recipient_consent")
        return [own, *super().get_urls()]

    def consent_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what the person agreed to, as a document to print."""
        if not request.user.has_perms(["recipients.view_recipient", CONSENT]):
            raise PermissionDenied
        recipient = get_object_or_404(Recipient.objects.visible_to(request.user), pk=pk)
        context = {"proof": proof(recipient.key, now=timezone.now())}
        return render(request, "recipients/consent_proof.html", context)

    @display(description="Consent")
    def consent(self, recipient: Recipient) -> SafeString | str:
        if not recipient.pk:
            return "None yet"
        url = reverse("admin:recipients_recipient_consent", args=[recipient.pk])
        return format_html('<a href="{}">What was agreed to, with proof</a>', url)

    def save_formset(
        self, request: HttpRequest, form: ModelForm[Any], formset: Any, change: bool
    ) -> None:
        """Write to the ledger what staff change of subscriptions."""
        before = dict(_states(form.instance))
        super().save_formset(request, form, formset, change)
        if formset.model is Subscription:
            by_staff = staff_changes(
                form.instance, before, dict(_states(form.instance)), f"staff {request.user.pk}"
            )
            ledger.record(by_staff, now=timezone.now())

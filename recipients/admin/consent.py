"""Consent on the page of a recipient: its proof, and what staff change is written down."""

# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from recipients import consent as ledger
from recipients.consent import Consent
from recipients.models import ConsentAction, Recipient, Subscription, SubscriptionState


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
    @display(description=gettext_lazy("Consent"))
    def consent(self, recipient: Recipient) -> SafeString | str:
        if not recipient.pk:
            return _("None yet")
        url = reverse("recipients:recipient_consent", args=[recipient.pk])
        return format_html('<a href="{}">{}</a>', url, _("What was agreed to, with proof"))

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

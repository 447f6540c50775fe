"""What people do with a campaign outside of its path: each a page that says what it means."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from campaigns import services, trial
from campaigns.forms.path import CopyForm, PlainForm, TrialForm
from campaigns.models import Campaign
from campaigns.sending.outcomes import Accepted
from campaigns.services import Refused
from campaigns.tasks import go_on
from campaigns.views.frame import found, page, url_of
from recipients.hurry import hurry_after_commit
from recipients.sentences import sentence
from recipients.translatable import number

Said = tuple[str, str]
"""What came of it, and where to go."""


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that people do with a campaign: a page that says what it means, and a button."""

    title: str | Promise
    meaning: str | Promise
    button: str | Promise
    act: Callable[[Campaign, Any, datetime], Said]
    """Does it, for (campaign, the valid form, now)."""
    form: type[forms.Form] = PlainForm
    is_final: bool = False


def _withdraw(campaign: Campaign, _form: Any, _now: datetime) -> Said:
    services.withdraw(campaign)
    return _("Taken back: it is a draft again, and nothing is sent."), url_of(campaign)


def _pause(campaign: Campaign, _form: Any, _now: datetime) -> Said:
    services.pause(campaign)
    text = _("Paused. What a worker holds at this moment still goes out.")
    return text, url_of(campaign)


def _resume(campaign: Campaign, _form: Any, now: datetime) -> Said:
    for run_id in services.resume(campaign, now=now):
        hurry_after_commit(go_on, run_id)
    return _("It goes on."), url_of(campaign)


def _cancel(campaign: Campaign, _form: Any, now: datetime) -> Said:
    count = services.cancel(campaign, now=now)
    return _("Stopped. Recipients who will not be mailed: %s.") % number(count), url_of(campaign)


def _copy(campaign: Campaign, form: CopyForm, _now: datetime) -> Said:
    copy = services.copy(campaign, name=form.cleaned_data["name"])
    return _("Copied, without its schedule."), url_of(copy)


def _delete(campaign: Campaign, _form: Any, _now: datetime) -> Said:
    services.delete(campaign)
    return _("Deleted."), ""


def _send_test(campaign: Campaign, form: TrialForm, now: datetime) -> Said:
    address = form.cleaned_data["address"]
    outcome = trial.send_test(campaign, address=address, now=now)
    said = f"{address}: {trial.in_words(outcome)}"
    if not isinstance(outcome, Accepted):
        raise Refused(said)
    return said, url_of(campaign)


VERBS = {
    "withdraw": Verb(
        gettext_lazy("Take back"),
        gettext_lazy("It becomes a draft again and can be edited. Nothing of it has been sent."),
        gettext_lazy("Take it back"),
        _withdraw,
    ),
    "pause": Verb(
        gettext_lazy("Pause"),
        gettext_lazy(
            "No more messages leave until it is resumed; what a worker holds still goes out."
        ),
        gettext_lazy("Pause"),
        _pause,
    ),
    "resume": Verb(
        gettext_lazy("Resume"),
        gettext_lazy("The messages that wait leave now."),
        gettext_lazy("Resume"),
        _resume,
    ),
    "cancel": Verb(
        gettext_lazy("Stop for good"),
        gettext_lazy(
            "It cannot be taken back. Who was not mailed yet will not be; what a worker holds at"
            " this moment still goes out."
        ),
        gettext_lazy("Stop the campaign"),
        _cancel,
        is_final=True,
    ),
    "copy": Verb(
        gettext_lazy("Copy"),
        gettext_lazy("Content and audience are copied; the schedule and what was sent are not."),
        gettext_lazy("Copy"),
        _copy,
        CopyForm,
    ),
    "delete": Verb(
        gettext_lazy("Delete"),
        gettext_lazy("The draft is gone then. Its template, lists and segments stay."),
        gettext_lazy("Delete the draft"),
        _delete,
        is_final=True,
    ),
    "test": Verb(
        gettext_lazy("Send a test"),
        gettext_lazy(
            "One message, with the fields of the first recipient and [Test] before the subject. It"
            " is counted nowhere, and its unsubscribe link leads to nobody."
        ),
        gettext_lazy("Send the test"),
        _send_test,
        TrialForm,
    ),
}


@require_http_methods(["GET", "HEAD", "POST"])
def campaign_verb(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Show the page of a verb, or do it: a refusal stands on the same page."""
    campaign, verb = found(request, pk), VERBS[name]
    initial = {"name": _("Copy of %s") % campaign, "address": getattr(request.user, "email", "")}
    form = verb.form(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        try:
            said, url = verb.act(campaign, form, timezone.now())
        except Refused as refusal:
            form.add_error(None, sentence(refusal))
        else:
            messages.success(request, said)
            return redirect(url or "campaigns:campaign_list")
    return page(request, "campaign_verb", campaign, form=form, verb=verb)

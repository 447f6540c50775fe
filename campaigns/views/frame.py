"""What the pages of one campaign have in common: the campaign, its path, its addresses."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy

from campaigns import wording
from campaigns.models import Campaign

STEPS = (
    ("content", gettext_lazy("Content")),
    ("audience", gettext_lazy("Audience")),
    ("schedule", gettext_lazy("Schedule")),
    ("check", gettext_lazy("Check")),
    ("confirm", gettext_lazy("Confirm")),
)


def found(request: HttpRequest, pk: int, *, to_change: bool = False) -> Campaign:
    """Return a campaign that this user may see, with what its pages show.

    :param to_change: locked, so that nobody schedules it between the look and the change.
    :raises Http404: there is none.
    """
    shown = Campaign.objects.visible_to(request.user)
    if to_change:
        shown = shown.select_for_update(of=("self",))
    return get_object_or_404(shown.select_related("sender", "template", "version"), pk=pk)


def page(
    request: HttpRequest, template: str, campaign: Campaign, *, here: str = "", **own: Any
) -> HttpResponse:
    """Show a page of a campaign with its path; 422 where a form in it was refused."""
    form = own.get("form")
    status = own.pop("status", 422 if form is not None and form.errors else 200)
    steps = [(url_of(campaign, name), title, name == here) for name, title in STEPS]
    context = {
        "campaign": campaign,
        "steps": steps,
        "why_locked": wording.why_locked(campaign),
        "may_act": request.user.has_perm("campaigns.change_campaign"),
        **own,
    }
    return render(request, f"campaigns/{template}.html", context, status=status)


def url_of(campaign: Campaign, step: str = "detail") -> str:
    return reverse(f"campaigns:campaign_{step}", args=[campaign.pk])

"""Whom a campaign would reach, and why (not) somebody."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from campaigns.audience import Audience
from campaigns.forms.path import WhyForm
from campaigns.models import Campaign
from recipients.models.lists import hidden_lists
from recipients.segments.grammar import BadRules


def audience_context(request: HttpRequest, campaign: Campaign, *, now: datetime) -> dict[str, Any]:
    """Return what the page shows: one person, or the sum and a sample of one of its numbers.

    People are for those who may see recipients.
    """
    audience = Audience(campaign)
    # What is said of a person names all of their lists.
    may_see = request.user.has_perm("recipients.view_recipient") and not hidden_lists(request.user)
    asked = request.GET if may_see else QueryDict()
    form = WhyForm(asked if "address" in asked else None)
    context: dict[str, Any] = {"why": form, "counted_at": now, "may_see": may_see}
    try:
        if form.is_valid():
            address = form.cleaned_data["address"]
            context["explanation"] = audience.explain_address(address, now=now)
        elif not form.is_bound:
            context |= _counted(audience, asked.get("show", ""), now=now)
    except BadRules as error:
        context["problem"] = _("The audience cannot be found: %(error)s.") % {"error": error}
    return context


def _counted(audience: Audience, shown: str, *, now: datetime) -> dict[str, Any]:
    lines = audience.arithmetic(now=now).lines()
    chosen = next((line for line in lines if line.sample == shown), None)
    few = audience.sample(shown, now=now) if chosen else []
    sample = [audience.explain(recipient, now=now) for recipient in few]
    return {"lines": lines, "chosen": chosen, "sample": sample}

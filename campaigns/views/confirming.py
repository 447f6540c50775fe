"""The last step: how many get it, what, from whom and when; and the button."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from campaigns import approval, departure, wording
from campaigns.audience import RECEIVING, Audience
from campaigns.departure import Moved, Shown
from campaigns.forms.path import (
    ConfirmForm,
)
from campaigns.models import Campaign, CampaignStatus, Plan
from campaigns.services import Refused
from campaigns.views import checking
from campaigns.views.campaign import sources, when
from campaigns.views.frame import found, page, url_of
from recipients.models import Recipient
from recipients.segments.grammar import BadRules
from recipients.sentences import sentence
from templates_app.services import Refused as ContentRefused

MUCH = 1_000  # recipients, from which on their number has to be typed
FEW = 5


@dataclass(frozen=True, slots=True)
class Confirming:
    """What the page says before something is sent."""

    shown: Shown
    sample: list[Recipient]
    share: int
    """Percent of all recipients."""
    must_type: bool


@require_http_methods(["GET", "HEAD", "POST"])
def campaign_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Say how many get it, what, from whom and when; on POST, schedule exactly that."""
    campaign = found(request, pk)
    if campaign.status != CampaignStatus.DRAFT:
        return redirect(url_of(campaign))
    now = timezone.now()
    try:
        confirming = _confirming(campaign, now=now)
        judged = checking.look(campaign, now=now)
    except (Refused, ContentRefused) as refusal:
        return page(request, "campaign_confirm", campaign, here="confirm", stop=sentence(refusal))
    form = ConfirmForm(
        request.POST or None,
        must_type=confirming.must_type,
        warnings=judged.open_warnings,
        initial=asdict(confirming.shown),
    )
    status, moved = 200, ""
    if request.method == "POST" and form.is_valid():
        try:
            return _confirmed(request, campaign, form, now=now)
        except Moved as difference:
            status, moved = 409, sentence(difference)
            form = _asked_anew(form, difference.shown)
        except (Refused, ContentRefused, approval.NotApproved) as refusal:
            form.add_error(None, sentence(refusal))
    plan = Plan.objects.filter(campaign=campaign).first()
    return page(
        request,
        "campaign_confirm",
        campaign,
        here="confirm",
        form=form,
        moved=moved,
        confirming=confirming,
        errors=judged.errors,
        plan=plan,
        when=when(plan, now=now),
        content=campaign.template,
        sources=sources(campaign),
        approval=approval.of(campaign, confirming.shown.fingerprint),
        needs_approval=approval.is_needed(),
        may_approve=request.user.has_perm("campaigns.approve_campaign"),
        status=422 if form.errors else status,
    )


def _confirming(campaign: Campaign, *, now: datetime) -> Confirming:
    shown = departure.look(campaign, now=now)
    try:
        sample = Audience(campaign).sample(RECEIVING, now=now, few=FEW)
    except BadRules as error:
        raise Refused(_("the audience cannot be found: %(error)s") % {"error": error}) from None
    # Only whether it is more than half of everybody: counted no further than that.
    everybody = Recipient.objects.all()[: 2 * shown.receiving].count()
    is_most = 0 < everybody < 2 * shown.receiving and shown.receiving >= MUCH // 10
    share = round(100 * shown.receiving / everybody) if everybody else 0
    return Confirming(shown, sample, share, must_type=shown.receiving >= MUCH or is_most)


def _asked_anew(form: ConfirmForm, shown: Shown) -> ConfirmForm:
    """Return the form about what is there now; the number has to be typed once more."""
    return ConfirmForm(
        must_type="typed" in form.fields,
        warnings=(),
        initial=asdict(shown),
    )


def _confirmed(
    request: HttpRequest, campaign: Campaign, form: ConfirmForm, *, now: datetime
) -> HttpResponse:
    """Do what the button says: schedule it, ask another person, or approve.

    :raises Moved: it is not what was shown.
    :raises Refused: it may not be scheduled.
    :raises NotApproved: nobody has asked, or this person has.
    """
    by = request.user.get_username()
    verb = "approve" if "approve" in request.POST else "change"
    if not request.user.has_perm(f"campaigns.{verb}_campaign"):
        raise PermissionDenied
    shown = Shown(**{each.name: form.cleaned_data[each.name] for each in fields(Shown)})
    if "ask" in request.POST:
        departure.require_as_shown(campaign, shown, now=now)
        approval.ask(campaign, shown.fingerprint, by=by, now=now)
        messages.success(request, _("Another person is asked to approve it."))
        return redirect(url_of(campaign, "confirm"))
    if "approve" in request.POST:
        departure.require_as_shown(campaign, shown, now=now)
        approval.approve(campaign, shown.fingerprint, by=by, now=now)
        messages.success(request, _("Approved: it may be sent now."))
        return redirect(url_of(campaign, "confirm"))
    departure.confirm(campaign, shown, now=now, accepted=form.accepted, by=by)
    messages.success(request, wording.situation(campaign))
    return redirect(url_of(campaign))

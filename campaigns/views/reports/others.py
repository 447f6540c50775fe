"""Reports of several campaigns, of a list and of a recipient."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from campaigns import summaries
from campaigns.models import Campaign, ReportFrequency, ReportSubscription, Run
from campaigns.reporting.comparison import MOST, compare, lines, newest
from campaigns.reporting.growth import Period, growth
from campaigns.reporting.history import history
from campaigns.views.reports.charts import Chart, charts
from recipients.models import MailingList, Recipient
from recipients.paging import key_of
from tracking.models import Delivery

OFFERED = 50  # campaigns to compare


@require_safe
def report_comparison(request: HttpRequest) -> HttpResponse:
    """Show up to ten campaigns side by side, and those to choose from."""
    ids = list(dict.fromkeys(filter(None, map(key_of, request.GET.getlist("id")))))
    shown = Campaign.objects.visible_to(request.user).in_bulk(ids)
    runs = Run.objects.visible_to(request.user)
    compared = compare([pk for pk in ids if pk in shown], among=runs)
    context = {
        "title": _("Compare campaigns"),
        "compared": compared,
        "lines": lines(compared),
        "chosen": {one.campaign.pk for one in compared},
        "offered": newest(OFFERED, among=runs),
        "most": MOST,
        "is_cut": len(ids) > MOST,
    }
    return render(request, "campaigns/report_compare.html", context)


@require_safe
def list_growth(request: HttpRequest, pk: int) -> HttpResponse:
    """Show who came to a list and who left, by day or by week."""
    mailing_list = get_object_or_404(MailingList.objects.visible_to(request.user), pk=pk)
    by_week = request.GET.get("by") == "week"
    periods = growth(mailing_list.pk, by_week=by_week, now=timezone.now())
    context = {
        "title": _("Growth: %s") % mailing_list,
        "original": mailing_list,
        "by_week": by_week,
        "periods": periods,
        "charts": _charts(periods),
    }
    return render(request, "campaigns/report_growth.html", context)


@require_safe
def recipient_history(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what was sent to a recipient, and what became of it."""
    recipient = get_object_or_404(Recipient.objects.visible_to(request.user), pk=pk)
    found, has_more = history(
        Delivery.objects.visible_to(request.user).filter(recipient=recipient),
        before=key_of(request.GET.get("before", "")) or 0,
    )
    context = {
        "title": _("Messages: %s") % recipient,
        "original": recipient,
        "messages_sent": found,
        "has_more": has_more,
    }
    return render(request, "campaigns/report_history.html", context)


def _charts(periods: list[Period]) -> list[Chart]:
    kinds = (
        (_("Asked to get it"), "opened", [one.subscribed for one in periods]),
        (_("Imported"), "sent", [one.imported for one in periods]),
        (_("Confirmed"), "clicked", [one.confirmed for one in periods]),
        (_("Left"), "bad", [one.left for one in periods]),
    )
    return charts([date_format(one.first, "DATE_FORMAT") for one in periods], kinds)


@require_http_methods(["GET", "HEAD", "POST"])
def report_summaries(request: HttpRequest) -> HttpResponse:
    """Let a member of staff say when to be sent the figures."""
    if request.method == "POST":
        asked = set(request.POST.getlist("frequency"))
        chosen = [each for each in ReportFrequency if each in asked]
        summaries.subscribe(request.user, chosen, now=timezone.now())
        messages.success(request, _("Saved."))
        return redirect("campaigns:report_summaries")
    own = {each.frequency: each for each in ReportSubscription.objects.filter(user=request.user.pk)}
    context = {
        "title": _("Summaries by mail"),
        "choices": [(value, label, own.get(value)) for value, label in ReportFrequency.choices],
    }
    return render(request, "campaigns/report_summaries.html", context)

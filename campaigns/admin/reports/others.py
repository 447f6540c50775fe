"""Reports of several campaigns, of a list and of a recipient."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone

from campaigns import summaries
from campaigns.admin.reports.charts import Chart, charts
from campaigns.admin.reports.pages import is_id
from campaigns.models import Campaign, ReportFrequency, ReportSubscription, Run
from campaigns.reporting.comparison import MOST, compare, lines, newest
from campaigns.reporting.growth import Period, growth
from campaigns.reporting.history import history
from recipients.models import MailingList, Recipient

OFFERED = 50  # campaigns to compare


def urls_of(model_admin: Any) -> list[Any]:
    """Return pages that stand beside those of campaigns, and are linked from lists and people."""

    def shown(view: Any) -> Any:
        def page(request: HttpRequest, **values: Any) -> HttpResponseBase:
            return view(model_admin, request, **values)  # type: ignore[no-any-return]

        return model_admin.admin_site.admin_view(page)

    return [
        path("of-list/<int:pk>/", shown(growth_page), name="campaigns_list_growth"),
        path("of-recipient/<int:pk>/", shown(history_page), name="campaigns_recipient_history"),
    ]


def compare_page(model_admin: Any, request: HttpRequest) -> HttpResponseBase:
    """Show up to ten campaigns side by side, and those to choose from."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    ids = list(dict.fromkeys(map(int, filter(is_id, request.GET.getlist("id")))))
    shown = Campaign.objects.visible_to(request.user).in_bulk(ids)
    compared = compare([pk for pk in ids if pk in shown])
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Compare campaigns",
        "opts": model_admin.opts,
        "compared": compared,
        "lines": lines(compared),
        "chosen": {one.campaign.pk for one in compared},
        "offered": newest(OFFERED, among=Run.objects.visible_to(request.user)),
        "most": MOST,
        "is_cut": len(ids) > MOST,
    }
    return TemplateResponse(request, "campaigns/report_compare.html", context)


def growth_page(model_admin: Any, request: HttpRequest, *, pk: int) -> HttpResponseBase:
    if not request.user.has_perm("recipients.view_mailinglist"):
        raise PermissionDenied
    mailing_list = MailingList.objects.visible_to(request.user).filter(pk=pk).first()
    if mailing_list is None:
        raise Http404
    by_week = request.GET.get("by") == "week"
    periods = growth(mailing_list.pk, by_week=by_week, now=timezone.now())
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"Growth: {mailing_list}",
        "opts": admin.site.get_model_admin(MailingList).opts,
        "original": mailing_list,
        "by_week": by_week,
        "periods": periods,
        "charts": _charts(periods),
    }
    return TemplateResponse(request, "campaigns/report_growth.html", context)


def history_page(model_admin: Any, request: HttpRequest, *, pk: int) -> HttpResponseBase:
    if not request.user.has_perm("recipients.view_recipient"):
        raise PermissionDenied
    recipient = Recipient.objects.visible_to(request.user).filter(pk=pk).first()
    if recipient is None:
        raise Http404
    asked = request.GET.get("before", "")
    found, has_more = history(recipient.pk, before=int(asked) if is_id(asked) else 0)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"Messages: {recipient}",
        "opts": admin.site.get_model_admin(Recipient).opts,
        "original": recipient,
        "messages_sent": found,
        "has_more": has_more,
    }
    return TemplateResponse(request, "campaigns/report_history.html", context)


def _charts(periods: list[Period]) -> list[Chart]:
    kinds = (
        ("Asked to get it", "opened", [one.subscribed for one in periods]),
        ("Imported", "sent", [one.imported for one in periods]),
        ("Confirmed", "clicked", [one.confirmed for one in periods]),
        ("Left", "bad", [one.left for one in periods]),
    )
    return charts([f"{one.first:%-d %b %Y}" for one in periods], kinds)


def summaries_page(model_admin: Any, request: HttpRequest) -> HttpResponseBase:
    """Let a member of staff say when to be sent the figures."""
    if not request.user.has_perm("campaigns.view_run"):
        raise PermissionDenied
    if request.method == "POST":
        asked = set(request.POST.getlist("frequency"))
        chosen = [each for each in ReportFrequency if each in asked]
        summaries.subscribe(request.user, chosen, now=timezone.now())
        model_admin.message_user(request, "Saved.", messages.SUCCESS)
        return HttpResponseRedirect(request.path)
    own = {each.frequency: each for each in ReportSubscription.objects.filter(user=request.user.pk)}
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Summaries by mail",
        "opts": model_admin.opts,
        "choices": [(value, label, own.get(value)) for value, label in ReportFrequency.choices],
    }
    return TemplateResponse(request, "campaigns/report_summaries.html", context)

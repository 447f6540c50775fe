"""All templates, one of them as a whole, and its end."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from campaigns.models import Campaign, Run, RunQuerySet
from campaigns.views.listing import asked_of
from campaigns.views.templates.frame import found, page
from templates_app.models import EmailTemplate, Kind
from templates_app.services import Refused, delete_template

SIZE = 50
_FEW = 20


@require_safe
def template_list(request: HttpRequest) -> HttpResponse:
    """Show the templates that a filter in the address lets through, the newest change first."""
    asked = asked_of(request, "q", "kind")
    shown = Paginator(_filtered(asked, Run.objects.visible_to(request.user)), SIZE).get_page(
        request.GET.get("page")
    )
    context = {
        "page": shown,
        "asked": asked,
        "is_filtered": any(asked.values()),
        "kinds": Kind.choices,
    }
    return render(request, "campaigns/template_list.html", context)


def _filtered(asked: dict[str, str], shown: RunQuerySet) -> "QuerySet[EmailTemplate]":
    rows = EmailTemplate.objects.order_by("-updated_at", "-pk").defer("source", "text")
    if asked["q"]:
        rows = rows.filter(Q(name__icontains=asked["q"]) | Q(subject__icontains=asked["q"]))
    if asked["kind"]:
        rows = rows.filter(kind=asked["kind"])
    runs = shown.filter(version__template=OuterRef("pk")).order_by("-occurrence")
    newest = Max("versions__number")
    return rows.annotate(
        used_at=Subquery(runs.values("occurrence")[:1]),
        version=newest,
        languages=Count("variants", distinct=True),
    )


@require_safe
def template_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a template is, and what uses it."""
    template = found(pk)
    campaigns = Campaign.objects.visible_to(request.user).filter(template=template)
    newest = template.versions.order_by("-number").first()
    pictures = newest.screenshots.filter(png__isnull=False).defer("png") if newest else []
    return page(
        request,
        "detail",
        template,
        here="detail",
        campaigns=campaigns.order_by("-pk")[:_FEW],
        newest=newest,
        variants=template.variants.order_by("language"),
        pictures=pictures,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def template_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what it means, or do it: versions go along, unless a campaign has sent one."""
    template = found(pk)
    is_used = Campaign.objects.filter(template=template).exists()
    if request.method == "POST" and not is_used:
        try:
            delete_template(template)
        except Refused:  # a campaign has come to use it since it was looked at
            return redirect(request.path)
        messages.success(request, _("Deleted: %s.") % template)
        return redirect("campaigns:template_list")
    status = 422 if request.method == "POST" else 200
    shown = Campaign.objects.visible_to(request.user).filter(template=template)
    uses = shown.order_by("-pk")[:_FEW]
    return page(request, "delete", template, status=status, is_used=is_used, uses=uses)

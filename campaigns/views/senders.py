"""Senders: in whose name messages leave, by which ways, and what the DNS says of them."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campaigns import services, tasks
from campaigns.forms.ways_out import RouteForms, SenderForm
from campaigns.models import Campaign, Sender, SenderCheck
from campaigns.preflight import records, watching
from campaigns.preflight.findings import Severity
from campaigns.services import Refused
from recipients.fragments import fragment
from recipients.sentences import sentence

_FEW = 20


@require_safe
def sender_list(request: HttpRequest) -> HttpResponse:
    senders = Sender.objects.select_related("checked").prefetch_related("transports")
    rows = [(each, _state(each)) for each in senders.order_by("address", "display_name")]
    return render(request, "campaigns/sender_list.html", {"rows": rows})


def _state(sender: Sender) -> tuple[str, str]:
    """Return the state of what was found about a sender, and its word."""
    check = getattr(sender, "checked", None)
    if check is None or not check.checked_at:
        return "draft", _("Not checked yet")
    severities = {each.severity for each in watching.findings_of(check)}
    if Severity.ERROR in severities:
        return "failed", _("Errors")
    if Severity.WARNING in severities:
        return "held", _("Warnings")
    return "done", _("In order")


@require_http_methods(["GET", "HEAD", "POST"])
def sender_new(request: HttpRequest) -> HttpResponse:
    return _edited(request, Sender())


@require_http_methods(["GET", "HEAD", "POST"])
def sender_detail(request: HttpRequest, pk: int) -> HttpResponse:
    return _edited(request, get_object_or_404(Sender, pk=pk))


def _edited(request: HttpRequest, sender: Sender) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    form, routes = SenderForm(data, instance=sender), RouteForms(data, instance=sender)
    if request.method == "POST" and all([form.is_valid(), routes.is_valid()]):
        with transaction.atomic():
            form.save()
            routes.save()
            _ask(form.instance)
        messages.success(request, _("Saved: %s.") % form.instance)
        return redirect("campaigns:sender_detail", form.instance.pk)
    known = Sender.objects.filter(pk=sender.pk).first()
    context = {
        "form": form,
        "routes": routes,
        "may_change": request.user.has_perm("campaigns.change_sender"),
        "may_delete": request.user.has_perm("campaigns.delete_sender"),
        **(_found(known) if known else {}),
    }
    status = 422 if form.errors or routes.total_error_count() else 200
    return render(request, "campaigns/sender_detail.html", context, status=status)


def _ask(sender: Sender) -> None:
    for sender_id in watching.want([sender.pk], now=timezone.now()):
        tasks.wake_sender_check(sender_id)


def _found(sender: Sender) -> dict[str, Any]:
    check = SenderCheck.objects.filter(sender=sender.pk).first()
    findings = watching.findings_of(check) if check and check.checked_at else None
    return {
        "sender": sender,
        "check": check,
        "found": findings or [],
        "records": records.of(sender, findings),
        "every": 3 if check and check.wanted_at else 0,
    }


@require_safe
def sender_found(request: HttpRequest, pk: int) -> HttpResponse:
    sender = get_object_or_404(Sender, pk=pk)
    may_change = request.user.has_perm("campaigns.change_sender")
    context = {**_found(sender), "may_change": may_change}
    page = reverse("campaigns:sender_detail", args=[pk])
    return fragment(request, "campaigns/_sender_found.html", context, page=page)


@require_POST
def sender_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the DNS, the relays and the unsubscribe button asked now."""
    sender = get_object_or_404(Sender, pk=pk)
    with transaction.atomic():
        _ask(sender)
    return redirect(reverse("campaigns:sender_detail", args=[pk]) + "#found")


@require_http_methods(["GET", "HEAD", "POST"])
def sender_delete(request: HttpRequest, pk: int) -> HttpResponse:
    sender, problem = get_object_or_404(Sender, pk=pk), ""
    is_used = Campaign.objects.filter(sender=sender).exists()
    uses = Campaign.objects.visible_to(request.user).filter(sender=sender)
    if request.method == "POST":
        try:
            services.delete_sender(sender)
        except Refused as refusal:
            problem = sentence(refusal)
        else:
            messages.success(request, _("Deleted: %s.") % sender)
            return redirect("campaigns:sender_list")
    context = {"sender": sender, "problem": problem, "is_used": is_used}
    context["uses"] = uses.order_by("-pk")[:_FEW]
    status = 422 if problem else 200
    return render(request, "campaigns/sender_delete.html", context, status=status)

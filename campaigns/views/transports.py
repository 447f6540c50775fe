"""Transports: the ways out, how each stands, and a test by it."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from campaigns import services, trial
from campaigns.forms.ways_out import TransportForm, WayTrialForm
from campaigns.models import Campaign, Gate, Sender, Transport
from campaigns.sending import waiting
from campaigns.sending.outcomes import Accepted
from campaigns.services import Refused, set_limits, set_transport_url
from recipients.sentences import sentence

LIMITS = ("per_second", "per_hour", "per_day", "connections", "message_mb")


@dataclass(frozen=True, slots=True)
class Standing:
    """A transport, whether it is open, and its last trouble."""

    transport: Transport
    shut: str
    gate: Gate | None
    senders: int

    @property
    def state(self) -> str:
        return "paused" if self.shut else "done"


@require_safe
def transport_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    transports = Transport.objects.prefetch_related("senders", "gates").order_by("name")
    rows = [_standing(each, now=now) for each in transports]
    own = {"without": Sender.objects.filter(routes=None).count()}
    return render(request, "campaigns/transport_list.html", {"rows": rows, **own})


def _standing(transport: Transport, *, now: datetime) -> Standing:
    gate = next((each for each in transport.gates.all() if not each.group), None)
    is_shut = bool(gate and gate.shut_until and gate.shut_until > now)
    shut = waiting.of_transport(transport, now=now) if is_shut else ""
    return Standing(transport, shut, gate, len(transport.senders.all()))


@require_http_methods(["GET", "HEAD", "POST"])
def transport_new(request: HttpRequest) -> HttpResponse:
    return _edited(request, Transport())


@require_http_methods(["GET", "HEAD", "POST"])
def transport_detail(request: HttpRequest, pk: int) -> HttpResponse:
    return _edited(request, get_object_or_404(Transport, pk=pk))


def _edited(request: HttpRequest, transport: Transport) -> HttpResponse:
    form = TransportForm(request.POST or None, instance=transport)
    if request.method == "POST" and form.is_valid():
        try:
            return _saved(request, transport, form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, sentence(refusal))
    now = timezone.now()
    known = Transport.objects.filter(pk=transport.pk).first()
    context = {
        "transport": known,
        "standing": _standing(known, now=now) if known else None,
        "set_at": url_set_at(known) if known else None,
        "senders": known.senders.order_by("address") if known else (),
        "waiting_campaigns": _waiting(known) if known else 0,
        "form": form,
        "may_change": request.user.has_perm("campaigns.change_transport"),
        "may_delete": request.user.has_perm("campaigns.delete_transport"),
    }
    status = 422 if form.errors else 200
    return render(request, "campaigns/transport_detail.html", context, status=status)


def _saved(request: HttpRequest, transport: Transport, typed: dict[str, Any]) -> HttpResponse:
    now = timezone.now()
    if url := typed["url"]:
        set_transport_url(transport, url=url, now=now)
    else:
        transport.save(update_fields=["name"])
    set_limits(transport, now=now, **{name: typed[name] for name in LIMITS})
    messages.success(request, _("Saved: %s.") % transport)
    return redirect("campaigns:transport_detail", transport.pk)


def _waiting(transport: Transport) -> int:
    """Count the campaigns that are going to be sent, and would have no other way out."""
    alone = Sender.objects.filter(routes__transport=transport).exclude(
        pk__in=Sender.objects.filter(
            routes__transport__in=Transport.objects.exclude(pk=transport.pk)
        )
    )
    return Campaign.objects.coming().filter(sender__in=alone).count()


def url_set_at(transport: Transport) -> datetime | None:
    """Return when the URL was stored, which is all that is told of it."""
    if not transport.encrypted_url:
        return None
    # A token of Fernet's begins with its version and the time at which it was made.
    seconds = int.from_bytes(urlsafe_b64decode(transport.encrypted_url)[1:9], "big")
    return datetime.fromtimestamp(seconds, UTC)


@require_http_methods(["GET", "HEAD", "POST"])
def transport_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Send one message by this transport, whatever its sender's others are."""
    transport = get_object_or_404(Transport, pk=pk)
    initial = {
        "address": getattr(request.user, "email", ""),
        "sender": transport.senders.first() or Sender.objects.order_by("pk").first(),
    }
    form = WayTrialForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        address = form.cleaned_data["address"]
        try:
            outcome = trial.send_by(transport, now=timezone.now(), **form.cleaned_data)
        except Refused as refusal:
            form.add_error(None, sentence(refusal))
        else:
            said = f"{address}: {trial.in_words(outcome)}"
            tell = messages.success if isinstance(outcome, Accepted) else messages.error
            tell(request, said)
            return redirect("campaigns:transport_detail", pk)
    context = {"transport": transport, "form": form}
    status = 422 if form.errors else 200
    return render(request, "campaigns/transport_test.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def transport_delete(request: HttpRequest, pk: int) -> HttpResponse:
    transport = get_object_or_404(Transport, pk=pk)
    problem = ""
    if request.method == "POST":
        try:
            services.delete_transport(transport)
        except Refused as refusal:
            problem = sentence(refusal)
        else:
            messages.success(request, _("Deleted: %s.") % transport)
            return redirect("campaigns:transport_list")
    context = {"transport": transport, "problem": problem, "senders": transport.senders.all()}
    status = 422 if problem else 200
    return render(request, "campaigns/transport_delete.html", context, status=status)

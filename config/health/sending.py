"""By whom and by what messages leave: transports that refuse, senders that nobody believes."""

from collections.abc import Iterator
from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from campaigns.models import Gate
from campaigns.preflight import watching
from campaigns.sending import breaker
from config.health.facts import Fact, State


def all_of(*, now: datetime) -> Iterator[Fact]:
    yield from transports(now=now)
    yield domains(now=now)
    yield from senders()


def transports(*, now: datetime) -> list[Fact]:
    """Return each transport by which nothing leaves, or little; one fact where all are open."""
    shut = Gate.objects.limited(now=now).filter(group="").select_related("transport")
    found = [_gate(gate, now=now) for gate in shut.order_by("transport__name")]
    said = _("Nobody refuses what is sent.")
    return found or [Fact("transports", _("Transports"), State.GOOD, said)]


def _gate(gate: Gate, *, now: datetime) -> Fact:
    label = _("the server of EMAIL_URL")
    if gate.transport:
        label = _("the transport %s") % gate.transport
    why = breaker.in_words(gate, label)
    name = f"transport_{gate.transport_id or 0}"
    if gate.shut_until and gate.shut_until > now:
        until = date_format(localtime(gate.shut_until), "TIME_FORMAT")
        said = _("Nothing leaves until %(until)s: %(why)s.") % {"until": until, "why": why}
        remedy = _("See to it and test the transport on its page; then it is used again at once.")
        return Fact(name, _("Transport"), State.BAD, said, remedy)
    said = _("It is used again step by step: %s.") % why
    remedy = _("It opens by itself, as long as messages are taken.")
    return Fact(name, _("Transport"), State.ATTENTION, said, remedy)


def domains(*, now: datetime) -> Fact:
    """Return how many domains are kept back because they limit us."""
    title, name = _("Domains kept back"), "domains"
    groups = Gate.objects.limited(now=now).exclude(group="").values_list("group", flat=True)
    shut = sorted(set(groups[:20]))
    if not shut:
        return Fact(name, title, State.GOOD, _("None."), figure=0)
    remedy = _("They limit how much they take; the messages wait and leave by themselves.")
    return Fact(name, title, State.ATTENTION, f"{', '.join(shut)}.", remedy, len(shut))


def senders() -> list[Fact]:
    """Return each sender of what is scheduled that receivers would not believe, as last seen."""
    found = [
        Fact(f"sender_{sender.pk}", sender.domain, State.BAD, error.sentence, error.remedy)
        for sender, errors in watching.troubled()
        for error in errors
    ]
    said = _("What is scheduled comes from nobody whom receivers would refuse.")
    return found or [Fact("senders", _("Senders"), State.GOOD, said)]

"""A preflight from its beginning to its end: what people do with it, and the steps of the work.

A step takes some seconds at most, may be repeated, and may be cut off: nothing is sent by it, and
what it found counts once. Steps of one preflight run at the same time, on all workers.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.models import (
    AcceptedWarning,
    Campaign,
    CampaignStatus,
    Preflight,
    PreflightKind,
    PreflightStatus,
    PreflightStep,
)
from campaigns.preflight import dry_run, links, senders, spam, verdict
from campaigns.preflight.findings import Finding, Place, Severity
from campaigns.preflight.senders import World
from campaigns.sending.mailing import NoMailing, NotComposed
from campaigns.sending.signing import NoKey
from recipients.recognising import known
from recipients.segments.grammar import BadRules
from recipients.translatable import Translatable
from templates_app.models import TemplateVersion
from templates_app.services import freeze

LEASE = timedelta(minutes=5)  # longer than any step: 200 links of one host that answers slowly
# Where others are not asked, work that a dead worker held goes on sooner.
_BRIEF = timedelta(minutes=1)
_ASKS_OTHERS = frozenset({PreflightKind.AUTHENTICATION, PreflightKind.LINKS})
_ATTEMPTS = 3
_OPEN = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)


class Refused(Exception):
    """What was asked for cannot be done with this preflight; the text says why."""


@dataclass(slots=True)
class _Found:
    findings: list[Finding] = field(default_factory=list)
    tally: dict[str, Any] = field(default_factory=dict)


def version_of(campaign: Campaign) -> TemplateVersion:
    """Return what is or would be sent: what is frozen, of a draft the present content.

    :raises templates_app.services.Refused: the content has a fault.
    """
    if campaign.status == CampaignStatus.DRAFT or campaign.version is None:
        return freeze(campaign.template)
    return campaign.version


@transaction.atomic
def start(campaign: Campaign, *, by: str, now: datetime, size: int = dry_run.SLICE) -> Preflight:
    """Begin a preflight; one that is under way is stopped.

    :param by: the account that wants it.
    :param size: recipients in a slice.
    :raises Refused: the campaign has ended.
    :raises templates_app.services.Refused: the content has a fault.
    """
    locked = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
    if locked.status not in _OPEN:
        raise Refused(
            _("campaign %(campaign)s has been %(status)s already")
            % {"campaign": campaign.pk, "status": locked.get_status_display().lower()}
        )
    locked.preflights.running().update(status=PreflightStatus.STOPPED, finished_at=now)
    # Nobody asks for older ones; a worker may still be at a step of one that has just ended.
    locked.preflights.filter(finished_at__lt=now - LEASE).delete()
    version = version_of(locked)
    preflight = Preflight.objects.create(
        campaign=locked,
        version=version,
        fingerprint=verdict.fingerprint(locked, version),
        started_by=by,
        started_at=now,
        moved_at=now,
    )
    kinds = (PreflightKind.AUTHENTICATION, PreflightKind.MESSAGE, PreflightKind.LINKS)
    slices = enumerate(dry_run.slices(size=size))
    PreflightStep.objects.bulk_create(
        [
            *(PreflightStep(preflight=preflight, kind=kind) for kind in kinds),
            *(_slice(preflight, number, *bounds) for number, bounds in slices),
        ]
    )
    return preflight


def _slice(preflight: Preflight, number: int, after: int, upto: int) -> PreflightStep:
    return PreflightStep(
        preflight=preflight, kind=PreflightKind.AUDIENCE, number=number, after=after, upto=upto
    )


def stop(preflight: Preflight, *, now: datetime) -> None:
    """Stop a preflight; what it has found so far counts.

    :raises Refused: it is not under way.
    """
    going = Preflight.objects.running().filter(pk=preflight.pk)
    if not going.update(status=PreflightStatus.STOPPED, finished_at=now):
        raise Refused(_("it is not under way"))


@transaction.atomic
def accept(campaign: Campaign, *, names: Collection[str], by: str, now: datetime) -> None:
    """Accept warnings by their names, until content, audience or sender change.

    :raises Refused: there is no such warning.
    """
    version = version_of(campaign)
    found = verdict.judge(campaign, version, now=now)
    known = {each.name for each in found.of(Severity.WARNING)}
    if unknown := [name for name in names if name not in known]:
        there = ", ".join(sorted(known)) or _("none")
        raise Refused(
            _("there is no warning %(unknown)s; there is: %(there)s")
            % {"unknown": ", ".join(unknown), "there": there}
        )
    note_accepted(campaign, verdict.fingerprint(campaign, version), names, by=by, now=now)


def note_accepted(
    campaign: Campaign, fingerprint: str, names: Collection[str], *, by: str, now: datetime
) -> None:
    """Write down who accepts; who did so first is kept."""
    AcceptedWarning.objects.bulk_create(
        [
            AcceptedWarning(
                campaign=campaign,
                fingerprint=fingerprint,
                name=name,
                accepted_by=by,
                accepted_at=now,
            )
            for name in dict.fromkeys(names)
        ],
        ignore_conflicts=True,
    )


def standing_still(*, since: datetime) -> list[int]:
    """Return the preflights under way of which nothing has moved since then."""
    still = Preflight.objects.running().filter(moved_at__lte=since)
    return list(still.order_by("pk").values_list("pk", flat=True))


def steps_left(preflight_id: int) -> int:
    """Return how many steps of a preflight are not done."""
    return PreflightStep.objects.filter(preflight=preflight_id, done_at=None).count()


def work(
    preflight_id: int,
    *,
    clock: Callable[[], datetime],
    seconds: float,
    world: World | None = None,
) -> bool:
    """Make steps for so long at most; return whether there are more that nobody is at."""
    until = clock() + timedelta(seconds=seconds)
    world = world or World()
    while step := claim(preflight_id, now=clock()):
        record(step, _made(step, world, clock=clock), now=clock())
        if clock() >= until:
            return True
    return False


@transaction.atomic(durable=True)
def claim(preflight_id: int, *, now: datetime) -> PreflightStep | None:
    """Take a step that nobody is at, for `LEASE`; None where there is none."""
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    steps = PreflightStep.objects.filter(
        free, preflight=preflight_id, preflight__status=PreflightStatus.RUNNING, done_at=None
    )
    step = (
        steps.select_for_update(of=("self",), skip_locked=True)
        .select_related("preflight__campaign__sender", "preflight__version")
        .order_by("pk")
        .first()
    )
    if step:
        step.attempts += 1
        step.leased_until = now + (LEASE if step.kind in _ASKS_OTHERS else _BRIEF)
        step.save(update_fields=["attempts", "leased_until"])
    return step


@transaction.atomic(durable=True)
def record(step: PreflightStep, found: _Found, *, now: datetime) -> None:
    """Write down what a step found, once; the last one ends the preflight."""
    preflight = Preflight.objects.select_for_update().filter(pk=step.preflight_id).first()
    if preflight is None:
        return  # its campaign was deleted meanwhile
    open_step = PreflightStep.objects.filter(pk=step.pk, done_at=None)
    open_step.update(
        done_at=now, findings=[each.stored for each in found.findings], tally=found.tally
    )
    preflight.moved_at = now
    if preflight.status == PreflightStatus.RUNNING and not steps_left(preflight.pk):
        preflight.status, preflight.finished_at = PreflightStatus.DONE, now
    preflight.save(update_fields=["moved_at", "status", "finished_at"])


def _made(step: PreflightStep, world: World, *, clock: Callable[[], datetime]) -> _Found:
    """Make a step; one that ended its worker three times is left out, with a warning."""
    if step.attempts > _ATTEMPTS:
        said = Translatable(
            "the check “%(kind)s” broke off %(attempts)s times",
            {"kind": Translatable(step.get_kind_display()), "attempts": _ATTEMPTS},
        )
        remedy = Translatable("See the workers' log, and run the preflight again.")
        return _Found([_unmade(said, remedy)])
    try:
        return _STEPS[PreflightKind(step.kind)](step, world, clock())
    except (BadRules, NoMailing, NoKey) as error:
        said = Translatable("the message cannot be made: %(error)s", {"error": known(str(error))})
        remedy = Translatable("Mend what is named.")
        return _Found([Finding(Severity.ERROR, "not-composed", said, remedy, Place.CAMPAIGN)])


def _ask_about_sender(step: PreflightStep, world: World, now: datetime) -> _Found:
    return _Found(senders.check(step.preflight.campaign.sender, world, now=now))


def _judge_message(step: PreflightStep, world: World, now: datetime) -> _Found:
    if not world.spamd:
        return _Found()
    mailing = dry_run.mailing_of(step.preflight)
    try:
        message, _ = mailing.message(dry_run.sample(step.preflight, now=now), now=now)
    except NotComposed:
        return _Found()  # the slice that this recipient is in says so
    return _Found(list(spam.check(message.data, at=world.spamd)))


def _follow_links(step: PreflightStep, world: World, now: datetime) -> _Found:
    preflight = step.preflight
    mailing = dry_run.mailing_of(preflight)
    context = mailing.context(dry_run.sample(preflight, now=now))
    urls, skipped = links.targets(preflight.version.contents(), context)
    return _Found(links.check(urls, skipped, fetcher=world.fetcher()))


def _try_slice(step: PreflightStep, _world: World, now: datetime) -> _Found:
    try:
        tally = dry_run.try_slice(step.preflight, after=step.after, upto=step.upto, now=now)
    except OSError as error:
        said = Translatable(
            "the files that are attached cannot be fetched now: %(error)s", {"error": str(error)}
        )
        return _Found(
            [_unmade(said, Translatable("See after the storage, and run the preflight again."))]
        )
    return _Found(tally=tally.as_dict())


def _unmade(said: Translatable, remedy: Translatable) -> Finding:
    return Finding(Severity.WARNING, "check-failed", said, remedy, Place.INSTALLATION)


_STEPS: dict[PreflightKind, Callable[[PreflightStep, World, datetime], _Found]] = {
    PreflightKind.AUTHENTICATION: _ask_about_sender,
    PreflightKind.MESSAGE: _judge_message,
    PreflightKind.LINKS: _follow_links,
    PreflightKind.AUDIENCE: _try_slice,
}

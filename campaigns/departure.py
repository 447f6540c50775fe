"""From a plan to the departure: what is planned, and what is confirmed.

A confirmation carries what its page has shown: if content, audience or time moved meanwhile,
it is refused with the difference, and asked again.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import services
from campaigns.audience import Audience
from campaigns.models import Campaign, CampaignStatus, Plan, When
from campaigns.preflight import jobs, verdict
from campaigns.sending.hours import Span
from campaigns.services import Refused
from recipients.segments.grammar import BadRules
from recipients.translatable import number


@dataclass(frozen=True, slots=True)
class Shown:
    """What a confirmation is about."""

    fingerprint: str
    """Of content, audience and sender (`verdict.fingerprint`)."""
    receiving: int
    """How many would receive it at that moment."""
    planned: str
    """A digest of when it is to be sent; an approval is not of it."""


class Moved(Refused):
    """Content or audience are not what was shown; the text says what is different."""

    def __init__(self, difference: str, shown: Shown) -> None:
        super().__init__(difference)
        self.shown = shown


@transaction.atomic
def plan(
    campaign: Campaign,
    *,
    when: When,
    now: datetime,
    at: datetime | None = None,
    cron: str = "",
    time_zone: str,
    follows_recipients: bool = False,
    hours: Span | None = None,
) -> Plan:
    """Note when a draft is to be sent; nothing is sent by that.

    :param follows_recipients: whether that time is each recipient's own.
    :param hours: of the day in which its messages may leave; None: all.
    :raises Refused: it is no draft, or that is no time.
    """
    if follows_recipients and when == When.NOW:
        raise Refused(_("at each recipient's own time it needs a time; choose one"))
    services.fire_at(now=now, at=now if when == When.NOW else at, cron=cron, time_zone=time_zone)
    locked = _locked_draft(campaign)
    locked.follows_recipients = follows_recipients
    locked.hours_from, locked.hours_until = hours or (None, None)
    locked.save()
    chosen = {"when": when, "at": at, "cron": cron, "time_zone": time_zone}
    planned, _made = Plan.objects.update_or_create(campaign=locked, defaults=chosen)
    return planned


@transaction.atomic
def unplan(campaign: Campaign) -> None:
    """Forget when a draft is to be sent.

    :raises Refused: it is no draft.
    """
    Plan.objects.filter(campaign=_locked_draft(campaign)).delete()


def _locked_draft(campaign: Campaign) -> Campaign:
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if locked.status != CampaignStatus.DRAFT:
        raise Refused(
            _("campaign %(campaign)s is %(status)s; only a draft is planned")
            % {"campaign": campaign.pk, "status": locked.get_status_display().lower()}
        )
    return locked


def look(campaign: Campaign, *, now: datetime) -> Shown:
    """Return what would be sent and to how many; some seconds for a million.

    :raises Refused: the audience cannot be found.
    :raises templates_app.services.Refused: the content has a fault.
    """
    with transaction.atomic():
        key = verdict.fingerprint(campaign, jobs.version_of(campaign))
        transaction.set_rollback(True)  # a version that was made for it is not kept
    try:
        receiving = Audience(campaign).arithmetic(now=now).receiving
    except BadRules as error:
        raise Refused(_("the audience cannot be found: %(error)s") % {"error": error}) from None
    return Shown(key, receiving, _digest(campaign))


def _digest(campaign: Campaign) -> str:
    time = ("when", "at", "cron", "time_zone", "campaign__follows_recipients")
    hours = ("campaign__hours_from", "campaign__hours_until")
    chosen = Plan.objects.filter(campaign=campaign).values_list(*time, *hours).first()
    return hashlib.sha256(repr(chosen).encode()).hexdigest()


@transaction.atomic
def confirm(
    campaign: Campaign,
    shown: Shown,
    *,
    now: datetime,
    accepted: Collection[str] = (),
    by: str = "",
) -> Campaign:
    """Schedule a draft as it is planned, if it is still what was shown.

    :raises Moved: it is not.
    :raises Refused: as `services.schedule`; or it is no draft, or nobody has said when.
    """
    # Locked before it is compared: who edits it now waits, and is refused then.
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if locked.status != CampaignStatus.DRAFT:
        raise Refused(
            _("campaign %(campaign)s is %(status)s already")
            % {"campaign": campaign.pk, "status": locked.get_status_display().lower()}
        )
    planned = Plan.objects.filter(campaign=campaign).first()
    if planned is None:
        raise Refused(
            _("nobody has said yet when campaign %(campaign)s is to be sent")
            % {"campaign": campaign.pk}
        )
    require_as_shown(locked, shown, now=now)
    at = now + timedelta(seconds=settings.DEPARTURE_SECONDS)
    return services.schedule(
        campaign,
        now=now,
        at=at if planned.when == When.NOW else planned.at,
        cron=planned.cron,
        time_zone=planned.time_zone,
        accepted=accepted,
        by=by,
    )


def require_as_shown(campaign: Campaign, shown: Shown, *, now: datetime) -> None:
    """Pass what is still as it was shown.

    :raises Moved: it is not; the text says what is different.
    """
    is_now = look(campaign, now=now)
    said = [_of_whom_and_what(is_now, shown)]
    if is_now.planned != shown.planned:
        said.append(_("since you looked, somebody changed when it is sent"))
    if any(said):
        raise Moved("; ".join(filter(None, said)), is_now)


def _of_whom_and_what(is_now: Shown, shown: Shown) -> str:
    """Say how content and audience differ from what was shown; empty where they do not."""
    more, is_other = is_now.receiving - shown.receiving, is_now.fingerprint != shown.fingerprint
    counted = {"count": number(abs(more)), "receiving": number(is_now.receiving)}
    if more and is_other:
        said = (
            _(
                "since you looked, %(count)s more people would receive it: %(receiving)s and its"
                " content, audience or sender was changed"
            )
            if more > 0
            else _(
                "since you looked, %(count)s fewer people would receive it: %(receiving)s and its"
                " content, audience or sender was changed"
            )
        )
        return said % counted
    if more:
        said = (
            _("since you looked, %(count)s more people would receive it: %(receiving)s")
            if more > 0
            else _("since you looked, %(count)s fewer people would receive it: %(receiving)s")
        )
        return said % counted
    return _("since you looked, its content, audience or sender was changed") if is_other else ""

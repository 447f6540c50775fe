"""What people do with campaigns: create, schedule, pause, resume, cancel."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSimError
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Model, OuterRef, Subquery, Sum
from django.db.models.deletion import ProtectedError
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import approval, secrets
from campaigns import attachments as attaching
from campaigns.audience import Audience
from campaigns.models import (
    Campaign,
    CampaignStatus,
    PageState,
    Priority,
    Run,
    RunStatus,
    Sender,
    Transport,
)
from campaigns.preflight import jobs, verdict
from campaigns.sending import domain_gates, gates, hours, reconcile
from campaigns.sending.fire import next_occurrence
from campaigns.sending.transports import BadTransportURL, open_transport
from recipients.addresses import BadAddress, parse_mailbox
from recipients.models import Field, MailingList, Segment, Tracking
from recipients.segments.grammar import BadRules
from recipients.validators import in_one_line, time_zones
from templates_app.models import EmailTemplate, MediaFile, TemplateVersion
from templates_app.services import freeze, problems
from tracking.models import RunCounters

_JUST_NOW = timedelta(minutes=1)
_FAR = timedelta(days=36_525)

# What may still be scheduled, or cancelled.
_ALIVE = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)


class Refused(Exception):
    """What was asked for cannot be done; the text says why, and what to do about it."""


@transaction.atomic
def get_sender(mailbox: str, *, transport: Transport | None = None) -> Sender:
    """Return the sender with this mailbox (`News <news@example.org>`), made if there is none.

    :raises Refused: where it is no mailbox of RFC 5322 with one address.
    """
    try:
        parsed = parse_mailbox(mailbox)
    except BadAddress as error:
        raise Refused(
            _("sender %(mailbox)r: %(error)s") % {"mailbox": mailbox, "error": error}
        ) from None
    if parsed.address.needs_smtputf8:
        # Few servers would take it, and every message would depend on that.
        raise Refused(
            _("sender %(mailbox)r: the part before the @ must be ASCII") % {"mailbox": mailbox}
        )
    mailbox_of = {"display_name": parsed.display_name, "address": parsed.address.addr_spec}
    if known := Sender.objects.filter(**mailbox_of).first():
        return known
    sender = Sender(**mailbox_of)
    _validate(sender)
    sender.save()
    if transport is not None:
        sender.routes.create(transport=transport)
    return sender


def set_transport_url(transport: Transport, *, url: str, now: datetime | None = None) -> None:
    """Store where the transport leads to, credentials and all, encrypted.

    Runs that waited because the earlier one did not work try it at once.

    :raises Refused: where the URL is none that a transport can be opened with.
    """
    try:
        open_transport(url).close()
    except BadTransportURL as error:
        raise Refused(
            _("transport %(transport)s: %(error)s") % {"transport": transport.name, "error": error}
        ) from None
    transport.encrypted_url = secrets.encrypt(url)
    transport.save()
    gates.reopen(transport, now=now or timezone.now())


def set_limits(
    transport: Transport,
    *,
    now: datetime,
    per_second: int | None = None,
    per_hour: int | None = None,
    per_day: int | None = None,
    connections: int | None = None,
    message_mb: int | None = None,
) -> None:
    """Set how much may leave by a transport, over all workers; None: as much as there is.

    :param message_mb: how large one message may be.

    It holds from the next admission on, also in runs that are under way.

    :raises Refused: where a limit is below 1.
    """
    transport.per_second, transport.per_hour = per_second, per_hour
    transport.per_day, transport.connections = per_day, connections
    transport.message_mb = message_mb
    _validate(transport)
    limits = ["per_second", "per_hour", "per_day", "connections", "message_mb"]
    transport.save(update_fields=limits)
    gates.wake(now=now)


def delete_transport(transport: Transport) -> None:
    """Delete a transport that no sender uses.

    :raises Refused:
    """
    try:
        Transport.objects.get(pk=transport.pk).delete()
    except ProtectedError:
        raise Refused(_("senders use it; give them another one first")) from None


def delete_sender(sender: Sender) -> None:
    """Delete a sender that no campaign has.

    :raises Refused:
    """
    try:
        Sender.objects.get(pk=sender.pk).delete()
    except ProtectedError:
        raise Refused(_("campaigns are sent in its name")) from None


def domain_limit_changed(group: str, *, now: datetime) -> None:
    """Have a changed, new or deleted limit of a domain hold for those, too, that wait for it."""
    domain_gates.release(group, now=now)


@transaction.atomic
def create_campaign(
    name: str,
    *,
    sender: Sender,
    template: EmailTemplate,
    lists: Sequence[MailingList] = (),
    segments: Sequence[Segment] = (),
    excluded_lists: Sequence[MailingList] = (),
    excluded_segments: Sequence[Segment] = (),
    priority: Priority = Priority.CAMPAIGN,
    attachments: Sequence[MediaFile] = (),
    tracking: Tracking = Tracking.FULL,
) -> Campaign:
    """Create a draft.

    :param attachments: files of the library that go with each message, in this order.
    :raises Refused: where a name cannot be that of a campaign.
    """
    campaign = Campaign(
        name=name.strip(),
        sender=sender,
        template=template,
        priority=priority,
        tracking=tracking,
    )
    _validate(campaign)
    campaign.save()
    campaign.lists.set(lists)
    campaign.segments.set(segments)
    campaign.excluded_lists.set(excluded_lists)
    campaign.excluded_segments.set(excluded_segments)
    attaching.choose(campaign, attachments)
    return campaign


@transaction.atomic
def attach(campaign: Campaign, *, files: Sequence[MediaFile]) -> None:
    """Have a campaign attach these files and no others, from when it is scheduled the next time.

    :raises Refused: where it has ended already.
    """
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if locked.status not in _ALIVE:
        raise Refused(
            _("campaign %(campaign)s has been %(status)s already")
            % {"campaign": campaign.pk, "status": locked.get_status_display().lower()}
        )
    attaching.choose(locked, files)


@transaction.atomic
def schedule(
    campaign: Campaign,
    *,
    now: datetime,
    at: datetime | None = None,
    cron: str = "",
    time_zone: str = "UTC",
    accepted: Collection[str] = (),
    by: str = "",
) -> Campaign:
    """Freeze the content, pin the attachments, and schedule: once, or each time that `cron` names.

    May be repeated, until a campaign that is sent once has fired; the last one counts.

    :param accepted: names of warnings of the preflight in spite of which it is to be sent.
    :param by: the account that accepts them.
    :raises Refused: where nobody can be mailed, the content has a fault, a file may not be sent,
        the time is over, the preflight has an error or a warning that nobody has accepted, or a
        second person has to approve it and has not.
    """
    due = fire_at(now=now, at=at, cron=cron, time_zone=time_zone)
    wall_time = None
    if campaign.follows_recipients:
        due, wall_time = _first_of_all(due, now=now, cron=cron, time_zone=time_zone)
    _check_audience(campaign, now=now)
    _check_content(campaign)
    # Locked, so that it does not fire between the look and the change.
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    _check_history(locked, due)
    locked.status = CampaignStatus.SCHEDULED
    locked.version = freeze(locked.template)
    _pin_attachments(locked, locked.version)
    _check_preflight(locked, locked.version, accepted=accepted, by=by, now=now)
    locked.next_fire_at, locked.cron, locked.time_zone = due, cron, time_zone
    locked.wall_time = wall_time
    locked.save()
    campaign.refresh_from_db()
    return campaign


@transaction.atomic
def copy(campaign: Campaign, *, name: str) -> Campaign:
    """Make a draft with the content and the audience of a campaign, and without its schedule.

    :raises Refused: where the name cannot be that of a campaign.
    """
    made = create_campaign(
        name,
        sender=campaign.sender,
        template=campaign.template,
        lists=list(campaign.lists.all()),
        segments=list(campaign.segments.all()),
        excluded_lists=list(campaign.excluded_lists.all()),
        excluded_segments=list(campaign.excluded_segments.all()),
        priority=Priority(campaign.priority),
        attachments=[row.file for row in campaign.attachments.wanted_by(campaign.pk)],
        tracking=Tracking(campaign.tracking),
    )
    made.late_limit, made.time_to_live = campaign.late_limit, campaign.time_to_live
    made.unconfirmed_policy = campaign.unconfirmed_policy
    made.follows_recipients = campaign.follows_recipients
    made.hours_from, made.hours_until = campaign.hours_from, campaign.hours_until
    made.save()
    return made


@transaction.atomic
def delete(campaign: Campaign) -> None:
    """Delete a draft that was never sent.

    :raises Refused: where it is none.
    """
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if locked.status != CampaignStatus.DRAFT or locked.runs.exists():
        raise Refused(
            _("campaign %(campaign)s is no draft that was never sent; cancel it instead")
            % {"campaign": campaign.pk}
        )
    locked.delete()


@transaction.atomic
def withdraw(campaign: Campaign) -> None:
    """Take a scheduled campaign back: it is a draft again, and may be edited.

    Runs of a recurring one that are under way go on.

    :raises Refused: where it is not scheduled, or has departed already.
    """
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if locked.status != CampaignStatus.SCHEDULED:
        raise Refused(_("campaign %(campaign)s is not scheduled") % {"campaign": campaign.pk})
    if locked.next_fire_at is None:
        raise Refused(
            _("campaign %(campaign)s has departed already; pause or cancel it")
            % {"campaign": campaign.pk}
        )
    locked.status, locked.next_fire_at = CampaignStatus.DRAFT, None
    locked.save(update_fields=["status", "next_fire_at", "updated_at"])
    campaign.refresh_from_db()


def pause(campaign: Campaign) -> int:
    """Pause the runs of a campaign; return how many. Takes effect at each worker's next claim.

    :raises Refused: where no run is under way.
    """
    going = campaign.runs.filter(status__in=(RunStatus.PREPARING, RunStatus.SENDING))
    if not (count := going.pause()):
        raise Refused(
            _("campaign %(campaign)s is not being sent, so there is nothing to pause")
            % {"campaign": campaign.pk}
        )
    return count


@transaction.atomic
def resume(campaign: Campaign, *, now: datetime) -> list[int]:
    """Let paused and held runs go on; return their ids, which are to be prepared or opened anew.

    :raises Refused: where no run waits for it.
    """
    waiting = campaign.runs.filter(status__in=(RunStatus.PAUSED, RunStatus.HELD))
    runs = [run.pk for run in waiting.select_for_update(no_key=True)]
    if not runs:
        raise Refused(
            _("campaign %(campaign)s is neither paused nor held") % {"campaign": campaign.pk}
        )
    # Held in its midst, it goes on as one that was paused.
    Run.objects.filter(pk__in=runs, status=RunStatus.HELD, started_at=None).update(
        status=RunStatus.PREPARING
    )
    Run.objects.filter(pk__in=runs).exclude(status=RunStatus.PREPARING).update(
        status=RunStatus.SENDING, started_at=Coalesce(F("started_at"), now)
    )
    counters = RunCounters.objects.filter(run=OuterRef("pk"))
    Run.objects.filter(pk__in=runs).update(
        held_reason="",
        warning="",
        released_at=now,
        sent_before=Coalesce(Subquery(counters.values("sent")), 0),
        failed_before=Coalesce(Subquery(counters.values("failed")), 0),
    )
    # Their tasks found nothing to claim and are gone; each open page is sent once more.
    for run in waiting.model.objects.filter(pk__in=runs):
        run.pages.filter(state=PageState.OPEN).update(state=PageState.WAITING, resume_at=None)
    return runs


def cancel(campaign: Campaign, *, now: datetime) -> int:
    """Cancel the campaign and its runs; return how many deliveries will not be attempted.

    What a worker holds at this moment still goes out, a second's worth at most. Of a large run not
    all deliveries are `cancelled` when this returns: the sweep goes on.

    :raises Refused: where it has ended already.
    """
    runs = _mark_cancelled(campaign, now=now)
    done = sum(reconcile.cancel_open(run, now=now) for run in runs)
    left = RunCounters.objects.filter(run__in=runs).aggregate(count=Sum(F("queued") + F("retry")))
    return done + (left["count"] or 0)


def _mark_cancelled(campaign: Campaign, *, now: datetime) -> list[int]:
    with transaction.atomic(durable=True):
        return mark_cancelled(campaign, now=now)


@transaction.atomic
def mark_cancelled(campaign: Campaign, *, now: datetime) -> list[int]:
    """Note it where every claim looks, and return the runs; from the commit on nothing is claimed.

    The sweep cancels their deliveries, unless `reconcile.cancel_open` does after the commit.

    :raises Refused: where it has ended already.
    """
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    runs = campaign.runs.active().select_for_update(no_key=True).ids()
    if locked.status not in _ALIVE and not runs:
        raise Refused(
            _("campaign %(campaign)s has been %(status)s already")
            % {"campaign": campaign.pk, "status": locked.get_status_display().lower()}
        )
    Campaign.objects.filter(pk=campaign.pk).update(
        status=CampaignStatus.CANCELLED, next_fire_at=None
    )
    Run.objects.filter(pk__in=runs).update(status=RunStatus.CANCELLED, finished_at=now)
    if Run.objects.filter(pk__in=runs, counters__retry__gt=0).exists():
        transaction.on_commit(lambda: domain_gates.shorten(now=now), robust=True)
    return runs


def _validate(row: Model) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        raise Refused(in_one_line(error)) from None


def _check_history(campaign: Campaign, fire_at: datetime) -> None:
    if campaign.status not in _ALIVE:
        raise Refused(
            _("campaign %(campaign)s has been %(status)s already")
            % {"campaign": campaign.pk, "status": campaign.get_status_display().lower()}
        )
    if not campaign.cron and campaign.runs.exists():
        raise Refused(_("campaign %(campaign)s has been sent already") % {"campaign": campaign.pk})
    if campaign.runs.filter(occurrence=fire_at).exists():
        raise Refused(
            _("campaign %(campaign)s has a run of that time already; choose another one")
            % {"campaign": campaign.pk}
        )


def fire_at(*, now: datetime, at: datetime | None, cron: str, time_zone: str) -> datetime:
    if time_zone not in time_zones():
        raise Refused(
            _("%(time_zone)r is no time zone; write one like Europe/Berlin")
            % {"time_zone": time_zone}
        )
    if cron:
        try:
            return next_occurrence(cron, time_zone=time_zone, after=now)
        except (CronSimError, StopIteration) as error:
            raise Refused(
                _("%(cron)r is no crontab expression: %(error)s")
                % {"cron": cron, "error": error or _("no such time")}
            ) from None
    if at is None:
        raise Refused(_("say when: at a time, or by a crontab expression"))
    if now - at > _JUST_NOW:
        raise Refused(_("%(at)s is in the past") % {"at": at.isoformat(timespec="seconds")})
    if at - now > _FAR:
        raise Refused(
            _("%(at)s is more than a hundred years ahead")
            % {"at": at.isoformat(timespec="seconds")}
        )
    return at


def _first_of_all(
    at: datetime, *, now: datetime, cron: str, time_zone: str
) -> tuple[datetime, datetime | None]:
    """Return when that time comes to the first recipient, and what the clock shows then.

    Where it has come to some already, they get it at once.
    """
    if cron:
        return next_occurrence(cron, time_zone=hours.FIRST_ZONE, after=now), None
    shown = at.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)
    return max(now, hours.first_instant(shown)), shown.replace(tzinfo=UTC)


def _check_audience(campaign: Campaign, *, now: datetime) -> None:
    audience = Audience(campaign)
    try:
        if audience.reaches_somebody(now=now):
            return
        counted = audience.arithmetic(now=now)
    except BadRules as error:
        raise Refused(_("the audience cannot be found: %(error)s") % {"error": error}) from None
    raise Refused(_("nobody can be mailed: %(counted)s") % {"counted": counted})


def _pin_attachments(campaign: Campaign, version: TemplateVersion) -> None:
    attaching.pin(campaign)
    try:
        problem = attaching.why_not(campaign, version)
    except secrets.Undecipherable as error:
        raise Refused(_("the transport's URL: %(error)s") % {"error": error}) from None
    if problem:
        raise Refused(str(problem))


def _check_preflight(
    campaign: Campaign,
    version: TemplateVersion,
    *,
    accepted: Collection[str],
    by: str,
    now: datetime,
) -> None:
    judged = verdict.judge(campaign, version, now=now)
    try:
        verdict.require(judged, accepted=accepted)
    except verdict.Blocked as blocked:
        raise Refused(str(blocked)) from None
    try:
        approval.require(campaign, judged.fingerprint)
    except approval.NotApproved as missing:
        raise Refused(str(missing)) from None
    jobs.note_accepted(campaign, judged.fingerprint, judged.open_names, by=by, now=now)


def _check_content(campaign: Campaign) -> None:
    found = problems(campaign.template, known=Field.objects.values_list("name", flat=True))
    if found:
        listing = "; ".join(str(problem) for problem in found)
        raise Refused(
            _("template %(template)s: %(listing)s")
            % {"template": campaign.template, "listing": listing}
        )

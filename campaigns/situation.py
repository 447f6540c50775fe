"""How a run stands, in a word and a sentence, from what its counters and its gates say."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import formats, timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import RunStatus
from campaigns.progress import Progress
from campaigns.wording import span
from recipients.translatable import number

STALLED_AFTER = timedelta(seconds=60)  # at least
_SILENT_AFTER = timedelta(seconds=10)
_GAPS = 3  # so many times the expected gap between two messages
_OFTEN, _SELDOM, _NEVER = 3, 10, 0  # seconds until the page asks again


@dataclass(frozen=True, slots=True)
class Situation:
    state: str
    """Its shape and colour."""
    word: str
    text: str
    say: str
    """What is said aloud when it becomes true; the same until the next thing worth saying."""
    every: int
    """Seconds after which it is worth asking again; 0: it has ended."""


def of_run(progress: Progress, *, waits: str, allowed: float | None, now: datetime) -> Situation:
    """Return how a run stands.

    :param waits: why it waits, in a sentence; empty where it does not.
    :param allowed: messages a second that its ways out allow; None: as many as go.
    """
    match RunStatus(progress.run.status):
        case RunStatus.PREPARING:
            return _preparing(progress)
        case RunStatus.SENDING:
            return _sending(progress, waits, allowed, now)
        case RunStatus.PAUSED | RunStatus.HELD:
            return _stopped_for_now(progress)
        case RunStatus.CANCELLED:
            return _cancelled(progress)
        case RunStatus.COMPLETED:
            return _completed(progress)


def ends_at(progress: Progress, *, now: datetime) -> datetime | None:
    """Return when the rest will have been sent at the rate of now; None where nobody can say."""
    if not (progress.moves and progress.rate_now and progress.open):
        return None
    seconds = progress.open / progress.rate_now
    return (
        now + timedelta(seconds=seconds) if seconds < timedelta(days=365).total_seconds() else None
    )


def stalled_since(progress: Progress, *, allowed: float | None, now: datetime) -> datetime | None:
    """Return since when nothing has left although messages are queued; None where it goes on.

    Stalled is who was silent for three times as long as two messages are apart, and a minute.
    """
    run, sent = progress.run, progress.counts["sent"]
    since = max(filter(None, (progress.sent_at, run.started_at, run.released_at)), default=None)
    if since is None or not (progress.counts["queued"] or progress.counts["sending"]):
        return None
    gap = timedelta()
    if run.started_at and progress.sent_at and sent > 1:
        gap = (progress.sent_at - run.started_at) / (sent - 1)
    if allowed:
        gap = max(gap, timedelta(seconds=1 / allowed))
    return since if now - since > max(STALLED_AFTER, _GAPS * gap) else None


def _preparing(progress: Progress) -> Situation:
    count = progress.run.audience
    text = _("The audience is being written down: %s so far. Nothing has left yet.")
    return Situation("sending", _("Departing"), text % number(count), _("It departs."), _OFTEN)


def _sending(progress: Progress, waits: str, allowed: float | None, now: datetime) -> Situation:
    since = stalled_since(progress, allowed=allowed, now=now)
    if since is not None:
        reason = waits or _("No worker has said why. Look at “Queues and health”.")
        text = _("Nothing has left for %(span)s. %(reason)s")
        said = text % {"span": span(now - since), "reason": reason}
        return Situation("stalled", _("Stalled"), said, _("Stalled."), _SELDOM)
    is_silent = progress.sent_at is None or now - progress.sent_at > _SILENT_AFTER
    if waits and is_silent:
        return Situation("retry", _("Waiting"), waits, _quarter(progress), _SELDOM)
    if not (progress.counts["queued"] or progress.counts["sending"]) and progress.open:
        text = ngettext(
            "All but %s have an outcome. It was put off, and is attempted by itself.",
            "All but %s have an outcome. They were put off, and are attempted by themselves.",
            progress.open,
        )
        return Situation(
            "retry", _("Waiting"), text % number(progress.open), _quarter(progress), _SELDOM
        )
    text = _("%(done)s of %(total)s have an outcome.")
    said = text % {"done": number(progress.done), "total": number(progress.total)}
    if end := ends_at(progress, now=now):
        said += " " + _("It ends about %s.") % clock(end, now=now)
    if waits:  # of a limit by the second it waits again and again
        said += f" {waits}"
    return Situation("sending", _("Sending"), said, _quarter(progress), _OFTEN)


def _quarter(progress: Progress) -> str:
    quarter = progress.percent // 25 * 25
    return _("%d percent have an outcome.") % quarter if quarter else _("Sending.")


def _stopped_for_now(progress: Progress) -> Situation:
    run, held = progress.run, progress.counts["sending"]
    waiting = progress.open - held
    text = ngettext(
        "%s message waits; it does not leave until somebody resumes.",
        "%s messages wait; none leaves until somebody resumes.",
        waiting,
    ) % number(waiting)
    if held:
        handed = ngettext(
            "Up to %s that a worker holds may still go.",
            "Up to %s that workers hold may still go.",
            held,
        )
        text = f"{handed % number(held)} {text}"
    if run.held_reason:
        text = f"{capfirst(run.why_held)}. {text}"
    return Situation(
        run.status, run.get_status_display(), text, f"{run.get_status_display()}.", _SELDOM
    )


def _cancelled(progress: Progress) -> Situation:
    text = _("%(sent)s were sent, %(left)s will not be.")
    counts = progress.counts
    said = text % {
        "sent": number(counts["sent"]),
        "left": number(counts["cancelled"] + progress.open),
    }
    word = _("Stopped")
    if counts["unconfirmed"]:
        said += " " + _of_doubts(counts["unconfirmed"])
    # What is open still is cancelled by the sweep.
    return Situation("cancelled", word, said, f"{word}.", _SELDOM if progress.open else _NEVER)


def _completed(progress: Progress) -> Situation:
    doubts = progress.counts["unconfirmed"]
    if not doubts:
        text = _("Everybody has an outcome.")
        return Situation("finished", _("Finished"), text, _("Finished."), _NEVER)
    word = _("Finished, %s in doubt") % number(doubts)
    return Situation("unconfirmed", word, _of_doubts(doubts), f"{word}.", _NEVER)


def _of_doubts(count: int) -> str:
    text = ngettext(
        "Of %s message nobody knows whether it arrived.",
        "Of %s messages nobody knows whether they arrived.",
        count,
    )
    return text % number(count)


def clock(at: datetime, *, now: datetime) -> str:
    """Say a time by the reader's clock, with its day where that is another one, and the zone."""
    local, today = timezone.localtime(at), timezone.localtime(now)
    form = "TIME_FORMAT" if local.date() == today.date() else "DATETIME_FORMAT"
    return f"{formats.date_format(local, form)} {local.tzname()}"

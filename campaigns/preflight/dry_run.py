"""Make the message of everybody in a slice of the audience, send none, and count what comes of it.

The renderer is the one that sends, and who is in the audience is said by the statement that the
snapshot writes down: what fails here would fail in sending.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from json import dumps, loads
from typing import Any

from django.db import connection

from campaigns.audience import RECEIVING, Audience
from campaigns.membership import membership
from campaigns.models import Preflight, PreflightKind, PreflightStep, Run
from campaigns.preflight.content import size_findings
from campaigns.preflight.findings import Finding, Place, Severity
from campaigns.preflight.places import Places
from campaigns.sending.attached import Named, files_of_campaign
from campaigns.sending.claim import Claimed
from campaigns.sending.mailing import Mailing, NotComposed
from recipients.models import TrackingConsent
from recipients.recognising import known
from recipients.translatable import Translatable
from templates_app.rendering import RenderError
from tracking import measuring
from tracking.models import DeliveryState
from tracking.tokens import NOBODY

SLICE = 5_000  # recipients of the installation among whom those of the audience are looked for
LAST = 2**63 - 1

_EXAMPLES = 10
_OTHER_REASONS = dumps(Translatable("other reasons").stored)
_REASONS = 50  # more are counted together: a reason may hold what a recipient's field says

# The last id of each slice: as many recipients in each, however many were deleted between.
_BOUNDS = """
    SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS place
                      FROM recipients_recipient) AS numbered
     WHERE place %% %(slice)s = 0 ORDER BY id
"""
_RECEIVING = """
    SELECT judged.recipient_id, judged.address, person.fields::text, person.language,
           person.time_zone, person.tracking_consent
      FROM ({judged}) AS judged
      JOIN recipients_recipient person ON person.id = judged.recipient_id
     WHERE judged.skip_reason = ''
"""


@dataclass(slots=True)
class Counted:
    """How many recipients something is about, and the ids of some."""

    count: int = 0
    ids: list[int] = field(default_factory=list)

    def add(self, ids: Iterable[int], count: int = 1) -> None:
        self.count += count
        self.ids = [*self.ids, *ids][:_EXAMPLES]


@dataclass(slots=True)
class Tally:
    """What came of the messages of some recipients."""

    recipients: int = 0
    languages: dict[str, int] = field(default_factory=dict)
    failed: dict[str, Counted] = field(default_factory=dict)
    """By the reason why there is no message."""
    empty: dict[str, Counted] = field(default_factory=dict)
    """By the field that the content prints and that holds nothing."""
    largest: tuple[int, int] = (0, 0)
    """Bytes of the largest message, without a signature, and whose it is."""
    largest_html: tuple[int, int] = (0, 0)

    def count(self, counted: dict[str, Counted], name: str, ids: list[int], count: int = 1) -> None:
        if name not in counted and len(counted) >= _REASONS:
            name = _OTHER_REASONS
        counted.setdefault(name, Counted()).add(ids, count)

    def add(self, other: "Tally") -> None:
        self.recipients += other.recipients
        for language, count in other.languages.items():
            self.languages[language] = self.languages.get(language, 0) + count
        for reason, found in other.failed.items():
            self.count(self.failed, reason, found.ids, found.count)
        for name, found in other.empty.items():
            self.count(self.empty, name, found.ids, found.count)
        self.largest = max(self.largest, other.largest)
        self.largest_html = max(self.largest_html, other.largest_html)

    def as_dict(self) -> dict[str, Any]:
        return {
            "recipients": self.recipients,
            "languages": self.languages,
            "failed": {name: [each.count, each.ids] for name, each in self.failed.items()},
            "empty": {name: [each.count, each.ids] for name, each in self.empty.items()},
            "largest": self.largest,
            "largest_html": self.largest_html,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Tally":
        return cls(
            recipients=stored["recipients"],
            languages=stored["languages"],
            failed={name: Counted(*each) for name, each in stored["failed"].items()},
            empty={name: Counted(*each) for name, each in stored["empty"].items()},
            largest=tuple(stored["largest"]),
            largest_html=tuple(stored["largest_html"]),
        )


def slices(*, size: int = SLICE) -> list[tuple[int, int]]:
    """Return ranges of ids, `after` and `upto`, of so many recipients each; the last is open."""
    with connection.cursor() as cursor:
        cursor.execute(_BOUNDS, {"slice": size})
        bounds = [pk for (pk,) in cursor.fetchall()]
    return list(zip([0, *bounds], [*bounds, LAST], strict=True))


def mailing_of(preflight: Preflight, *, files: tuple[Named, ...] = ()) -> Mailing:
    """Return what would be sent, without attachments unless they are named; no run is saved.

    :raises NoMailing: the campaign cannot be sent to anybody.
    :raises OSError: the files cannot be fetched now.
    """
    campaign, version = preflight.campaign, preflight.version
    run = Run(
        campaign=campaign,
        version=version,
        sender_domain=campaign.sender.domain,
        tracking=measuring.mode(campaign.tracking, lists=campaign.lists.all()),
    )
    return Mailing(run, files=files)


def try_slice(preflight: Preflight, *, after: int, upto: int, now: datetime) -> Tally:
    """Make the messages of those who would receive the campaign, of these ids.

    :raises BadRules: a segment cannot be read any more.
    :raises NoMailing: the campaign cannot be sent to anybody.
    :raises OSError: the files that it attaches cannot be fetched now.
    """
    mailing = mailing_of(preflight, files=files_of_campaign(preflight.campaign))
    places = Places.of(preflight.version)
    printed: dict[str, frozenset[str]] = {}
    tally = Tally()
    for pk, claimed in _receiving(preflight, after=after, upto=upto, now=now):
        tally.recipients += 1
        language = claimed.language
        tally.languages[language] = tally.languages.get(language, 0) + 1
        if language not in printed:
            printed[language] = mailing.printed_fields(language)
        for name in printed[language] & claimed.fields.keys():  # type: ignore[union-attr]
            if _is_blank(claimed.fields[name]):  # type: ignore[index]
                tally.count(tally.empty, name, [pk])
        _try_one(mailing, pk, claimed, tally, places, now=now)
    return tally


def _try_one(
    mailing: Mailing, pk: int, claimed: Claimed, tally: Tally, places: Places, *, now: datetime
) -> None:
    try:
        data, _, content = mailing.unsigned(claimed, now=now)
    except NotComposed as error:
        tally.count(tally.failed, _key(_said(error, places, claimed)), [pk])
        return
    tally.largest = max(tally.largest, (len(data) + mailing.attached_size, pk))
    # At most four bytes for a character: few are encoded to find the largest.
    if 4 * sum(map(len, content.html_pieces)) > tally.largest_html[0]:
        tally.largest_html = max(tally.largest_html, (len(content.html.encode()), pk))


def _said(error: NotComposed, places: Places, claimed: Claimed) -> Translatable | str:
    """Say why there is no message for somebody, in the words of all of whom that is true."""
    fault = error.__cause__
    if not isinstance(fault, RenderError):
        return known(_anonymous(str(error), claimed))
    place = places.find(fault, language=claimed.language)
    said = {"place": place, "reason": known(_anonymous(fault.reason, claimed))}
    return Translatable("%(place)s: %(reason)s", said)


def _anonymous(text: str, claimed: Claimed) -> str:
    return text.replace(claimed.address, "…")[:300]


def _is_blank(value: object) -> bool:
    """Whether a value prints nothing; None is no value, and fails."""
    return isinstance(value, str) and not value.strip()


def _receiving(
    preflight: Preflight, *, after: int, upto: int, now: datetime
) -> Iterator[tuple[int, Claimed]]:
    judged = membership(preflight.campaign, at=preflight.started_at)
    bounds = {"after": after, "upto": upto, "size": None, "state": DeliveryState.QUEUED}
    with connection.cursor() as cursor:
        sql = _RECEIVING.format(judged=judged.sql)
        cursor.execute(sql, {**judged.params, **bounds, "now": now})
        for pk, address, fields, *rest in cursor.fetchall():
            yield pk, Claimed(NOBODY, address, loads(fields), 1, *rest)


def sample(preflight: Preflight, *, now: datetime) -> Claimed:
    """Return the first recipient of the audience as if it was claimed; nobody has no fields.

    The message is one of those that are measured, if any are.
    """
    allows = TrackingConsent.GRANTED
    found = Audience(preflight.campaign).sample(RECEIVING, now=now, few=1)
    if not found:
        return Claimed(NOBODY, "nobody@example.org", {}, 1, tracking_consent=allows)
    [first] = found
    return Claimed(NOBODY, first.address, first.fields, 1, first.language, first.time_zone, allows)


def tally_of(preflight: Preflight) -> Tally:
    """Return what all slices have counted so far."""
    tally = Tally()
    done = PreflightStep.objects.filter(preflight=preflight, kind=PreflightKind.AUDIENCE)
    for stored in done.exclude(tally={}).order_by("number").values_list("tally", flat=True):
        tally.add(Tally.from_dict(stored))
    return tally


def _key(said: Translatable | str) -> str:
    """Return a sentence as what it is counted by, and kept for readers of any language."""
    return dumps(said.stored if isinstance(said, Translatable) else said, sort_keys=True)


def findings(tally: Tally) -> Iterator[Finding]:
    """Say what is wrong with messages that would be made."""
    for reason, failed in tally.failed.items():
        yield Finding(
            Severity.ERROR,
            "merge-field",
            Translatable(
                "%(count)s of %(recipients)s recipients would get no message: %(reason)s",
                {"count": failed.count, "recipients": tally.recipients, "reason": loads(reason)},
            ),
            Translatable("Write a default into the template, or give these recipients a value."),
            Place.RECIPIENTS,
            recipients=tuple(failed.ids),
        )
    for name, empty in tally.empty.items():
        yield Finding(
            Severity.WARNING,
            "empty-field",
            Translatable(
                "%(count)s of %(recipients)s recipients have an empty field %(name)r",
                {"count": empty.count, "recipients": tally.recipients, "name": name},
            ),
            Translatable(
                "Write {{ %(name)s | default('…') }}, or give these recipients a value.",
                {"name": name},
            ),
            Place.RECIPIENTS,
            recipients=tuple(empty.ids),
        )
    size, whose = tally.largest_html
    yield from size_findings(size, recipient=whose)

"""A campaign's audience in numbers, and why somebody is in it or not.

Everything is judged by the statement that the snapshot writes down.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from campaigns.explanation import Explanation, Ground, SuppressedBy, Written, kind_in_words
from campaigns.membership import EVERYBODY, answering, membership
from campaigns.models import Campaign
from recipients import consent
from recipients.addresses import parse_address
from recipients.models import (
    MailingList,
    Recipient,
    Segment,
    Subscription,
    SubscriptionState,
    Suppression,
)
from recipients.segments.compiling import Condition
from recipients.segments.words import describe
from recipients.translatable import number
from tracking.models import Delivery, DeliveryState, SkipReason

LIST, SEGMENT = "list", "segment"
MEMBERS, REPEATED, RECEIVING = "members", "repeated", "receiving"

# What the judgement can say, in the order in which it asks.
REASONS = (
    SkipReason.SUPPRESSED,
    SkipReason.UNSUBSCRIBED,
    SkipReason.UNCONFIRMED_OPT_IN,
    SkipReason.EXCLUDED,
    SkipReason.PAUSED,
)

_ON_LIST = """
    SELECT recipient_id FROM recipients_subscription WHERE mailing_list_id = %(list_{pk})s
"""
_IN_SEGMENT = """
    SELECT recipient.id AS recipient_id FROM recipients_recipient recipient WHERE {answers}
"""

# Joined to one statement, and so of one moment.
_COUNT_JUDGED = "SELECT skip_reason, count(*) FROM ({judged}) AS judged GROUP BY skip_reason"
_COUNT_SOURCE = "SELECT '{name}', count(*) FROM ({source}) AS source"

_COUNT_FIRST = """
    SELECT count(*), count(*) FILTER (WHERE skip_reason = '') FROM ({judged}) AS judged
"""
_SAMPLE = """
    SELECT recipient_id FROM ({judged}) AS judged WHERE {chosen} ORDER BY recipient_id LIMIT %(few)s
"""
_CHOSEN = {
    MEMBERS: "true",
    RECEIVING: "skip_reason = ''",
    **{reason.value: f"skip_reason = '{reason}'" for reason in REASONS},
}
_SAMPLE_SOURCES = """
    SELECT recipient_id FROM ({sources}) AS source
     GROUP BY recipient_id HAVING count(*) >= %(times)s ORDER BY recipient_id LIMIT %(few)s
"""
_MOSTLY_ENOUGH = 1_000  # members are looked at first where a few are wanted


@dataclass(frozen=True, slots=True)
class Source:
    """A list or a segment, and how many are in it, in whatever state."""

    kind: str
    id: int
    name: str
    rule: str
    """A segment's rules in words; a list has none."""
    count: int

    def __str__(self) -> str:
        return kind_in_words(self.kind, self.name)


@dataclass(frozen=True, slots=True)
class Line:
    """A number of the sum; what goes off is below 0."""

    count: int
    text: str
    sample: str
    """What `Audience.sample` calls those whom it counts."""
    detail: str = ""

    @property
    def is_total(self) -> bool:
        return self.sample in (MEMBERS, RECEIVING)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How the sum of the lists and segments becomes those who will receive the campaign."""

    sources: list[Source]
    members: int
    """Everybody, once."""
    left_out: Mapping[SkipReason, int]
    """By the one reason that their rows have in the ledger."""
    excluding: list[str]
    """The lists and segments that are excluded."""

    @property
    def repeated(self) -> int:
        """How often somebody is in one more list or segment."""
        return sum(source.count for source in self.sources) - self.members

    @property
    def receiving(self) -> int:
        return self.members - sum(self.left_out.values())

    def __str__(self) -> str:
        """Say it in a line."""
        if not self.sources:
            return _("there is no list and no segment")
        names = ", ".join(source.name for source in self.sources)
        if not self.members:
            return _("nobody is in %(names)s") % {"names": names}
        reasons = [
            f"{number(count)} {each.label.lower()}"
            for each, count in self.left_out.items()
            if count
        ]
        about = {"members": number(self.members), "names": names, "reasons": ", ".join(reasons)}
        if not reasons:
            return _("%(members)s in %(names)s") % about
        return _("%(members)s in %(names)s, of these %(reasons)s") % about

    def lines(self) -> list[Line]:
        """Return the sum as people write it: what is in, what goes off, what is left."""
        repeated = Line(-self.repeated, _("counted more than once"), REPEATED)
        names = {SkipReason.EXCLUDED: ", ".join(self.excluding)}
        off = [
            Line(-n, each.label.lower(), each, names.get(each, ""))
            for each, n in self.left_out.items()
        ]
        return [
            *(Line(s.count, str(s), f"{s.kind}-{s.id}", s.rule) for s in self.sources),
            *([repeated] if repeated.count else []),
            Line(self.members, _("in the audience"), MEMBERS),
            *(line for line in off if line.count),
            Line(self.receiving, _("would receive it"), RECEIVING),
        ]

    def as_dict(self) -> dict[str, Any]:
        sums = {"repeated": self.repeated, "members": self.members, "left_out": self.left_out}
        sums["excluding"] = self.excluding
        sources = [asdict(source) for source in self.sources]
        return {"sources": sources, **sums, "receiving": self.receiving}


@dataclass(frozen=True, slots=True)
class _Asked:
    kind: str
    what: MailingList | Segment
    select: Condition
    """The ids of those who are in it."""

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.what.pk}"

    def counted(self, count: int) -> Source:
        return Source(self.kind, self.what.pk, self.what.name, _rule(self.what), count)


class Audience:
    """Who a campaign would reach at a moment: lists and segments without those it excludes."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign

    def arithmetic(self, *, now: datetime) -> Arithmetic:
        """Count everybody: some seconds for a million.

        :raises BadRules: a segment cannot be read any more.
        """
        judged, sources = membership(self._campaign, at=now), self._sources(now=now)
        parts = [_COUNT_JUDGED.format(judged=judged.sql)]
        params = {**judged.params}
        for each in sources.values():
            parts.append(_COUNT_SOURCE.format(name=each.name, source=each.select.sql))
            params |= each.select.params
        counts = dict(self._rows(" UNION ALL ".join(parts), params, now=now))
        return Arithmetic(
            sources=[each.counted(counts.pop(name)) for name, each in sources.items()],
            members=sum(counts.values()),
            left_out={reason: counts.get(reason.value, 0) for reason in REASONS},
            excluding=self._excluding(),
        )

    def receiving(self, *, now: datetime, of_first: int) -> tuple[int, bool]:
        """Count who would receive it, of the first members only, and say whether that is all."""
        judged = membership(self._campaign, at=now)
        sql = _COUNT_FIRST.format(judged=judged.sql)
        [(seen, receiving)] = self._rows(sql, {**judged.params, "size": of_first}, now=now)
        return receiving, seen < of_first

    def reaches_somebody(self, *, now: datetime) -> bool:
        """Whether anybody would receive it."""
        return bool(self.sample(RECEIVING, now=now, few=1))

    def sample(self, chosen: str, *, now: datetime, few: int = 10) -> list[Recipient]:
        """Return a few of those that a number of the sum counts, the oldest ones.

        :param chosen: MEMBERS, REPEATED, RECEIVING, a SkipReason, or a source: list-3, segment-4.
        :raises LookupError: the sum has no such number.
        :raises BadRules: a segment cannot be read any more.
        """
        if chosen in _CHOSEN:
            judged = membership(self._campaign, at=now)
            sql = _SAMPLE.format(judged=judged.sql, chosen=_CHOSEN[chosen])
            first = self._recipients(sql, {**judged.params, "size": _MOSTLY_ENOUGH}, few, now=now)
            if len(first) == few:
                return first
            return self._recipients(sql, judged.params, few, now=now)
        sources = self._sources(now=now)
        chosen_ones = sources.values() if chosen == REPEATED else [sources[chosen]]
        meant = [each.select for each in chosen_ones]
        sql = _SAMPLE_SOURCES.format(sources=" UNION ALL ".join(each.sql for each in meant))
        params = {name: value for each in meant for name, value in each.params.items()}
        times = 2 if chosen == REPEATED else 1
        return self._recipients(sql, {**params, "times": times}, few, now=now)

    def explain_address(self, text: str, *, now: datetime) -> Explanation:
        """Say why (not) the person with this address, who need not be known.

        :raises BadAddress: it is no address.
        :raises BadRules: a segment cannot be read any more.
        """
        address = parse_address(text)
        recipient = Recipient.objects.filter(key=address.key).first()
        if recipient is not None:
            return self.explain(recipient, now=now)
        return Explanation(
            address=address.addr_spec,
            suppressed_by=_suppressed_by(address.key, address.domain),
            runs=self._deliveries(Q(key=address.key)),
        )

    def explain(self, recipient: Recipient, *, now: datetime) -> Explanation:
        """Say why (not) this person, by the same judgement as the snapshot's.

        :raises BadRules: a segment cannot be read any more.
        """
        reason = self._judgement(recipient, now=now)
        campaign = self._campaign
        on = Subscription.objects.filter(recipient=recipient).select_related("mailing_list")
        on = on.order_by("mailing_list__name")
        included = on.filter(mailing_list__in=campaign.lists.all())
        excluded = on.filter(mailing_list__in=campaign.excluded_lists.all())
        excluded = excluded.exclude(state=SubscriptionState.UNSUBSCRIBED)
        return Explanation(
            address=recipient.address,
            is_known=True,
            in_audience=reason is not None,
            reason=reason or "",
            included_by=[
                *_grounds(included),
                *self._answered(campaign.segments.all(), recipient, now=now),
            ],
            excluded_by=[
                *_grounds(excluded),
                *self._answered(campaign.excluded_segments.all(), recipient, now=now),
            ],
            subscriptions=list(_grounds(on)),
            suppressed_by=_suppressed_by(recipient.key, recipient.domain),
            paused_until=recipient.paused_until,
            runs=self._deliveries(Q(recipient=recipient)),
        )

    def _sources(self, *, now: datetime) -> dict[str, "_Asked"]:
        """Return the lists and segments, by what `sample` calls them."""
        lists = [_Asked(LIST, each, _on_list(each)) for each in self._campaign.lists.all()]
        segments = [
            _Asked(SEGMENT, each, _in_segment(each, at=now))
            for each in self._campaign.segments.all()
        ]
        return {each.name: each for each in (*lists, *segments)}

    def _excluding(self) -> list[str]:
        excluded = (self._campaign.excluded_lists, self._campaign.excluded_segments)
        return [name for each in excluded for name in each.values_list("name", flat=True)]

    def _judgement(self, recipient: Recipient, *, now: datetime) -> str | None:
        """Return the reason in the row of this person, None where there would be no row."""
        judged = membership(self._campaign, at=now)
        only = {"after": recipient.pk - 1, "upto": recipient.pk}
        rows = self._rows(judged.sql, {**judged.params, **only}, now=now)
        return rows[0][-1] if rows else None

    def _answered(
        self, segments: "QuerySet[Segment]", recipient: Recipient, *, now: datetime
    ) -> Iterator[Ground]:
        for segment in segments:
            asked = _in_segment(segment, at=now)
            sql = f"{asked.sql} AND recipient.id = %(recipient)s"
            if self._rows(sql, {**asked.params, "recipient": recipient.pk}, now=now):
                yield Ground(SEGMENT, segment.name, _rule(segment))

    def _deliveries(self, whose: Q) -> list[Written]:
        rows = Delivery.objects.filter(whose, run__campaign=self._campaign)
        return [_written(row) for row in rows.select_related("run").order_by("-run_id")]

    def _recipients(
        self, sql: str, params: Mapping[str, Any], few: int, *, now: datetime
    ) -> list[Recipient]:
        ids = [pk for (pk,) in self._rows(sql, {**params, "few": few}, now=now)]
        return list(Recipient.objects.filter(pk__in=ids).order_by("pk"))

    def _rows(self, sql: str, params: Mapping[str, Any], *, now: datetime) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql, {**EVERYBODY, "state": DeliveryState.QUEUED, **params, "now": now})
            return list(cursor.fetchall())


def _on_list(mailing_list: MailingList) -> Condition:
    pk = mailing_list.pk
    return Condition(_ON_LIST.format(pk=pk), {f"list_{pk}": pk})


def _in_segment(segment: Segment, *, at: datetime) -> Condition:
    answers = answering([segment], at=at, prefix="source")
    return Condition(_IN_SEGMENT.format(answers=answers.sql), answers.params)


def _rule(source: MailingList | Segment) -> str:
    return describe(source.rules) if isinstance(source, Segment) else ""


def _grounds(subscriptions: "QuerySet[Subscription]") -> Iterator[Ground]:
    for each in subscriptions:
        yield Ground(LIST, each.mailing_list.name, each.get_state_display().lower())


def _suppressed_by(key: str, domain: str) -> list[SuppressedBy]:
    about = Q(key__in=[key, domain]) | Q(digest=consent.subject(key))
    return [
        SuppressedBy(each.key or "", each.get_reason_display(), _at(each.created_at), each.said)
        for each in Suppression.objects.filter(about).order_by("pk")
    ]


def _written(delivery: Delivery) -> Written:
    reply = filter(None, (str(delivery.reply_code or ""), delivery.said))
    return Written(
        run=delivery.run_id,
        due=_at(delivery.run.occurrence),
        state=delivery.state,
        skip_reason=delivery.skip_reason,
        why=delivery.get_skip_reason_display().lower() or " ".join(reply),
    )


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

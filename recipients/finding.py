"""Who answers to the filter of the list of recipients; each question is asked by an index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from recipients.addresses import BadAddress, parse_address
from recipients.models import (
    Field,
    MailingList,
    Recipient,
    Segment,
    Subscription,
    SubscriptionState,
    Suppression,
    Tag,
    Tagging,
)
from recipients.segments.asking import those
from recipients.segments.catalogue import rules_for_value
from recipients.segments.grammar import BadRules
from recipients.values import BadValue, kinds_of

YES, NO = "yes", "no"


Named = TypeVar("Named", MailingList, Tag, Segment)


class Gone(Exception):
    """A filter names what was deleted since it was written down."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked of recipients; what is empty asks nothing."""

    text: str = ""
    """The beginning of an address, or `city:Hanoi`: a field and its value."""
    mailing_list: MailingList | None = None
    state: str = SubscriptionState.CONFIRMED
    """Where they stand with the list."""
    tag: Tag | None = None
    segment: Segment | None = None
    suppressed: str = ""
    """`yes` or `no`."""
    ids: frozenset[int] | None = None
    """Of the recipients themselves, where each was chosen."""

    @property
    def is_by_address(self) -> bool:
        """Whether it asks for the beginning of an address; then that is the order."""
        return bool(self.text) and _field_of(self.text) is None

    def apply(self, recipients: "QuerySet[Recipient]", *, now: datetime) -> "QuerySet[Recipient]":
        """Return those of these recipients who answer to all of it.

        :raises BadRules: the segment cannot be asked any more.
        """
        for asked in self._questions(now=now):
            recipients = recipients.filter(asked)
        if self.suppressed == NO:
            recipients = recipients.alias(suppression=_SUPPRESSION).filter(suppression=None)
        return recipients

    @property
    def words(self) -> str:
        """Say who they are, without what of an address was searched for: this may be kept."""
        parts = [
            f"chosen: {len(self.ids)}" if self.ids is not None else "",
            "a search" if self.text else "",
            f"list {self.mailing_list} ({self.state})" if self.mailing_list else "",
            f"tag {self.tag}" if self.tag else "",
            f"segment {self.segment}" if self.segment else "",
            {YES: "suppressed", NO: "not suppressed"}.get(self.suppressed, ""),
        ]
        return ", ".join(filter(None, parts)) or "all recipients"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it; `from_dict` reads that."""
        return {
            "text": self.text,
            "list": self.mailing_list and self.mailing_list.pk,
            "state": self.state,
            "tag": self.tag and self.tag.pk,
            "segment": self.segment and self.segment.pk,
            "suppressed": self.suppressed,
            "ids": None if self.ids is None else sorted(self.ids),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Filter":
        """Read what `as_dict` returned.

        :raises Gone: a list, tag or segment that it names was deleted.
        """
        return cls(
            text=stored["text"],
            mailing_list=_there(MailingList, stored["list"]),
            state=stored["state"],
            tag=_there(Tag, stored["tag"]),
            segment=_there(Segment, stored["segment"]),
            suppressed=stored["suppressed"],
            ids=None if stored["ids"] is None else frozenset(stored["ids"]),
        )

    def _questions(self, *, now: datetime) -> list[Q]:
        asked = []
        if self.ids is not None:
            asked.append(Q(pk__in=sorted(self.ids)))
        if self.text:
            asked.append(_about(self.text, now=now))
        if self.mailing_list:
            on_list = Subscription.objects.filter(mailing_list=self.mailing_list, state=self.state)
            asked.append(Q(pk__in=on_list.values("recipient")))
        if self.tag:
            asked.append(Q(pk__in=Tagging.objects.filter(tag=self.tag).values("recipient")))
        if self.segment:
            asked.append(Q(pk__in=those(self.segment.rules, now=now)))
        if self.suppressed == YES:
            asked.append(is_suppressed())
        return asked


def _there(model: type[Named], pk: int | None) -> Named | None:
    if pk is None:
        return None
    found = model.objects.filter(pk=pk).first()
    if found is None:
        raise Gone(_("a list, tag or segment that it names was deleted; ask again"))
    return found


# As a value that is looked up for each row: PostgreSQL takes NOT EXISTS for a join that leaves next
# to nobody, and so joins all of a million for the fifty that are shown (2.7 s instead of 5 ms).
_SUPPRESSION = Subquery(
    Suppression.objects.filter(key__in=[OuterRef("key"), OuterRef("domain")]).values("pk")[:1]
)


def is_suppressed() -> Q:
    """Ask for the address, and for the domain only where some domain is suppressed: few are."""
    addresses = Q(key__in=Suppression.objects.filter(key__isnull=False).values("key"))
    domains = list(Suppression.objects.domains().values_list("key", flat=True))
    return addresses | Q(domain__in=domains) if domains else addresses


def _about(text: str, *, now: datetime) -> Q:
    named = _field_of(text)
    if named is None:
        return Q(key__startswith=_beginning(text))
    name, value, kind = named
    try:
        return Q(pk__in=those(rules_for_value(name, kind, value), now=now))
    except (BadValue, BadRules):
        return Q(pk__in=[])


def _field_of(text: str) -> tuple[str, str, Any] | None:
    name, _, value = text.partition(":")
    kind = kinds_of(Field.objects.filter(name=name)).get(name) if value else None
    return (name, value.strip(), kind) if kind else None


def _beginning(text: str) -> str:
    """Return what a key begins with; a whole address in the form in which it is compared."""
    try:
        return parse_address(text).key
    except BadAddress:
        return text.strip().lower()


def suppressions_of(recipients: Sequence[Recipient]) -> Mapping[int, Suppression]:
    """Return what is said of the addresses or domains of these, by their ids; of two, one."""
    keys = {key for each in recipients for key in (each.key, each.domain)}
    found = {str(each.key): each for each in Suppression.objects.filter(key__in=keys)}
    said = {each.pk: found.get(each.key) or found.get(each.domain) for each in recipients}
    return {pk: suppression for pk, suppression in said.items() if suppression}

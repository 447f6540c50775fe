"""What can be said of one person and a campaign: why (not) this person."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from tracking.models import DeliveryState, SkipReason


def kind_in_words(kind: str, name: str) -> str:
    """Name a list or a segment, with the word for it."""
    said = _("list %(name)s") if kind == "list" else _("segment %(name)s")
    return said % {"name": name}


@dataclass(frozen=True, slots=True)
class Ground:
    """A list or a segment that includes or excludes somebody."""

    kind: str
    name: str
    detail: str
    """The state of the subscription, or the rules in words."""

    def __str__(self) -> str:
        return f"{kind_in_words(self.kind, self.name)} ({self.detail})"


@dataclass(frozen=True, slots=True)
class SuppressedBy:
    """A suppression of an address, of its domain, or of somebody who was erased."""

    key: str
    """Empty for somebody who was erased: nobody knows it any more."""
    reason: str
    since: str
    source: str

    def __str__(self) -> str:
        source = f", {self.source}" if self.source else ""
        about = {"who": self.key or _("this address"), "reason": self.reason, "since": self.since}
        return _("%(who)s: %(reason)s, since %(since)s") % about + source


@dataclass(frozen=True, slots=True)
class Written:
    """What the ledger has written of somebody in a run."""

    run: int
    due: str
    state: str
    skip_reason: str
    why: str
    """The reason in words, or the reply of the next hop."""

    def __str__(self) -> str:
        state = DeliveryState(self.state).label.lower()
        return f"{self.due}: {state}" + (f", {self.why}" if self.why else "")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why somebody would receive a campaign at this moment, or would not.

    All that speaks for it and against it, and what the campaign's runs have written down.
    """

    address: str
    suppressed_by: list[SuppressedBy]
    runs: list[Written]
    is_known: bool = False
    """Whether there is a recipient with this address."""
    in_audience: bool = False
    reason: str = ""
    """Of SkipReason, the one that counts; empty where nothing keeps the message back."""
    included_by: list[Ground] = field(default_factory=list)
    excluded_by: list[Ground] = field(default_factory=list)
    subscriptions: list[Ground] = field(default_factory=list)
    """All of them, whichever lists the campaign has."""
    paused_until: date | None = None

    @property
    def will_receive(self) -> bool:
        return self.in_audience and not self.reason

    @property
    def verdict(self) -> str:
        """Say it in one sentence."""
        if self.will_receive:
            return _("Would receive it: in %s.") % _listing(self.included_by)
        if self.in_audience:
            return _("Would not receive it: %s.") % self._obstacle()
        if self.is_known:
            return _("Not in the audience: on none of its lists, and in none of its segments.")
        return _("Not in the audience: there is no recipient with this address.")

    @property
    def grounds(self) -> list[tuple[str, list[str]]]:
        """Return all that speaks for it or against it, with a title each; some may be empty."""
        return [
            (_("included by"), list(map(str, self.included_by))),
            (_("excluded by"), list(map(str, self.excluded_by))),
            (_("suppressed"), list(map(str, self.suppressed_by))),
            (_("paused"), [_("until %s") % self.paused_until] if self.paused_until else []),
            (_("subscriptions"), list(map(str, self.subscriptions))),
            (_("runs"), list(map(str, self.runs))),
        ]

    def as_dict(self) -> dict[str, Any]:
        paused_until = self.paused_until.isoformat() if self.paused_until else None
        said = {"will_receive": self.will_receive, "verdict": self.verdict}
        return {**asdict(self), "paused_until": paused_until, **said}

    def _obstacle(self) -> str:
        included = _listing(self.included_by)
        words = {
            SkipReason.SUPPRESSED: _("suppressed, %s") % _listing(self.suppressed_by),
            SkipReason.UNSUBSCRIBED: _("has unsubscribed; in %s") % included,
            SkipReason.UNCONFIRMED_OPT_IN: _("has confirmed no subscription; in %s") % included,
            SkipReason.EXCLUDED: _("excluded by %s") % _listing(self.excluded_by),
            SkipReason.PAUSED: _("wants no message before %s") % self.paused_until,
        }
        return words[SkipReason(self.reason)]


def _listing(things: Iterable[object]) -> str:
    return "; ".join(map(str, things))

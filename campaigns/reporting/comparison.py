"""Campaigns side by side: rates, each with the count behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Run
from campaigns.reporting.figures import Figures, figures_by_campaign
from campaigns.reporting.shares import Share

MOST = 10


@dataclass(frozen=True, slots=True)
class Compared:
    campaign: Campaign
    figures: Figures

    @property
    def rates(self) -> list[tuple[str, Share]]:
        found = self.figures
        of_sent = {
            _("Bounced"): found.bounces,
            _("Opened by people"): found.opens.people,
            _("Clicked by people"): found.clicks.people,
            _("Unsubscribed"): found.unsubscribes,
            _("Complained"): found.complaints,
        }
        rates = [(name, Share(count, found.sent)) for name, count in of_sent.items()]
        return [(_("Sent"), Share(found.sent, found.audience)), *rates]


def compare(ids: Sequence[int], *, among: "QuerySet[Run]") -> list[Compared]:
    """Return campaigns in this order, as far as there are such; two queries.

    :param among: the runs that count.
    """
    campaigns = Campaign.objects.in_bulk(ids[:MOST])
    found = figures_by_campaign(campaigns, among=among)
    return [Compared(campaigns[pk], found.get(pk, Figures())) for pk in ids if pk in campaigns]


@dataclass(frozen=True, slots=True)
class Line:
    """One rate of all campaigns."""

    name: str
    shares: Sequence[Share]


def lines(compared: Sequence[Compared]) -> list[Line]:
    """Return the rates of the campaigns, one line for each."""
    columns = [one.rates for one in compared]
    return [Line(same[0][0], [share for _, share in same]) for same in zip(*columns, strict=True)]


def newest(count: int, *, among: "QuerySet[Run]") -> list[tuple[Campaign, datetime]]:
    """Return the campaigns that were sent last, with the time of their newest run."""
    rows = among.order_by().values_list("campaign").annotate(last=Max("occurrence"))
    last = dict(rows.order_by("-last", "-campaign")[:count])
    campaigns = Campaign.objects.in_bulk(last)
    return [(campaigns[pk], at) for pk, at in last.items()]

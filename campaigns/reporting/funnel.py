"""From the audience to those who did something, and to those who left."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from campaigns.reporting.figures import Figures
from campaigns.reporting.shares import percent


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    count: int
    of: int
    """The count that its share is of."""
    of_what: str
    did: str = ""
    """What those did whom the page of recipients lists for it."""

    @property
    def share(self) -> str:
        return percent(self.count, self.of)


def funnel(found: Figures) -> list[Step]:
    """Return the steps, the widest first; then what nobody hopes for."""
    sent = (found.sent, _("sent"))
    return [
        Step(_("Audience"), found.audience, found.audience, _("the audience")),
        Step(_("Sent"), found.sent, found.audience, _("the audience")),
        Step(_("Not come back"), found.arrived, *sent),
        Step(_("Opened by people"), found.opens.people, *sent, "opened"),
        Step(_("Clicked by people"), found.clicks.people, *sent, "clicked"),
    ]


def losses(found: Figures) -> list[Step]:
    sent = (found.sent, _("sent"))
    return [
        Step(_("Bounced"), found.bounces, *sent, "bounced"),
        Step(_("Unsubscribed"), found.unsubscribes, *sent, "unsubscribed"),
        Step(_("Complained"), found.complaints, *sent, "complained"),
        Step(_("Failed at hand-over"), found.failed, found.audience, _("the audience"), "failed"),
        Step(_("Left out"), found.skipped, found.audience, _("the audience")),
    ]

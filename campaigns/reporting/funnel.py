"""From the audience to those who did something, and to those who left."""

from dataclasses import dataclass

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
    sent = (found.sent, "sent")
    return [
        Step("Audience", found.audience, found.audience, "the audience"),
        Step("Sent", found.sent, found.audience, "the audience"),
        Step("Not come back", found.arrived, *sent),
        Step("Opened by people", found.opens.people, *sent, "opened"),
        Step("Clicked by people", found.clicks.people, *sent, "clicked"),
    ]


def losses(found: Figures) -> list[Step]:
    sent = (found.sent, "sent")
    return [
        Step("Bounced", found.bounces, *sent, "bounced"),
        Step("Unsubscribed", found.unsubscribes, *sent, "unsubscribed"),
        Step("Complained", found.complaints, *sent, "complained"),
        Step("Failed at hand-over", found.failed, found.audience, "the audience", "failed"),
        Step("Left out", found.skipped, found.audience, "the audience"),
    ]

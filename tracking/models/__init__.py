"""The ledger, what came back for its messages, and the sums of both."""

from tracking.models.deliveries import (
    OPEN_STATES,
    Delivery,
    DeliveryQuerySet,
    DeliveryState,
    Departure,
    DepartureReason,
    Lease,
    RunCounters,
    SkipReason,
)
from tracking.models.engagement import Activity, Engagement, Fold
from tracking.models.feedback import (
    Category,
    DeliveryEvent,
    EventKind,
    EventSource,
    InboundMessage,
    InboundStatus,
    Mailbox,
    WebhookEvent,
)
from tracking.models.hits import Hit, HitKind, Link, UserAgent, Verdict
from tracking.models.tallies import (
    DomainTally,
    HourTally,
    LinkTally,
    ReasonTally,
    Response,
    RunTally,
)

__all__ = [
    "OPEN_STATES",
    "Activity",
    "Category",
    "Delivery",
    "DeliveryEvent",
    "DeliveryQuerySet",
    "DeliveryState",
    "Departure",
    "DepartureReason",
    "DomainTally",
    "Engagement",
    "EventKind",
    "EventSource",
    "Fold",
    "Hit",
    "HitKind",
    "HourTally",
    "InboundMessage",
    "InboundStatus",
    "Lease",
    "Link",
    "LinkTally",
    "Mailbox",
    "ReasonTally",
    "Response",
    "RunCounters",
    "RunTally",
    "SkipReason",
    "UserAgent",
    "Verdict",
    "WebhookEvent",
]

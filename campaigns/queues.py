"""The queues by which tasks reach their workers."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

TRANSACTIONAL = "transactional"  # urgent campaigns: their deliveries, and what leads to them
CAMPAIGNS = "campaigns"  # the deliveries of all others, unless their sender has a queue of its own
MAINTENANCE = "maintenance"  # snapshots, pages, sweeps
IMPORTS = "imports"  # files of recipients, preflights: long, and no message waits behind them
TRACKING = "tracking"  # what comes back: mail about our mail, opens and clicks
WEBHOOKS = "webhooks"  # calls to programs elsewhere, which may hang
CONTROL = "control"  # Beat's ticks: short, and never behind what is long

OUR_OWN = (TRANSACTIONAL, CAMPAIGNS, MAINTENANCE, CONTROL, IMPORTS, TRACKING, WEBHOOKS)


def is_served(name: str) -> bool:
    """Whether this installation has a queue of deliveries of that name."""
    return name in {TRANSACTIONAL, CAMPAIGNS, *settings.QUEUES}


def validate_queue(name: str) -> None:
    """Validate the name of a queue that the installation has beside Godwit's own ones.

    :raises ValidationError:
    """
    if name not in settings.QUEUES:
        known = ", ".join(settings.QUEUES) or _("no queue")
        raise ValidationError(
            _("There is no queue %(name)r: QUEUES names %(known)s.")
            % {"name": name, "known": known}
        )

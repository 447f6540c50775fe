"""What campaigns keep of a person: addresses in answers of the next hop."""

from datetime import datetime

from recipients.mentions import forget_mentions
from recipients.privacy import Holder, Person, register


def forget(person: Person, _now: datetime) -> None:
    """Take the addresses out of why runs are held, and of what shut a gate."""
    forget_mentions("campaigns_gate", "answer", person.keys)
    forget_mentions("campaigns_run", "held_reason", person.keys)


register(Holder("campaigns", forget=forget))

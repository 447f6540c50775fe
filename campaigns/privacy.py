"""What campaigns keep of a person: addresses in answers of the next hop, and single messages."""

from datetime import datetime

from campaigns.models import Message, Run, RunAttachment
from recipients.mentions import forget_mentions
from recipients.privacy import Holder, Person, register
from templates_app import inline


def forget(person: Person, _now: datetime) -> None:
    """Take the addresses out of why runs are held, and of what shut a gate; forget what messages
    to them said. That they were sent is the ledger's, which knows nobody's name then.
    """
    forget_mentions("campaigns_gate", "answer", person.keys)
    forget_mentions("campaigns_run", "held_reason", person.keys)
    messages = Message.objects.filter(key__in=person.keys)
    runs = Run.objects.filter(message__in=messages)
    RunAttachment.objects.filter(run__in=runs).delete()
    others = Run.objects.exclude(message__in=messages)
    inline.erase(runs.values("version"), but=others.values("version"))
    messages.update(fields={}, language="")


register(Holder("campaigns", forget=forget))

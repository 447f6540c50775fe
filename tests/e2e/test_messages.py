"""Single messages, whatever dies between their acceptance and the next hop."""

import threading
from collections import Counter
from uuid import UUID

import pytest
import redis
from django.utils import timezone
from pytest_django.fixtures import Settings

from campaigns.models import Run, Sender
from campaigns.transactional import Inline, accept, status_of
from recipients.models import SuppressionReason
from recipients.suppression import suppress
from tests.e2e.steps import Installation
from tests.factories import make_sender
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP, defer, hold
from tracking.models import Delivery
from tracking.verify import disagreements

CONTENT = Inline("Code {{ code }}", "<p>Your code is {{ code }}.</p>")


@pytest.fixture
def soon_looked_after(settings: Settings) -> dict[str, str]:
    """The variables of an installation, and of who accepts, where what is lost is soon missed."""
    settings.REDISPATCH_SECONDS = 1
    return {"REDISPATCH_SECONDS": "1", "SWEEP_SECONDS": "1"}


def take(address: str, sender: Sender) -> UUID:
    fields = {"code": address[:2]}
    return accept(to=address, sender=sender, content=CONTENT, fields=fields, now=timezone.now())


def take_all(count: int) -> list[str]:
    sender = make_sender("Shop <shop@example.org>")
    addresses = [f"{number:02}@example.org" for number in range(count)]
    for address in addresses:
        take(address, sender)
    return addresses


def wait_for_end(count: int) -> None:
    ended = Run.objects.filter(finished_at__isnull=False)
    wait_until(lambda: ended.count() == count, "all messages are at their end")


def times_sent(smtp: ScriptedSMTP) -> Counter[str]:
    return Counter(message.recipient for message in smtp.messages)


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def test_a_worker_that_is_killed_in_the_midst_leaves_one_in_doubt_and_sends_nothing_twice(
    installation: Installation, smtp: ScriptedSMTP, soon_looked_after: dict[str, str]
) -> None:
    never = threading.Event()
    with installation(**soon_looked_after) as live:
        smtp.script(hold("dot", never), recipient="05@example.org")
        addresses = take_all(10)
        doomed = live.worker(queues="transactional")
        live.worker(queues="control,maintenance", with_beat=True)
        wait_until(lambda: smtp.messages_to("05@example.org"), "its content has come")

        live.kill(doomed)
        never.set()
        live.worker(queues="transactional")
        wait_for_end(10)

    assert times_sent(smtp) | Counter(["05@example.org"]) == Counter(addresses)
    assert states() == {"sent": 9, "unconfirmed": 1}
    assert Delivery.objects.get(state="unconfirmed").address == "05@example.org"
    assert disagreements(Run.objects.ids(), kept_since=None) == []


def test_what_was_accepted_is_sent_though_redis_is_emptied_before(
    installation: Installation,
    smtp: ScriptedSMTP,
    broker: redis.Redis,
    soon_looked_after: dict[str, str],
) -> None:
    with installation(**soon_looked_after) as live:
        addresses = take_all(5)
        broker.flushall()
        live.worker(with_beat=True)
        wait_for_end(5)

    assert times_sent(smtp) == Counter(addresses)
    assert states() == {"sent": 5}


def test_what_is_deferred_is_sent_later_and_who_is_suppressed_is_skipped(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    smtp.script(defer(), times=1, recipient="01@example.org")
    with installation(RETRY_SCHEDULE="1,1") as live:
        take_all(3)
        now = timezone.now()
        suppress("02@example.org", reason=SuppressionReason.COMPLAINT, source="test", now=now)
        live.worker(with_beat=True)
        wait_for_end(3)

    assert times_sent(smtp) == Counter(["00@example.org", "01@example.org"])
    assert states() == {"sent": 2, "skipped": 1}
    assert Delivery.objects.get(address="01@example.org").attempts == 2
    said = live.manage("verify_ledger").stdout
    assert "3" in said


def test_a_message_is_known_by_its_id_from_its_acceptance_on(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    with installation() as live:
        pk = take("ada@example.org", make_sender("Shop <shop@example.org>"))
        before = status_of(pk)
        live.worker(queues="transactional")
        wait_for_end(1)
        after = status_of(pk)

    assert before
    assert after
    assert (before.state, after.state) == ("queued", "sent")
    assert after.message_id

import pytest

from tests.factories import make_reading
from tests.tracking.arrivals import (
    BOT,
    NOW,
    SENT,
    arrival,
    delivery_to,
    entry,
    make_measured_run,
    sums,
    wrong,
)
from tracking.consuming import write
from tracking.models import (
    Engagement,
    Hit,
)
from tracking.reclassifying import outdated_runs, reclassify
from tracking.recounting import differences

pytestmark = pytest.mark.django_db


def test_history_is_judged_by_other_rules_and_all_that_is_counted_follows() -> None:
    run = make_measured_run("ada", "bob")
    ada, bob = delivery_to("ada", run), delivery_to("bob", run)
    hits = entry(arrival(run, ada, 1, agent=BOT), arrival(run, bob, 1), arrival(run, None))
    write([hits], now=NOW)
    right = sums()
    Hit.objects.filter(delivery=ada).update(verdict="person", reason="", rules=0)
    Hit.objects.filter(delivery=None).update(rules=0)
    differences(run.pk, now=NOW, repair=True)
    make_reading(ada, clicked_at=SENT)
    assert sums() != right

    before = outdated_runs()
    judged = reclassify(run.pk)

    assert (before, judged, outdated_runs()) == ([run.pk], 2, [])
    assert sums() == right
    assert wrong(run) == []
    assert Engagement.objects.get().recipient_id == bob.recipient_id

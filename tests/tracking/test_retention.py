from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from campaigns.models import Run
from tests.tracking.arrivals import (
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
    RunTally,
    UserAgent,
)
from tracking.retention import clean

pytestmark = pytest.mark.django_db


def test_hits_of_old_runs_are_deleted_and_their_sums_stay(settings: Settings) -> None:
    run = make_measured_run("ada")
    ada = delivery_to("ada", run)
    write([entry(arrival(run, ada), arrival(run, ada, 1), arrival(run, None))], now=NOW)
    Run.objects.filter(pk=run.pk).update(finished_at=SENT)
    before = sums()[0]
    day = timedelta(days=1)

    settings.HIT_DAYS = 0
    for_ever = clean(now=SENT + 999 * day)
    settings.HIT_DAYS = 9
    kept = clean(now=SENT + 9 * day)
    deleted = clean(now=SENT + 9 * day + timedelta(seconds=1))
    late = write([entry(arrival(run, ada))], now=NOW)

    assert (kept, for_ever, deleted, late.new) == (0, 0, 3, 0)
    assert not UserAgent.objects.exists()
    assert RunTally.objects.values_list("opens_total", "clicks_people").get() == (2, 1)
    assert before
    assert wrong(run) == []
    RunTally.objects.update(opens_people=4)
    assert wrong(run) == [f"run {run.pk}: runtally: opens_people is 4, and should be 1"]

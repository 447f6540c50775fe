from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.utils import timezone

from campaigns import tasks
from campaigns.models import Campaign, Gate, Run, Transport
from campaigns.sending import fire
from campaigns.services import schedule
from recipients.models import Field, NoticeKind, Signup, SignupWindow
from recipients.notices import write
from recipients.segments.indexes import mend_indexes
from tests.factories import (
    make_campaign,
    make_list,
    make_recipient,
    make_recipients,
    make_run,
    set_routes,
)
from tracking.models import Activity, Delivery, RunCounters

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_campaign_that_cannot_be_fired_keeps_no_other_from_it(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = make_list()
    make_recipients(1, mailing_list=readers)
    now = timezone.now()
    bad, good = (
        schedule(make_campaign(name, lists=[readers]), now=now, at=now) for name in ("Bad", "Good")
    )
    real = fire.fire

    def failing(campaign_id: int, **how: Any) -> int | None:
        if campaign_id == bad.pk:
            raise RuntimeError("no such luck")
        return real(campaign_id, **how)

    monkeypatch.setattr(fire, "fire", failing)

    tasks.tick()

    assert Run.objects.get().campaign == good
    assert broker.llen("maintenance") == 1
    assert Campaign.objects.due(now=now).get() == bad


def test_a_campaign_that_is_due_before_the_next_tick_fires_at_its_time(
    broker: redis.Redis,
) -> None:
    readers = make_list()
    make_recipients(1, mailing_list=readers)
    now = timezone.now()
    soon = now + timedelta(milliseconds=300)
    schedule(make_campaign("Soon", lists=[readers]), now=now, at=soon)
    later = schedule(
        make_campaign("Later", lists=[readers]), now=now, at=now + timedelta(minutes=1)
    )

    tasks.tick()

    run = Run.objects.get()
    assert run.occurrence == soon
    assert run.created_at >= soon
    assert later.runs.count() == 0


@pytest.mark.parametrize(("queued", "sent"), [(999, 2), (1_000, 0)])
def test_retries_are_not_sent_to_workers_that_do_not_keep_up(
    broker: redis.Redis, queued: int, sent: int
) -> None:
    readers = make_list()
    make_recipients(60, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]))
    past = timezone.now() - timedelta(minutes=1)
    Delivery.objects.filter(run=run).update(state="retry", next_attempt_at=past)
    broker.rpush("campaigns", *["x"] * queued)

    tasks.retry()

    assert broker.llen("campaigns") == queued + sent


def test_a_run_that_outlived_its_time_to_live_comes_to_its_end(broker: redis.Redis) -> None:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]))
    Run.objects.update(started_at=timezone.now() - timedelta(hours=73))

    tasks.heal(run.pk)

    run.refresh_from_db()
    assert run.status == "completed"
    assert set(Delivery.objects.values_list("state", "diagnostic")) == {
        ("failed", "not delivered within 72 hours")
    }


def test_a_run_does_not_wait_for_a_gate_by_which_its_sender_goes_no_more(
    broker: redis.Redis,
) -> None:
    readers = make_list()
    make_recipients(1, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]))
    old, new = (Transport.objects.create(name=name, encrypted_url="x") for name in ("Old", "New"))
    set_routes(run.campaign.sender, weights={old: 1})
    far = timezone.now() + timedelta(hours=2)
    Gate.objects.create(transport=old, shut_until=far, allowance=1, cause="rate_limited")
    tasks.advance(run.pk)
    waiting = run.pages.get()

    set_routes(run.campaign.sender, weights={new: 1})
    tasks.heal(run.pk)

    assert (waiting.state, waiting.resume_at) == ("waiting", far)
    assert run.pages.get().state == "open"


def test_a_chunk_that_breaks_off_does_not_raise_and_takes_a_moment(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(tasks, "time", SimpleNamespace(sleep=slept.append))

    assert tasks.deliver_chunk(4711, [1]) == {}
    assert slept == [tasks.AFTER_A_FAULT]


def test_a_message_of_ours_whose_wake_up_was_lost_is_found_by_the_sweep(
    broker: redis.Redis,
) -> None:
    tasks.sweep()
    before = broker.llen("transactional")
    write(NoticeKind.CONFIRMATION, recipient=make_recipient(), now=timezone.now())

    tasks.sweep()

    assert before == 0
    assert broker.llen("transactional") == 1


def test_retention_forgets_who_never_confirmed(broker: redis.Redis) -> None:
    old = timezone.now() - timedelta(days=31)
    SignupWindow.objects.create(who="192.0.2.0/24", hour=old, used=1)
    Signup.objects.create(
        recipient=make_recipient(), mailing_list=make_list(), wording=b"", asked_at=old
    )

    tasks.retention()

    assert not SignupWindow.objects.exists()
    assert not Signup.objects.exists()


def test_what_cannot_be_deleted_keeps_nothing_else_from_it(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*, now: datetime) -> None:
        raise OSError("the storage is away")

    monkeypatch.setattr(tasks, "_DELETIONS", (broken, *tasks._DELETIONS))
    SignupWindow.objects.create(
        who="192.0.2.0/24", hour=timezone.now() - timedelta(days=31), used=1
    )

    with pytest.raises(ExceptionGroup) as raised:
        tasks.retention()

    assert str(raised.value.exceptions[0]) == "the storage is away"
    assert not SignupWindow.objects.exists()


def test_each_minute_indexes_are_mended_and_ended_runs_folded() -> None:
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    run = make_run(make_campaign(lists=[readers]))
    Delivery.objects.of_run(run.pk).update(state="sent", finished_at=timezone.now())
    long_ago = timezone.now() - timedelta(hours=1)
    RunCounters.objects.filter(run=run).update(queued=0, sent=2, moved_at=long_ago)

    tasks.fold()
    tasks.mend_indexes()

    assert Activity.objects.filter(mailed_run=run.pk).count() == 2
    assert mend_indexes() == []
    Field.objects.all().delete()
    assert len(mend_indexes()) == 1

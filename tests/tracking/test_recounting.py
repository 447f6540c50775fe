"""Sums are those of hits and events, in whatever order these came in; what is not is mended."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import BooleanField, CharField, DateTimeField, F, Field, Value
from django.db.models.functions import Coalesce
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.models import Run
from tests.tracking.arrivals import (
    BOT,
    KEYS,
    NOW,
    SENT,
    TABLES,
    arrival,
    delivery_to,
    entries,
    entry,
    make_measured_run,
    say,
    sums,
    wrong,
)
from tracking.consuming import write
from tracking.hits.stream import Arrival
from tracking.models import (
    DomainTally,
    Engagement,
    EventKind,
    Hit,
    HourTally,
    LinkTally,
    ReasonTally,
    Response,
    RunTally,
)
from tracking.recounting import differences
from tracking.tallying.events import fold
from tracking.tallying.sent import recount

pytestmark = pytest.mark.django_db


KEPT = KEYS | {"id", "ledger_counted_to", "purged_at"}


@st.composite
def plans(draw: st.DrawFn) -> list[tuple[int, int | None, float, str, bool]]:
    """Draw hits: whose, of what, when, by whom, by HEAD."""
    one = st.tuples(
        st.integers(0, 2),
        st.sampled_from([None, 0, 1, 2]),
        st.sampled_from([5.0, 60.0, 60.5, 61.0, 4_000.0]),
        st.sampled_from(["Mozilla/5.0 Firefox/1", BOT, "x GoogleImageProxy"]),
        st.booleans(),
    )
    return draw(st.lists(one, min_size=1, max_size=12))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(plan=plans(), seed=st.integers(0, 1_000))
def test_hits_in_any_order_and_read_again_end_in_the_same_sums(
    plan: Sequence[tuple[int, int | None, float, str, bool]], seed: int, measured: Run
) -> None:
    clear()
    who = [None, delivery_to("ada", measured), delivery_to("bob", measured)]
    hits: list[Arrival] = [
        arrival(measured, who[n], number, after=after, agent=agent, is_head=head)
        for n, number, after, agent, head in plan
    ]
    shuffler = random.Random(seed)
    read = entries(hits)
    for each in read:
        write([each], now=NOW)
    in_order = sums()
    assert wrong(measured) == []

    clear()
    shuffler.shuffle(read)
    write([*read[:3], *read[:1]], now=NOW)
    write(read, now=NOW)

    assert sums() == in_order
    assert wrong(measured) == []


def clear() -> None:
    for table in (*TABLES, Hit):
        table.objects.all().delete()


@pytest.fixture
def measured() -> Run:
    return make_measured_run("ada", "bob", links=3)


def test_verification_names_each_sum_that_is_wrong_and_mends_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = make_measured_run("ada", "bob")
    ada = delivery_to("ada", run)
    write([entry(arrival(run, ada), arrival(run, ada, 1), arrival(run, None, 2))], now=NOW)
    say(ada, EventKind.COMPLAINED, "1")
    recount(run.pk)
    call_command("verify_tracking")
    right = sums()
    RunTally.objects.update(opens_people=7)
    DomainTally.objects.update(sent=9)
    HourTally.objects.filter(clicks_total__gt=0).delete()
    LinkTally.objects.update(total=5)
    ReasonTally.objects.create(run=run, kind="bounced", reason="rate", count=1)
    Response.objects.update(opens=3, complained_at=None)
    Engagement.objects.update(recipient=delivery_to("bob", run).recipient)
    capsys.readouterr()

    with pytest.raises(CommandError, match="differences in 1 runs"):
        call_command("verify_tracking", run.pk)
    said = capsys.readouterr().out
    call_command("verify_tracking", run.pk, repair=True)

    assert f"run {run.pk}: runtally: opens_people is 7, and should be 1" in said
    assert "domaintally ada.example: sent is 9, and should be 1" in said
    for table in ("hourtally", "linktally 1", "reasontally bounced rate", "response", "engagement"):
        assert table in said
    assert wrong(run) == []
    assert sums() == right


@pytest.mark.parametrize("table", TABLES)
def test_verification_finds_a_wrong_value_in_each_column(table: Any) -> None:
    run = make_measured_run("ada", "bob")
    ada = delivery_to("ada", run)
    write([entry(arrival(run, ada), arrival(run, ada, 1), arrival(run, None, 2))], now=NOW)
    say(ada, EventKind.BOUNCED, "1")
    recount(run.pk)
    fold(now=NOW)
    right = sums()
    columns = [f for f in table._meta.fields if f.name not in KEPT and not f.is_relation]
    table.objects.update(**{field.name: _wrong(field) for field in columns})

    named = {str(one).split(": ")[2].split()[0].strip('"') for one in differences(run.pk, now=NOW)}
    differences(run.pk, now=NOW, repair=True)

    assert named == {field.name for field in columns}
    assert wrong(run) == []
    assert sums() == right


def _wrong(field: Field[Any, Any]) -> Any:
    if isinstance(field, DateTimeField):
        return Coalesce(F(field.name), Value(SENT)) - timedelta(seconds=1)
    if isinstance(field, BooleanField):
        return ~F(field.name)
    return "wrong" if isinstance(field, CharField) else F(field.name) + 1

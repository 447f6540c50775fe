import threading

import pytest
from django.db import connection

from recipients import named_locks
from recipients.models import Field, FieldKind
from recipients.segments.compiling import compile_rules
from recipients.segments.indexes import mend_indexes
from tests.factories import make_recipient
from tests.recipients.segments.asked import NOW, every, found, rule

pytestmark = pytest.mark.django_db(transaction=True)

EVIL = 'it\'s %s {name} "quoted"'
RULES = {
    FieldKind.TEXT: ("is", "Huế"),
    FieldKind.NUMBER: ("between", [17, 19]),
    FieldKind.DATE: ("before", "2026-12-05"),
    FieldKind.BOOLEAN: ("yes", None),
    FieldKind.CHOICE: ("one_of", ["Free"]),
}
VALUES = {"text": "HUẾ", "number": 18, "date": "2026-12-04", "boolean": True, "choice": "Free"}


@pytest.fixture(autouse=True)
def no_indexes() -> None:
    """Drop those of fields that are gone, which a worker of another test has made."""
    mend_indexes()


def plan_of(rules: dict[str, object]) -> str:
    condition = compile_rules(rules, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(
            f"EXPLAIN SELECT 1 FROM recipients_recipient recipient WHERE {condition.sql}",
            condition.params,
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    return plan


def test_each_field_has_an_index_that_its_rules_use_until_it_is_deleted() -> None:
    fields = {
        kind: Field.objects.create(
            name=kind, kind=kind, choices=["Free"] if kind == FieldKind.CHOICE else []
        )
        for kind in FieldKind
    }
    evil = Field.objects.create(name=EVIL)
    make_recipient("ada@example.org", fields={**VALUES, EVIL: "x" * 10_000})
    make_recipient("bob@example.org", fields={"number": "x" * 10_000, "date": "x" * 10_000})

    done = mend_indexes()

    assert len(done) == 6
    assert mend_indexes() == []
    for kind, (operator, value) in RULES.items():
        asked = rule(f"field:{kind}", operator, value)
        assert f"recipient_field_{fields[kind].pk} " in plan_of(every(asked)), kind
        assert found(asked) == ["ada"]
    starts = rule(f"field:{EVIL}", "starts_with", "X")
    assert f"recipient_field_{evil.pk} " in plan_of(every(starts))

    Field.objects.all().delete()
    assert {line.partition(" ")[0] for line in mend_indexes()} == {"dropped"}


def test_an_index_that_broke_off_is_made_anew() -> None:
    field = Field.objects.create(name="city")
    mend_indexes()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
            [f"recipient_field_{field.pk}"],
        )

    assert [line.partition(" ")[0] for line in mend_indexes()] == ["dropped", "made"]

    field.delete()
    mend_indexes()


def test_two_at_once_are_one() -> None:
    field = Field.objects.create(name="city")
    done: list[list[str]] = []
    with named_locks.alone("recipients.indexes"):

        def work() -> None:
            done.append(mend_indexes())
            connection.close()

        worker = threading.Thread(target=work)
        worker.start()
        worker.join()

    assert done == [[]]
    field.delete()

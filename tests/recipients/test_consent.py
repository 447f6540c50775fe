from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from recipients import consent
from recipients.consent import Consent, Origin
from recipients.models import (
    ConsentAction,
    ConsentBlock,
    ConsentDetail,
    ConsentEvent,
    ConsentTally,
    ConsentWording,
)
from tests.conftest import APPEND_ONLY
from tests.factories import make_list

pytestmark = pytest.mark.django_db


def agree(key: str = "ada@example.org", *, origin: Origin | None = None) -> None:
    wording = consent.keep_wording("News, once a month.", language="en")
    event = Consent(
        key,
        ConsentAction.GRANTED,
        "form news",
        recipient_id=1,
        mailing_list_id=make_list().pk,
        wording=wording,
        origin=origin,
    )
    consent.record([event, event], now=timezone.now())


def tamper(sql: str) -> None:
    """Do what a trigger forbids, as somebody could who owns the table."""
    with connection.cursor() as cursor:
        for table in APPEND_ONLY:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER consent_append_only")
        cursor.execute(sql)
        for table in APPEND_ONLY:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER consent_append_only")


def test_what_was_written_is_found_whole() -> None:
    agree()
    agree("bob@example.org")

    found = consent.verify()

    assert (found.events, found.blocks, found.problems) == (4, 2, [])
    assert consent.has_block(found.head)
    call_command("verify_consent_chain", expect=found.head)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        (
            "UPDATE recipients_consentevent SET action = 'withdrawn' WHERE id = {event}",
            "its events",
        ),
        ("DELETE FROM recipients_consentevent WHERE id = {event}", "its events"),
        ("UPDATE recipients_consentevent SET block_id = 0 WHERE id = {event}", "no block"),
        ("DELETE FROM recipients_consentblock WHERE id = {block}", "does not follow"),
        ("UPDATE recipients_consentwording SET text = 'Everything.'", "was changed"),
    ],
)
def test_what_was_changed_behind_its_back_is_named(
    sql: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    agree()
    agree("bob@example.org")
    event, block = ConsentEvent.objects.order_by("id")[0], ConsentBlock.objects.order_by("id")[0]
    tamper(sql.format(event=event.pk, block=block.pk))

    with pytest.raises(CommandError, match="was changed"):
        call_command("verify_consent_chain")

    assert problem in capsys.readouterr().err


def test_a_chain_whose_newest_block_was_cut_off_does_not_have_the_hash_noted_down() -> None:
    agree()
    agree("bob@example.org")
    head = consent.verify().head
    newest = ConsentBlock.objects.latest("pk").pk
    tamper(f"DELETE FROM recipients_consentevent WHERE block_id = {newest}")
    tamper(f"DELETE FROM recipients_consentblock WHERE id = {newest}")

    assert not consent.verify().problems
    with pytest.raises(CommandError, match="cut off"):
        call_command("verify_consent_chain", expect=head)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("sql", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_database_refuses_to_change_the_ledger(table: str, sql: str) -> None:
    agree()
    column = "text" if table.endswith("wording") else "id"

    with connection.cursor() as cursor:
        for each in APPEND_ONLY:
            cursor.execute(f"ALTER TABLE {each} ENABLE TRIGGER consent_no_truncate")
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            cursor.execute(sql.format(table, column, column))
        for each in APPEND_ONLY:
            cursor.execute(f"ALTER TABLE {each} DISABLE TRIGGER consent_no_truncate")


def test_no_event_names_an_address() -> None:
    agree("ada@example.org")

    with connection.cursor() as cursor:
        cursor.execute("SELECT event::text FROM recipients_consentevent event")
        rows = "".join(text for (text,) in cursor.fetchall())

    assert "ada" not in rows
    assert consent.subject("ada@example.org").hex() in rows


def test_where_a_person_spoke_from_is_kept_only_by_policy_and_may_be_deleted(
    settings: Settings,
) -> None:
    agree(origin=Origin("192.0.2.7", "Browser"))
    assert not ConsentDetail.objects.exists()

    settings.CONSENT_ORIGIN_DAYS = 30
    agree(origin=Origin("192.0.2.7", "Browser"))
    detail = ConsentDetail.objects.latest("pk")
    kept = consent.detail_digest(bytes(detail.salt), detail.ip, detail.user_agent)
    assert bytes(ConsentEvent.objects.get(pk=detail.pk).detail or b"") == kept
    ConsentDetail.objects.all().delete()

    assert consent.verify().problems == []


def test_the_same_words_are_kept_once() -> None:
    assert consent.keep_wording("A", language="en") == consent.keep_wording("A", language="en")
    assert consent.keep_wording("A", language="de") != consent.keep_wording("A", language="en")
    assert ConsentWording.objects.count() == 2


@pytest.mark.parametrize(
    ("sql", "constraint"),
    [
        ("'whim', 'granted', NULL", "consent_purpose_known"),
        ("'tracking', 'perhaps', NULL", "consent_action_known"),
        ("'list', 'granted', NULL", "consent_list_named"),
        ("'tracking', 'granted', 1", "consent_list_named"),
    ],
)
def test_the_ledger_takes_what_it_knows(sql: str, constraint: str) -> None:
    insert = (
        "INSERT INTO recipients_consentevent"
        " (block_id, subject, source, occurred_at, purpose, action, mailing_list_id)"
    )

    with (
        connection.cursor() as cursor,
        pytest.raises(IntegrityError, match=constraint),
        transaction.atomic(),
    ):
        cursor.execute(f"{insert} VALUES (1, '', '', now(), {sql})")


def test_the_ledger_counts_what_it_says_of_each_list_by_days_of_utc() -> None:
    lists = [make_list(name).pk for name in ("News", "Offers")]
    late = datetime(2026, 12, 4, 23, 59, tzinfo=UTC)

    for now in (late, late, late + timedelta(minutes=1)):
        consent.record(
            [
                Consent("ada@example.org", ConsentAction.GRANTED, "form", mailing_list_id=pk)
                for pk in lists
            ],
            now=now,
        )

    days = ConsentTally.objects.filter(mailing_list_id=lists[0]).order_by("day")
    assert [(str(each.day), each.action, each.count) for each in days] == [
        ("2026-12-04", "granted", 2),
        ("2026-12-05", "granted", 1),
    ]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"count": 3}, ["granted is 3, and should be 2"]),
        ({"action": "withdrawn"}, ["granted is 0", "withdrawn is 2, and should be 0"]),
        (
            {"day": date(2026, 12, 5)},
            ["on 2026-12-04: granted is 0", "on 2026-12-05: granted is 2"],
        ),
        ({"mailing_list_id": 0}, ["list 0 on 2026-12-04: granted is 2", "granted is 0"]),
        (None, ["granted is 0, and should be 2"]),
    ],
)
def test_a_wrong_sum_of_a_day_is_named_and_counted_anew(
    wrong: dict[str, Any] | None, named: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    event = Consent("ada@example.org", ConsentAction.GRANTED, "form", mailing_list_id=7)
    consent.record([event, event], now=datetime(2026, 12, 4, tzinfo=UTC))
    right = list(ConsentTally.objects.values("mailing_list_id", "day", "action", "count"))
    tally = ConsentTally.objects.all()
    _ = tally.update(**wrong) if wrong else tally.delete()

    with pytest.raises(CommandError, match="--repair"):
        call_command("verify_consent_chain")
    said = capsys.readouterr().out
    call_command("verify_consent_chain", repair=True)

    assert all(text in said for text in named)
    assert list(ConsentTally.objects.values("mailing_list_id", "day", "action", "count")) == right
    assert consent.miscounted() == []


def test_a_day_of_a_list_is_counted_in_one_place() -> None:
    one = {"mailing_list_id": 1, "day": date(2026, 12, 4), "action": "granted"}
    ConsentTally.objects.create(**one, count=1)

    with pytest.raises(IntegrityError, match="consent_tally_unique"), transaction.atomic():
        ConsentTally.objects.create(**one, count=1)


def test_a_chain_has_no_fork() -> None:
    agree()
    block = ConsentBlock.objects.get()

    with pytest.raises(IntegrityError, match="consent_block_no_fork"), transaction.atomic():
        ConsentBlock.objects.create(
            number=block.number,
            previous_hash=block.previous_hash,
            content=b"",
            hash=b"",
            events=0,
            first_event=0,
            last_event=0,
            created_at=timezone.now(),
        )

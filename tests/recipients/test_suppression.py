"""Who is left alone, and who may say that they need not be any more."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, transaction

from recipients.consent import subject
from recipients.models import LiftedSuppression, Suppression, SuppressionReason
from recipients.suppression import (
    BadEntry,
    NotLifted,
    erased,
    lift,
    parse_entry,
    suppress,
    suppress_all,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
R = SuppressionReason


def leave_alone(key: str = "ada@example.org", reason: R = R.MANUAL, source: str = "test") -> bool:
    return suppress(key, reason=reason, source=source, now=NOW)


def erase(key: str = "ada@example.org") -> None:
    Suppression.objects.create(digest=subject(key), reason=R.ERASED)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (" Ada@Example.ORG ", "ada@example.org"),
        ("Example.ORG", "example.org"),
        ("@bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_an_address_or_a_domain_is_read(text: str, key: str) -> None:
    assert parse_entry(text) == key


@pytest.mark.parametrize("text", ["", "  ", "localhost", "a@b@c.example", "a b.example"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(BadEntry):
        parse_entry(text)


def test_the_reason_that_binds_most_stays_and_says_what_was_before() -> None:
    news = [leave_alone(reason=reason, source=str(reason.label)) for reason in (R.BOUNCE, R.MANUAL)]
    leave_alone(reason=R.COMPLAINT, source="a feedback loop")

    entry = Suppression.objects.get()
    assert news == [True, False]
    assert entry.reason == R.COMPLAINT
    assert entry.source == "a feedback loop; before: bounce (messages came back)"


def test_many_are_added_at_once_each_one_once() -> None:
    leave_alone("a@example.org")
    keys = ["b@example.org", "a@example.org", "example.net", "b@example.org"]

    assert suppress_all(keys, reason=R.MANUAL, source="pasted", now=NOW) == 2
    assert Suppression.objects.count() == 3


def test_the_address_of_who_was_erased_is_not_written_down_again() -> None:
    erase()

    assert erased(["ada@example.org", "bob@example.org"]) == {"ada@example.org"}
    assert not leave_alone(reason=R.COMPLAINT)
    assert Suppression.objects.get().key is None


@pytest.mark.parametrize("reason", [R.MANUAL, R.BOUNCE])
def test_staff_lift_what_is_no_persons_wish_and_it_is_noted_down(reason: R) -> None:
    leave_alone(reason=reason)

    assert lift("ada@example.org", why="a typing error", by="root", now=NOW) == reason

    assert not Suppression.objects.exists()
    lifted = LiftedSuppression.objects.get()
    assert (lifted.key, lifted.reason, lifted.why) == ("ada@example.org", reason, "a typing error")
    assert (lifted.lifted_by, lifted.lifted_at) == ("root", NOW)


def test_a_complaint_is_lifted_with_a_permission_of_its_own() -> None:
    leave_alone(reason=R.COMPLAINT)

    with pytest.raises(NotLifted, match="permission of its own"):
        lift("ada@example.org", why="she called us", by="root", now=NOW)
    assert lift("ada@example.org", why="she called us", by="root", even_complaints=True, now=NOW)


@pytest.mark.parametrize(
    ("reason", "why", "refusal"),
    [
        (R.UNSUBSCRIBED, "a good one", "only they themselves"),
        (R.ERASED, "a good one", "asked to be forgotten"),
        (R.MANUAL, "  ", "say why"),
        (None, "a good one", "is not suppressed"),
    ],
)
def test_what_staff_may_not_lift_stays(reason: R | None, why: str, refusal: str) -> None:
    if reason == R.ERASED:
        erase()
    elif reason:
        leave_alone(reason=reason)

    with pytest.raises(NotLifted, match=refusal):
        lift("ada@example.org", why=why, by="root", even_complaints=True, now=NOW)

    assert Suppression.objects.exists() == bool(reason)
    assert not LiftedSuppression.objects.exists()


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        (Suppression(digest=b"taken", reason="erased"), "suppression_digest_unique"),
        (Suppression(reason="manual"), "suppression_key_or_digest"),
        (Suppression(key="a@x.example", digest=b"d", reason="erased"), "suppression_key_or_digest"),
    ],
)
def test_the_table_refuses_what_may_not_be(row: Suppression, constraint: str) -> None:
    Suppression.objects.create(digest=b"taken", reason=R.ERASED)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        row.save(force_insert=True)

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.webhooks.samples import SAMPLES
from tracking.models import Category
from tracking.webhooks.reading import Ignored, Said, read
from tracking.webhooks.verdicts import HARD, SOFT

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
TYPES = ("bounced", "rejected", "failed", "deferred", "delivered", "complained", "unsubscribed")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


def said(provider: str = "brevo", event_type: str = "bounced", **payload: Any) -> Said:
    found = read(provider, event_type, payload, received_at=NOW)
    assert isinstance(found, Said)
    return found


@pytest.mark.parametrize("category", Category)
def test_hard_is_what_speaks_of_the_address_alone(category: Category) -> None:
    speaks_of_address = category in {"invalid_address", "invalid_domain", "unknown"}

    assert HARD.weighed(category)[1] == speaks_of_address
    assert SOFT.weighed(category) == (category, False)


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("2026-03-01T08:00:00+00:00", NOW - timedelta(hours=1)),
        ("2026-03-01T08:00:00", NOW - timedelta(hours=1)),
        ("2026-03-01T08:30:00+02:00", NOW - timedelta(hours=2, minutes=30)),
        ("2026-03-02T08:00:00+00:00", NOW),  # before it happened, nobody can tell of it
        ("yesterday", NOW),
        (None, NOW),
        (7, NOW),
    ],
)
def test_when_it_happened(told: Any, at: datetime) -> None:
    assert said(timestamp=told).at == at


def test_an_answer_has_its_codes_and_is_cut() -> None:
    answer = "550-5.2.1 The account is disabled. " + "x" * 9_000

    found = said(mta_response=answer)

    assert (found.reply_code, found.enhanced_status_code) == (550, "5.2.1")
    assert (found.category, found.is_hard) == ("disabled", False)
    assert len(found.diagnostic) == 2_000


@pytest.mark.parametrize("event_type", ["opened", "clicked", "autoresponded", "unknown", "inbound"])
def test_what_is_ignored_says_why(event_type: str) -> None:
    assert isinstance(read("brevo", event_type, {}, received_at=NOW), Ignored)


@given(st.sampled_from(sorted(SAMPLES)), st.sampled_from(TYPES), JSON)
def test_whatever_a_provider_sends_is_read_and_nothing_strange_is_hard(
    provider: str, event_type: str, raw: Any
) -> None:
    found = read(provider, event_type, {"raw": raw, "mta_response": raw}, received_at=NOW)

    assert isinstance(found, Said)
    assert not found.is_hard

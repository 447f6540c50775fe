"""What is measured: the most private word counts."""

import itertools

import pytest
from pytest_django.fixtures import Settings

from recipients.models import MailingList, Tracking, TrackingConsent
from tracking.measuring import measurable, mode, strictest

PRIVACY = {"off": 0, "anonymous": 1, "full": 2}


@pytest.mark.parametrize("words", list(itertools.product(PRIVACY, repeat=3)))
def test_the_most_private_word_counts(words: tuple[str, ...]) -> None:
    assert strictest(words) == min(words, key=PRIVACY.__getitem__)


def test_installation_campaign_and_each_list_may_want_less(settings: Settings) -> None:
    def of(installation: str, campaign: str, *lists: str) -> Tracking:
        settings.TRACKING = installation
        return mode(campaign, lists=[MailingList(tracking=word) for word in lists])

    assert of("full", "full", "full", "full") == Tracking.FULL
    assert of("full", "full", "full", "off") == Tracking.OFF
    assert of("full", "anonymous", "full") == Tracking.ANONYMOUS
    assert of("off", "full", "full") == Tracking.OFF
    # A run to segments alone has no list.
    assert of("full", "full") == Tracking.FULL
    assert of("anonymous", "full") == Tracking.ANONYMOUS


@pytest.mark.parametrize(
    ("is_required", "measured"),
    [
        (False, {TrackingConsent.GRANTED, TrackingConsent.UNKNOWN}),
        (True, {TrackingConsent.GRANTED}),
    ],
)
def test_who_said_no_is_never_measured_and_who_was_not_asked_where_consent_is_required(
    is_required: bool, measured: set[str], settings: Settings
) -> None:
    settings.TRACKING_CONSENT_REQUIRED = is_required

    assert measurable() == measured
    assert measurable(is_consent_required=is_required) == measured

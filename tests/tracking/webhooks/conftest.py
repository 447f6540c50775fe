import pytest
from pytest_django import Settings

from tests.factories import make_campaign, make_list, make_recipient, make_run
from tests.tracking.webhooks.posting import CERTIFICATE_URL, certificate, keys
from tests.tracking.webhooks.samples import Message
from tracking import links
from tracking.models import Delivery
from tracking.webhooks import amazon
from tracking.webhooks.sns import Unreachable, Verifier


class Amazon:
    """What is at Amazon's addresses; it notes what was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if "ConfirmSubscription" in url:
            return b"<ConfirmSubscriptionResponse/>"
        if url != CERTIFICATE_URL:
            raise Unreachable("nothing is there")
        return certificate()


@pytest.fixture
def at_amazon(monkeypatch: pytest.MonkeyPatch) -> Amazon:
    fetch = Amazon()
    monkeypatch.setattr(amazon, "verifier", Verifier(fetch))
    return fetch


@pytest.fixture
def providers(settings: Settings, at_amazon: Amazon) -> None:
    """All providers are set up."""
    settings.ANYMAIL = keys()


@pytest.fixture
def delivery() -> Delivery:
    readers = make_list()
    for name in ("ada", "grace"):
        make_recipient(f"{name}@example.org", lists=[readers])
    make_run(make_campaign(lists=[readers]))
    # What MailerSend answers; it gives nothing back of what it was given.
    Delivery.objects.update(state="sent", diagnostic="queued 64c0ffee64c0ffee64c0ffee")
    return Delivery.objects.get(address="ada@example.org")


@pytest.fixture
def message(delivery: Delivery) -> Message:
    return Message(links.message_token(delivery.pk))

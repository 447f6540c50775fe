"""The pages of transports and senders."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from campaigns import secrets
from campaigns.models import Gate, Sender, Transport
from campaigns.preflight import records
from campaigns.preflight.findings import Finding, Severity
from campaigns.services import set_transport_url
from recipients.translatable import Translatable
from tests.console import messages, superuser, text
from tests.factories import make_campaign, make_sender
from tests.smtp_server import ScriptedSMTP, refuse

pytestmark = pytest.mark.django_db

NO_ROUTES = {"routes-TOTAL_FORMS": "0", "routes-INITIAL_FORMS": "0"}


@pytest.fixture
def console() -> Client:
    return superuser()


TRANSPORTS = "/transports/"
SECRET_URL = "smtps://anna:hunter2@mail.example.org"


def test_a_transports_url_goes_in_encrypted_and_never_comes_out(console: Client) -> None:
    console.post(f"{TRANSPORTS}new/", {"name": "relay", "url": SECRET_URL})

    transport = Transport.objects.get()
    pages = [console.get(TRANSPORTS), console.get(f"{TRANSPORTS}{transport.pk}/")]
    assert secrets.decrypt(transport.encrypted_url) == SECRET_URL
    assert "It holds a password and is never shown" in text(pages[1])
    assert not [page for page in pages if "hunter2" in page.content.decode()]
    assert not [page for page in pages if transport.encrypted_url in page.content.decode()]


def test_a_transports_url_is_kept_where_none_is_typed(console: Client) -> None:
    console.post(f"{TRANSPORTS}new/", {"name": "relay", "url": SECRET_URL})
    transport = Transport.objects.get()

    console.post(f"{TRANSPORTS}{transport.pk}/", {"name": "renamed", "url": ""})

    transport.refresh_from_db()
    assert transport.name == "renamed"
    assert secrets.decrypt(transport.encrypted_url) == SECRET_URL


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "Say where it leads to"),
        ("https://anna:hunter2@mail.example.org", "This is no transport's URL"),
        ("smtp://anna:hunter2@", "names no host"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_and_not_repeated(
    typed: str, reason: str, console: Client
) -> None:
    answer = console.post(f"{TRANSPORTS}new/", {"name": "relay", "url": typed})

    assert reason in text(answer)
    assert "hunter2" not in answer.content.decode()
    assert not Transport.objects.exists()


@pytest.mark.parametrize(
    ("field", "typed", "reason"),
    [
        ("address", "news@localhost", "has no dot"),
        ("reply_to", "a@example.org, b@example.org", "This is not an address"),
        ("display_name", "News\u2028Bcc: x@example.org", "may not stand in a header"),
        ("envelope_domain", "bounce example.org", "This is not an address"),
    ],
)
def test_what_may_not_stand_in_a_header_is_refused(
    field: str, typed: str, reason: str, console: Client
) -> None:
    values = {"address": "news@example.org", field: typed, **NO_ROUTES}

    answer = console.post("/senders/new/", values)

    assert reason in text(answer)
    assert not Sender.objects.exists()


def test_a_senders_domains_are_stored_as_they_are_sent(console: Client) -> None:
    values = {
        "address": "news@Bücher.example", "envelope_domain": "Bounce.Bücher.example",
        "routes-TOTAL_FORMS": "0", "routes-INITIAL_FORMS": "0",
    }  # fmt: skip

    console.post("/senders/new/", values)

    sender = Sender.objects.get()
    assert sender.address == "news@xn--bcher-kva.example"
    assert sender.domain == "bounce.xn--bcher-kva.example"


def test_limits_of_a_transport_are_typed_and_hold_at_once(console: Client) -> None:
    console.post(f"{TRANSPORTS}new/", {"name": "relay", "url": SECRET_URL, "per_second": "5"})
    transport = Transport.objects.get()
    page = f"{TRANSPORTS}{transport.pk}/"

    refused = console.post(page, {"name": "relay", "url": "", "connections": "0"})
    console.post(page, {"name": "relay", "url": "", "per_day": "500"})

    assert "greater than or equal to 1" in text(refused)
    transport.refresh_from_db()
    assert (transport.per_second, transport.per_day, transport.connections) == (None, 500, None)


def test_a_transports_page_says_why_its_gate_is_shut(console: Client) -> None:
    console.post(f"{TRANSPORTS}new/", {"name": "relay", "url": SECRET_URL})
    transport = Transport.objects.get()
    page = f"{TRANSPORTS}{transport.pk}/"
    was_open = text(console.get(page))

    Gate.objects.create(
        transport=transport, shut_until=timezone.now() + timedelta(minutes=5), cause="connection"
    )

    assert "State Open" in was_open
    assert "Waiting: transport relay cannot be reached; next try" in text(console.get(page))


def test_a_sender_is_given_its_routes(console: Client) -> None:
    console.post(f"{TRANSPORTS}new/", {"name": "relay", "url": SECRET_URL})
    typed = {
        "address": "news@example.org", "routes-TOTAL_FORMS": "1", "routes-INITIAL_FORMS": "0",
        "routes-0-transport": str(Transport.objects.get().pk), "routes-0-weight": "3",
    }  # fmt: skip

    console.post("/senders/new/", typed)

    route = Sender.objects.get(address="news@example.org").routes.get()
    assert (route.transport.name, route.weight) == ("relay", 3)


# --- a test by a transport ----------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "said"), [(None, "took the message"), (refuse(), "550")])
def test_a_test_leaves_by_the_transport_that_is_tested(
    console: Client, smtp: ScriptedSMTP, answer: object, said: str
) -> None:
    set_transport_url(Transport(name="relay"), url=smtp.url)
    transport, sender = Transport.objects.get(), make_sender()
    if answer:
        smtp.script(answer)  # type: ignore[arg-type]

    typed = {"address": "me@example.org", "sender": str(sender.pk)}
    shown = console.post(f"{TRANSPORTS}{transport.pk}/test/", typed, follow=True)

    assert said in messages(shown)[0]
    assert len(smtp.messages) == (0 if answer else 1)


def test_what_is_in_use_is_not_deleted_and_what_is_not_is(console: Client) -> None:
    sender = make_campaign().sender
    for name in ("relay", "spare"):
        set_transport_url(Transport(name=name), url=SECRET_URL)
    relay, spare = Transport.objects.order_by("name")
    sender.routes.create(transport=relay)

    used = console.post(f"{TRANSPORTS}{relay.pk}/delete/")
    own = console.post(f"/senders/{sender.pk}/delete/")
    console.post(f"{TRANSPORTS}{spare.pk}/delete/")

    assert "Senders use it; give them another one first." in text(used)
    assert "Campaigns are sent in its name." in text(own)
    assert [each.name for each in Transport.objects.all()] == ["relay"]


def test_the_list_of_transports_asks_no_more_for_many(
    console: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(4):
        set_transport_url(Transport(name=f"relay {number}"), url=SECRET_URL)

    with django_assert_num_queries(6):
        said = text(console.get(TRANSPORTS))

    assert said.count("Open") == 4


# --- records of the DNS -------------------------------------------------------------------------


def found(name: str, message: str) -> Finding:
    return Finding(Severity.ERROR, name, Translatable(message))


@pytest.mark.parametrize(
    ("findings", "states"),
    [
        (None, {"SPF": "", "DMARC": "", "Bounces": ""}),
        ([], {"SPF": "found", "DMARC": "found", "Bounces": "found"}),
        (
            [
                found("spf-record", "example.org has 0 SPF records instead of one"),
                found("dmarc-record", "DMARC of example.org: p=x is unknown"),
                found("bounce-mx", "example.org has no MX record: bounces do not come back"),
            ],
            {"SPF": "missing", "DMARC": "wrong", "Bounces": "missing"},
        ),
        ([found("dns-offline", "nobody answers")], {"SPF": "", "DMARC": "", "Bounces": ""}),
    ],
)
def test_each_record_is_found_wrong_missing_or_not_known(
    findings: list[Finding] | None, states: dict[str, str]
) -> None:
    assert {each.what: each.state for each in records.of(make_sender(), findings)} == states

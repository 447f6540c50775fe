"""Each page of staff's, as people see it: WCAG 2.2 AA by axe-core, the policy, narrow and dark."""

from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from campaigns import services
from campaigns.models import Campaign, Plan, Run, RunStatus, When
from tests.browser.conftest import Visit
from tests.browser.test_templates import make_mjml
from tests.campaigns.webhooks.steps import make_call, make_endpoint
from tests.factories import (
    make_campaign,
    make_delivery,
    make_list,
    make_past_run,
    make_recipients,
    make_run,
    make_sender,
    make_template,
)
from tracking import feedback
from tracking.models import (
    Call,
    CallState,
    Category,
    Delivery,
    DomainTally,
    Endpoint,
    HourTally,
    Link,
    ReasonTally,
    RunCounters,
)

AXE = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}


CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


def draft() -> Campaign:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    campaign = make_campaign("Spring", lists=[readers])
    Plan.objects.create(campaign=campaign, when=When.NOW, time_zone="Asia/Ho_Chi_Minh")
    return campaign


def scheduled() -> Campaign:
    campaign, now = draft(), timezone.now()
    return services.schedule(campaign, now=now, at=now + timedelta(minutes=2))


def sending(status: str = RunStatus.SENDING) -> Campaign:
    campaign = draft()
    run = make_run(campaign)
    campaign.runs.filter(pk=run.pk).update(status=status, held_reason="look at it")
    return campaign


def ended() -> Run:
    """Return a run with something of everything: sent, failed, in doubt, a bounce, a click."""
    readers = make_list()
    people, now = make_recipients(4, mailing_list=readers), timezone.now()
    html = '<p>Hello</p><a href="https://a.example/">Read</a>'
    campaign = make_campaign("Spring", lists=[readers], template=make_template(html=html))
    run = make_past_run(campaign, at=now, sent=3, failed=1, opens_people=2, bounced_hard=1)
    rows = [make_delivery(run, person, clicks=1, clicked_at=now) for person in people]
    for row, state in zip(rows, ("sent", "failed", "unconfirmed", "sent"), strict=True):
        doubted = now if state == "unconfirmed" else None
        Delivery.objects.filter(pk=row.pk).update(
            state=state, finished_at=now, attempted_at=now, doubted_at=doubted, attempts=1,
            diagnostic="no such user",
        )  # fmt: skip
    feedback.note_failures([feedback.Failure(rows[1].pk, Category.RATE)], now=now)
    RunCounters.objects.filter(run=run).update(sent=2, unconfirmed=1, sent_at=now)
    HourTally.objects.create(run=run, hour=now.replace(minute=0, second=0), sent=3)
    DomainTally.objects.create(run=run, domain="example.org", sent=3, failed=1, bounced_hard=1)
    ReasonTally.objects.create(run=run, kind="bounced", reason="mailbox_full", count=1)
    Link.objects.create(version=run.version, number=0, target="https://a.example/", label="Read")
    return run


def flying(status: str) -> Run:
    return sending(status).runs.get()


def webhook() -> Endpoint:
    """One that fails, with something in its log."""
    endpoint = make_endpoint()
    Endpoint.objects.update(failures=1, failing_since=timezone.now())
    make_call(endpoint, at=timezone.now())
    done = make_call(endpoint, at=timezone.now())
    Call.objects.filter(pk=done.pk).update(state=CallState.GIVEN_UP, next_at=None, status=503)
    return endpoint


def nothing() -> None:
    return None


CAMPAIGN, RUN = "/campaigns/{pk}/", "/runs/{pk}/"
PEOPLE = [
    "/account/",
    "/account/profile/",
    "/account/password/change/",
    "/account/2fa/",
    "/account/2fa/webauthn/",
    "/account/sessions/",
    "/users/",
    "/users/add/",
    "/audit/",
    "/audit/?who=nobody",
]
TEMPLATE = "/templates/{pk}/"
# What there is, and the pages that look different then.
PAGES: dict[str, tuple[Any, list[str]]] = {
    "nothing": (
        nothing,
        [
            "/",
            "/campaigns/",
            "/campaigns/calendar/",
            "/campaigns/new/",
            "/reports/",
            "/ledger/",
            "/health/",
        ],
    ),
    "draft": (
        draft,
        [
            "/",
            "/campaigns/?q=nobody",
            CAMPAIGN,
            f"{CAMPAIGN}content/",
            f"{CAMPAIGN}audience/",
            f"{CAMPAIGN}audience/?show=receiving",
            f"{CAMPAIGN}audience/?address=nobody@example.org",
            f"{CAMPAIGN}schedule/",
            f"{CAMPAIGN}check/",
            f"{CAMPAIGN}confirm/",
            f"{CAMPAIGN}test/",
        ],
    ),
    "people": (draft, PEOPLE),
    "template": (
        make_mjml,
        [
            "/templates/",
            "/templates/?q=nothing",
            "/templates/new/",
            "/templates/import/",
            "/templates/blank/",
            TEMPLATE,
            f"{TEMPLATE}edit/",
            f"{TEMPLATE}blocks/",
            f"{TEMPLATE}preview/",
            f"{TEMPLATE}test/",
            f"{TEMPLATE}versions/?from=1&to=1",
            f"{TEMPLATE}versions/1/restore/",
            f"{TEMPLATE}delete/",
            "/media/",
            "/media/upload/",
        ],
    ),
    "sender": (
        make_sender,
        [
            "/senders/",
            "/senders/new/",
            "/senders/{pk}/",
            "/senders/{pk}/delete/",
            "/transports/",
            "/transports/new/",
        ],
    ),
    "webhook": (
        webhook,
        [
            "/webhooks/",
            "/webhooks/new/",
            "/webhooks/{pk}/",
            "/webhooks/{pk}/edit/",
            "/webhooks/{pk}/secret/",
            "/webhooks/{pk}/delete/",
        ],
    ),
    "scheduled": (scheduled, ["/", "/campaigns/calendar/", CAMPAIGN, f"{CAMPAIGN}content/"]),
    "sending": (sending, ["/", "/campaigns/", CAMPAIGN, f"{CAMPAIGN}cancel/"]),
    "paused": (lambda: sending(RunStatus.PAUSED), ["/", CAMPAIGN]),
    "held": (lambda: sending(RunStatus.HELD), ["/", CAMPAIGN]),
    "flying": (lambda: flying(RunStatus.SENDING), [RUN, f"{RUN}doubts/", f"{RUN}report/"]),
    "stopped for now": (lambda: flying(RunStatus.PAUSED), [RUN, "/health/"]),
    "ended": (
        ended,
        [
            RUN,
            f"{RUN}doubts/",
            f"{RUN}report/",
            f"{RUN}report/links/",
            f"{RUN}report/domains/",
            f"{RUN}report/failures/",
            f"{RUN}report/people/?did=clicked",
            "/reports/summaries/",
            "/ledger/?run={pk}&state=failed",
            "/ledger/?q=Ada",
        ],
    ),
}


def violations(visit: Visit, options: dict[str, Any]) -> list[str]:
    found = Axe().run(visit.page, options=options).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


def faults(visit: Visit, address: str) -> list[str]:
    """Look at a page by day, by night, and on a small telephone."""
    visit.page.emulate_media(color_scheme="light")
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    visit.open(address)
    found = violations(visit, AXE)
    visit.page.emulate_media(color_scheme="dark")
    found += [f"dark: {each}" for each in violations(visit, CONTRAST)]
    visit.page.set_viewport_size({"width": 320, "height": 700})
    overflow = visit.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if overflow > 0:
        found.append(f"wider than 320 pixels by {overflow}")
    if (headings := visit.page.locator("h1").count()) != 1:
        found.append(f"{headings} headings of the first level")
    return found


@pytest.mark.parametrize("state", PAGES)
def test_pages_are_for_everybody(state: str, visit: Visit) -> None:
    make, paths = PAGES[state]
    made = make()
    addresses = [path.format(pk=made.pk if made else 0) for path in paths]

    found = {address: faults(visit, address) for address in addresses}

    assert {address: each for address, each in found.items() if each} == {}

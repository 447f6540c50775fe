"""Live workers send messages, and all that comes back, by each way, ends in the report."""

import json
import re
import time
from dataclasses import replace
from email import message_from_bytes, policy
from itertools import count
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.test import Client
from django.utils import timezone

from campaigns.models import Run
from campaigns.reporting.figures import figures
from campaigns.services import schedule
from tests.e2e.steps import Installation, wait_for_end
from tests.factories import HTML, make_campaign, make_list, make_recipients, make_template
from tests.live import wait_until
from tests.smtp_server import ScriptedSMTP, refuse
from tests.tracking.arrivals import BROWSER
from tests.tracking.inbound_messages import arf, dsn
from tracking.hits.endpoint import Endpoint, in_front_of
from tracking.inbound.storing import store
from tracking.links import message_token
from tracking.models import Delivery

TARGET = "https://example.org/read"
EXPECTED = {
    "sent": 4,
    "failed": 1,
    "bounces": {"hard": 1, "soft": 0},
    "opens": {"people": 1, "unique": 1, "total": 2},
    "clicks": {"people": 1, "unique": 1, "total": 1},
    "unsubscribes": 1,
    "complaints": 1,
}


def test_all_that_comes_back_of_a_campaign_is_in_its_report(
    installation: Installation, smtp: ScriptedSMTP
) -> None:
    readers = make_list()
    make_recipients(5, mailing_list=readers)
    smtp.script(refuse("550 5.1.1 No such user"), recipient="r0005@example.org")
    template = make_template(html=f'{HTML}<a href="{TARGET}">Read</a>')
    now = timezone.now()
    campaign = schedule(make_campaign(lists=[readers], template=template), now=now, at=now)
    with installation() as live:
        live.worker(with_beat=True)
        wait_for_end(campaign)
        reads, bounces, leaves, complains = sorted(smtp.messages, key=lambda one: one.recipient)

        # People come later than programs, and take their time between two things.
        later = count(60, 30)
        endpoint = replace(in_front_of(nobody), clock=lambda: time.time() + next(later))
        html = html_of(reads.data)
        [pixel] = re.findall(r'src="([^"]+/o/[^"]+)"', html)
        [link] = re.findall(r'href="([^"]+/c/[^"]+/0)"', html)
        assert get(endpoint, pixel)[0] == get(endpoint, pixel)[0] == "200 OK"
        assert get(endpoint, link) == ("302 Found", TARGET)
        store(dsn(to=bounces.envelope_sender), origin="pipe", now=timezone.now())
        leave = message_from_bytes(leaves.data)["List-Unsubscribe"].strip("<>")
        Client().post(urlsplit(leave).path, {"List-Unsubscribe": "One-Click"})
        complainer = Delivery.objects.get(address=complains.recipient)
        store(arf(token=message_token(complainer.pk)), origin="pipe", now=timezone.now())

        runs = Run.objects.filter(campaign=campaign)
        wait_until(lambda: figures(runs).as_dict() == EXPECTED, "all of it is counted")
        said = live.manage("campaign_report", str(campaign.pk), "--json").stdout
        live.manage("verify_tracking")

    assert json.loads(said) == EXPECTED


def html_of(data: bytes) -> str:
    part = message_from_bytes(data, policy=policy.default).get_body(("html",))
    return str(part.get_content()) if part else ""


def get(endpoint: Endpoint, url: str) -> tuple[str, str | None]:
    """Return the status of an answer, and where it leads."""
    answers: list[tuple[str, Any]] = []
    environ: dict[str, Any] = {"HTTP_USER_AGENT": BROWSER}
    setup_testing_defaults(environ)
    environ["PATH_INFO"] = url.removeprefix(settings.SITE_URL)
    endpoint(environ, lambda status, headers: answers.append((status, dict(headers))))
    status, headers = answers[0]
    return status, headers.get("Location")


def nobody(environ: Any, start_response: Any) -> list[bytes]:
    raise AssertionError("nothing goes on to Django")

"""Garbage in every field of every form: nothing breaks, and of what is refused nothing is saved."""

import random
from copy import copy
from html.parser import HTMLParser
from urllib.parse import quote_from_bytes

import pytest
from django.db import transaction
from django.urls import reverse

from config.accounts.models import AuditEntry
from recipients.models import Suppression, SuppressionReason
from tests.config.test_limited_lists import There, of
from tests.config.test_web import STAFF, URLS
from tests.console import superuser
from tests.factories import make_form
from tracking import links

pytestmark = pytest.mark.django_db

GARBAGE = [
    b"", b"\0", b"a\0b", b"\xed\xa0\x80", b"\xff", b"x" * 5_000, b"9" * 30, b"-1", b"0", b"NaN",
    b"1e999", b"987654321", b"{{ x }}{% if %}", b"a@b\r\nTo: c@d", b"[[[[", b"0001-01-01", b"None",
    b"\xe2\x80\xae", b"9999-12-31", b"{}",
]  # fmt: skip
MOST_FIELDS = 2  # of a page, besides all of them at once
# It ends the session of who asks, or all others.
LEFT_OUT = {"account_logout", "usersessions_list"}
OURS = ("account", "campaigns:", "mfa_", "recipients:", "templates_app:", "tracking:")
FORM = "application/x-www-form-urlencoded"


class Fields(HTMLParser):
    """What the forms of a page send as they are; a text for one that is empty."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, bytes] = {}
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", (given.get("value") or "").encode()
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in given or not self.sent.get(self._select):
                self.sent[self._select] = value
        elif tag in ("input", "textarea", "button") and name not in ("", "csrfmiddlewaretoken"):
            is_choice = given.get("type") in ("checkbox", "radio")
            if not is_choice or "checked" in given or name not in self.sent:
                self.sent[name] = value or b"x"

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""


class Thrower:
    """Throws at one page after the other, and takes back what came of it."""

    def __init__(self) -> None:
        self.client = superuser()
        self.client.raise_request_exception = False
        self.chance = random.Random(0)
        self.thrown = 0
        self.broken: list[str] = []

    def at(self, url: str) -> None:
        answer = self.client.get(url)
        fields = Fields("" if answer.streaming else answer.content.decode(errors="ignore")).sent
        if self._throw(url, {}) == 405:
            return
        self._throw(url, dict.fromkeys(fields, self.chance.choice(GARBAGE)))
        names = self.chance.sample(sorted(fields), k=min(len(fields), MOST_FIELDS))
        for name in names:
            self._throw(url, {**fields, name: self.chance.choice(GARBAGE)})

    def _throw(self, url: str, fields: dict[str, bytes]) -> int:
        body = "&".join(
            f"{quote_from_bytes(n.encode())}={quote_from_bytes(v)}" for n, v in fields.items()
        )
        cookies, before = copy(self.client.cookies), transaction.savepoint()
        saved = AuditEntry.objects.exclude(kind="")  # not who could not sign in
        known = saved.count()
        answer = self.client.post(url, body, content_type=FORM)
        self.thrown += 1
        what = f"{url} {body[:300]}: {answer.status_code}"
        if answer.status_code >= 500:
            self.broken.append(f"{what}, {getattr(answer, 'exc_info', None)}")
        elif answer.status_code >= 400 and saved.count() != known:
            done = saved.order_by("-pk").values_list("act", "kind")[:3]
            self.broken.append(f"{what}, but {list(done)}")
        transaction.savepoint_rollback(before)
        self.client.cookies = cookies
        return answer.status_code


def addresses(there: There) -> list[str]:
    """Return the address of each page that there is, with what is there."""
    entry = Suppression.objects.create(key="z@example.org", reason=SuppressionReason.MANUAL)
    found = []
    for name in sorted(STAFF):
        if name in LEFT_OUT or not name.startswith(OURS):
            continue
        if name == "recipients:suppression_lift":
            found.append(reverse(name, args=[entry.pk]))
        elif "pk" in URLS[name].pattern.converters and name.startswith(OURS[1:2] + OURS[3:5]):
            kind = of(name)
            found.append(there.address(name, (there.shared | there.hidden)[kind].pk))
        elif not URLS[name].pattern.converters:
            found.append(reverse(name))
    return found


def test_no_garbage_breaks_a_page_of_staff() -> None:
    there, thrower = There(), Thrower()

    for url in addresses(there):
        thrower.at(url)

    assert thrower.broken == [], "\n".join(thrower.broken)
    assert thrower.thrown > 200


def test_no_garbage_breaks_a_public_page() -> None:
    there, thrower = There(), Thrower()
    thrower.client.logout()
    delivery = there.shared["delivery"].pk
    form = make_form("flowers")

    for url in (
        links.unsubscribe_url(delivery),
        links.preferences_url(delivery),
        links.reason_url(delivery),
        links.privacy_url(1),
        links.confirm_url(1),
        f"/subscribe/{form.slug}/",
        "/account/login/",
        "/account/password/reset/",
    ):
        thrower.at(url.removeprefix("http://localhost:8000"))

    assert thrower.broken == [], "\n".join(thrower.broken)
    assert thrower.thrown > 20

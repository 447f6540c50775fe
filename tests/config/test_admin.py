"""Every page of the console answers, for each role."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from django_celery_results.models import GroupResult

from campaigns import dkim_keys
from campaigns.models import Campaign, DomainGroup, DomainLimit, Transport
from campaigns.sending.dkim import Algorithm
from campaigns.services import set_transport_url
from recipients.importing import jobs
from recipients.models import Export, Field, NoticeKind, Suppression, SuppressionReason, Tag
from recipients.notices import write
from templates_app.models import Kind, Layout, Snippet
from tests.console import staff, superuser
from tests.factories import (
    make_campaign,
    make_file,
    make_form,
    make_list,
    make_recipient,
    make_run,
    make_segment,
    make_sender,
    make_template,
)
from tracking.inbound.storing import store
from tracking.models import Mailbox, WebhookEvent

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
pytestmark = pytest.mark.django_db


def make_rows(n: int = 0) -> None:
    """Make at least one row of every model; called again, one more."""
    mailing_list = make_list(f"Readers {n}")
    recipient = make_recipient(f"ada{n}@example.org", lists=[mailing_list])
    form = make_form(f"birds{n}", mailing_list=mailing_list)
    write(NoticeKind.WELCOME, recipient=recipient, form=form, now=timezone.now())
    template = make_template(f"Newsletter {n}")
    sender = make_sender(f"news{n}@example.org")
    make_run(make_campaign(f"Spring {n}", lists=[mailing_list], template=template, sender=sender))
    Field.objects.create(name=f"first_name_{n}")
    Suppression.objects.create(key=f"gone{n}@example.org", reason=SuppressionReason.MANUAL)
    jobs.begin(io.BytesIO(f"email\nben{n}@example.org\n".encode()), name="people.csv")
    make_segment(f"Hanoi {n}")
    make_file(f"Plan{n}.pdf", f"%PDF-1.7\n%{n}\n%%EOF\n".encode())
    Snippet.objects.create(name=f"footer{n}", kind=Kind.HTML, source="<p>Bye</p>")
    Layout.objects.create(name=f"Plain {n}", kind=Kind.HTML, source="{{ content }}")
    Tag.objects.create(name=f"VIP {n}")
    Export.objects.create(what="all recipients", created_at=timezone.now())
    set_transport_url(Transport(name=f"relay{n}"), url="smtp://127.0.0.1:25")
    dkim_keys.create(f"{n}.example.org", selector="s1", algorithm=Algorithm.ED25519)
    DomainLimit.objects.create(group=f"group{n}", per_second=5)
    DomainGroup.objects.create(domain=f"{n}.example.org", group=f"group{n}")
    Group.objects.create(name=f"Editors {n}")
    User.objects.create_user(f"somebody{n}")
    every = IntervalSchedule.objects.create(every=n + 1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name=f"tick {n}", task="campaigns.tick", interval=every)
    CrontabSchedule.objects.create(minute=n)
    SolarSchedule.objects.create(event="sunrise", latitude=n, longitude=n)
    ClockedSchedule.objects.create(clocked_time=timezone.now())
    Mailbox.objects.create(address=f"imaps://mail{n}.example.org")
    store(f"Subject: Undelivered {n}".encode(), origin="pipe", now=timezone.now())
    now = timezone.now()
    WebhookEvent.objects.create(provider="brevo", key=b"%d" % n, payload={}, received_at=now)
    GroupResult.objects.create(group_id=f"group{n}", result="[]")


@pytest.fixture
def rows(disk: Path) -> None:
    make_rows()


def paths(model: type[Model]) -> dict[str, str]:
    """Return every page of a model, by name."""
    model_admin: Any = admin.site._registry[model]
    prefix = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row: Any = model._default_manager.first()
    pages = {
        "changelist": reverse(f"{prefix}_changelist"),
        "add": reverse(f"{prefix}_add"),
        "change": reverse(f"{prefix}_change", args=[row.pk]),
        "delete": reverse(f"{prefix}_delete", args=[row.pk]),
        "history": reverse(f"{prefix}_history", args=[row.pk]),
    }
    for each in model_admin._get_base_actions_detail() if _is_unfold(model_admin) else []:
        pages[each.path] = reverse(f"admin:{each.action_name}", args=[row.pk])
    return pages


def every_path() -> dict[tuple[str, str], str]:
    """Return every page of every model, by the model's label and the page's name."""
    return {
        (model._meta.label, name): path for model in MODELS for name, path in paths(model).items()
    }


def queries(client: Client, path: str) -> int:
    client.get(path)  # what is read once is in memory then
    with CaptureQueriesContext(connection) as captured:
        client.get(path)
    return len(captured)


def _is_unfold(model_admin: Any) -> bool:
    return hasattr(model_admin, "actions_detail")


def test_every_model_is_shown_in_the_same_style() -> None:
    strangers = [model for model in MODELS if not _is_unfold(admin.site._registry[model])]

    assert strangers == []


def test_a_superuser_gets_every_page_that_there_is(rows: None, rf: RequestFactory) -> None:
    client = superuser()
    request = rf.get("/")
    request.user = User.objects.get(is_superuser=True)
    refused = set()
    for model in MODELS:
        model_admin = admin.site._registry[model]
        if not model_admin.has_add_permission(request):
            refused.add((model._meta.label, "add"))
        if not model_admin.has_delete_permission(request, model._default_manager.first()):
            refused.add((model._meta.label, "delete"))

    answers = {page: client.get(path).status_code for page, path in every_path().items()}

    # They lead to pages of staff.
    leading = [page for page in answers if page[1] in {"open", "report"}]
    assert {answers.pop(page) for page in leading} == {302}
    led = {page: 302 for page in answers if page[1] == "history" and answers[page] == 302}
    assert answers == {page: 403 if page in refused else 200 for page in answers} | led
    assert {model for model, _ in led} == {
        model._meta.label for model in MODELS if hasattr(model._default_manager, "visible_to")
    } - {"campaigns.Run", "tracking.Delivery"}  # looked at, not edited


def test_a_longer_list_takes_no_more_queries(rows: None) -> None:
    client = superuser()
    lists = {model._meta.label: paths(model)["changelist"] for model in MODELS}
    few = {label: queries(client, path) for label, path in lists.items()}
    for n in range(1, 4):
        make_rows(n)

    many = {label: queries(client, path) for label, path in lists.items()}

    assert many == few


def test_staff_without_permission_get_no_page(rows: None) -> None:
    client = staff()

    answers = {page: client.get(path).status_code for page, path in every_path().items()}

    assert answers == dict.fromkeys(answers, 403)


def test_who_is_not_staff_is_asked_to_log_in(rows: None, client: Client) -> None:
    for path in every_path().values():
        answer = client.get(path)

        assert (answer.status_code, answer["Location"]) == (302, f"/account/login/?next={path}")


def test_the_sidebar_shows_what_its_reader_may_see() -> None:
    page = staff("recipients.view_recipient").get(reverse("admin:index")).content.decode()

    assert reverse("admin:recipients_recipient_changelist") in page
    assert reverse("admin:campaigns_campaign_changelist") not in page
    assert Campaign.objects.count() == 0


def test_where_no_script_runs_the_console_is_shown() -> None:
    page = superuser().get(reverse("admin:index")).content.decode()
    style = Path(settings.BASE_DIR, "config/static/godwit/admin.css").read_text()

    assert re.search(r"<html [^>]*x-cloak", page)
    assert page.index("godwit/admin.css") < page.index("unfold/css/styles.css")
    assert re.search(r"@layer .*\(scripting: none\) {\s*html\[x-cloak\] {", style, re.DOTALL)

"""Every page of the console answers, for each role."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client, RequestFactory
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
)
from tracking.inbound.storing import store
from tracking.models import Mailbox, WebhookEvent

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
pytestmark = pytest.mark.django_db


@pytest.fixture
def rows(disk: Path) -> None:
    """At least one row of every model."""
    recipient = make_recipient(lists=[make_list()])
    write(NoticeKind.WELCOME, recipient=recipient, form=make_form(), now=timezone.now())
    make_run(make_campaign())
    Field.objects.create(name="first_name")
    Suppression.objects.create(key="gone@example.org", reason=SuppressionReason.MANUAL)
    jobs.begin(io.BytesIO(b"email\nada@example.org\n"), name="people.csv")
    make_segment()
    make_file()
    Snippet.objects.create(name="footer", kind=Kind.HTML, source="<p>Bye</p>")
    Layout.objects.create(name="Plain", kind=Kind.HTML, source="{{ content }}")
    Tag.objects.create(name="VIP")
    Export.objects.create(what="all recipients", created_at=timezone.now())
    set_transport_url(Transport(name="relay"), url="smtp://127.0.0.1:25")
    dkim_keys.create("example.org", selector="s1", algorithm=Algorithm.ED25519)
    DomainLimit.objects.create(group="google", per_second=5)
    DomainGroup.objects.create(domain="example.org", group="google")
    Group.objects.create(name="Editors")
    User.objects.create_user("somebody")
    every = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name="tick", task="campaigns.tick", interval=every)
    CrontabSchedule.objects.create()
    SolarSchedule.objects.create(event="sunrise", latitude=0, longitude=0)
    ClockedSchedule.objects.create(clocked_time=timezone.now())
    Mailbox.objects.create(address="imaps://mail.example.org")
    store(b"Subject: Undelivered", origin="pipe", now=timezone.now())
    now = timezone.now()
    WebhookEvent.objects.create(provider="brevo", key=b"1", payload={}, received_at=now)
    GroupResult.objects.create(group_id="group", result="[]")


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

"""The audit log: what is in it, what never is, and that nobody changes it."""

import csv
import getpass
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from pytest_django.fixtures import DjangoAssertNumQueries

from campaigns.models import Run, RunStatus, Transport
from config.accounts import audit
from config.accounts.acting import acting, actor, begin_command
from config.accounts.models import AuditEntry, Origin
from recipients import privacy
from recipients.importing import jobs
from recipients.models import Recipient, Subscription, SubscriptionState, Tag
from recipients.noting import note
from recipients.tags import add_tag
from tests.console import staff, superuser, text
from tests.factories import (
    make_campaign,
    make_file,
    make_list,
    make_past_run,
    make_recipient,
    make_recipients,
    make_segment,
    make_template,
)

pytestmark = pytest.mark.django_db

MAI = actor("mai", origin=Origin.WEB, user_id=5, ip="192.0.2.7")


def entries(kind: str = "", **given: Any) -> list[AuditEntry]:
    found = AuditEntry.objects.filter(**given).order_by("pk")
    return list(found.filter(kind=kind) if kind else found)


def by_mai() -> Any:
    return acting(lambda: MAI)


# --- who ----------------------------------------------------------------------------------------


def test_what_a_page_changes_is_the_doing_of_who_is_signed_in() -> None:
    campaign = make_campaign("Spring")
    client = superuser()
    form = client.get(f"/admin/recipients/mailinglist/{campaign.lists.get().pk}/change/")
    typed = {**form.context["adminform"].form.initial, "name": "Friends", "limited_to_users": []}
    typed = {name: value for name, value in typed.items() if value not in (None, False)}

    client.post(form.request["PATH_INFO"], {**typed, "_save": "x"}, REMOTE_ADDR="192.0.2.9")

    [entry] = entries("recipients.mailinglist", act="changed")
    assert (entry.actor, entry.origin, entry.ip) == ("root", Origin.WEB, "192.0.2.9")
    assert (entry.name, entry.before, entry.after) == (
        "Friends",
        {"name": "Readers"},
        {"name": "Friends"},
    )


def test_what_nobody_is_known_to_do_is_godwits_own() -> None:
    make_list("Readers")

    [entry] = entries("recipients.mailinglist")
    assert (entry.origin, entry.act, entry.ip, entry.user_id) == (
        Origin.ITSELF,
        "added",
        None,
        None,
    )


def test_a_public_page_is_nobodys_doing_though_staff_open_it() -> None:
    browser = superuser()

    browser.get("/account/login/")
    browser.post("/account/password/reset/", {"email": "nobody@example.org"})

    assert not entries(origin=Origin.WEB, act="changed")


@pytest.mark.django_db(transaction=True)
def test_a_statement_of_its_own_has_its_actor_and_leaves_none_behind() -> None:
    with by_mai():
        make_list("Mine")
    make_list("Its own")

    assert [entry.origin for entry in entries("recipients.mailinglist")] == ["web", "itself"]


def test_what_is_rolled_back_takes_its_actor_along_and_the_next_statement_has_one() -> None:
    with by_mai():
        with transaction.atomic():
            make_list("Not made")
            transaction.set_rollback(True)
        make_list("Made")

    assert [(e.name, e.actor) for e in entries("recipients.mailinglist")] == [("Made", "mai")]


@pytest.fixture
def commands() -> Iterator[None]:
    before = len(connection.execute_wrappers)
    yield
    del connection.execute_wrappers[before:]


@pytest.mark.parametrize(("name", "is_persons"), [("suppress", True), ("stress", False)])
def test_a_command_is_the_doing_of_who_is_logged_in_to_the_machine(
    commands: None, name: str, is_persons: bool
) -> None:
    begin_command(name)

    make_list()

    [entry] = entries("recipients.mailinglist")
    assert (entry.origin == Origin.COMMAND) == is_persons
    assert (entry.actor == f"{getpass.getuser()}: suppress") == is_persons


def test_what_a_command_imports_is_one_thing_and_not_each_row(commands: None) -> None:
    begin_command("import_recipients")

    make_recipient(lists=[make_list()])

    assert not entries("recipients.recipient")
    assert [entry.origin for entry in entries("recipients.mailinglist")] == [Origin.COMMAND]


def test_reading_costs_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make_list()

    with by_mai(), django_assert_num_queries(1):
        make_list()


# --- what ---------------------------------------------------------------------------------------


def test_parts_are_changes_of_the_whole() -> None:
    campaign = make_campaign("Spring", lists=[make_list("Readers")])
    donors = make_list("Donors")

    with by_mai():
        campaign.lists.add(donors)
        campaign.lists.remove(donors)

    gone, came = [
        (e.after, e.before) for e in entries("campaigns.campaign", actor="mai", act="changed")
    ][::-1]
    assert came == ({"mailinglist_id": donors.pk}, None)
    assert gone == (None, {"mailinglist_id": donors.pk})


def test_of_a_transport_the_log_knows_that_its_url_changed_and_not_to_what() -> None:
    secret = "smtp://user:hunter2@mail.example.org"
    transport = Transport.objects.create(name="Relay", encrypted_url="gAAAA-old")

    Transport.objects.filter(pk=transport.pk).update(encrypted_url=secret)

    [entry] = entries("campaigns.transport", act="changed")
    assert (entry.before, entry.after) == ({"encrypted_url": "…"}, {"encrypted_url": "…"})


def test_of_a_password_as_well() -> None:
    user = User.objects.create_user("mai")
    user.password = "md5$new"
    user.save()

    [entry] = entries("auth.user", act="changed")
    assert entry.after == {"password": "…"}


def test_a_long_text_is_cut_and_its_length_told() -> None:
    template = make_template(html="<p>a</p>")
    template.source = "<p>" + "b" * 2_000 + "</p>"
    template.save()

    [entry] = entries("templates_app.emailtemplate", act="changed")
    assert entry.after is not None
    assert entry.after["source"].endswith("… (2007 characters)")
    assert len(entry.after["source"]) < 400


def test_a_change_that_changes_nothing_is_no_entry() -> None:
    make_list("Readers").save()

    assert [entry.act for entry in entries("recipients.mailinglist")] == ["added"]


def test_of_a_run_its_states_alone() -> None:
    run = make_past_run(make_campaign())

    Run.objects.filter(pk=run.pk).update(audience=9, obstacle="a relay is away")
    Run.objects.filter(pk=run.pk).update(status=RunStatus.PAUSED)

    [entry] = entries("campaigns.run")
    assert entry.after is not None
    assert entry.after["status"] == "paused"


# --- people -------------------------------------------------------------------------------------


def test_of_recipients_only_peoples_acts_count() -> None:
    recipient = make_recipient("ada@example.org", lists=[make_list()])
    Recipient.objects.update(language="vi")
    with by_mai():
        Recipient.objects.update(language="de")
        Subscription.objects.update(state=SubscriptionState.UNSUBSCRIBED)

    [changed] = entries("recipients.recipient")
    [left] = entries("recipients.subscription")
    assert (changed.object_id, changed.after) == (str(recipient.pk), {"language": "de"})
    assert (left.before, left.after) == ({"state": "confirmed"}, {"state": "unsubscribed"})


def test_no_address_of_a_recipient_is_ever_in_it() -> None:
    with by_mai():
        recipient = make_recipient("ada@example.org", fields={"city": "Saigon"})
        Recipient.objects.update(address="ada@example.net", fields={"city": "Huế"})
        segment = make_segment()
        segment.rules = {"match": "all", "rules": [{"value": "ada@example.org"}]}
        segment.name = "Like ada@example.org"
        segment.save()
        privacy.erase(recipient.key, source="staff", now=timezone.now())

    kept = json.dumps(list(AuditEntry.objects.values("name", "before", "after")), default=str)
    assert "example.org" not in kept
    assert "example.net" not in kept
    assert "Saigon" not in kept
    assert any(e.act == "deleted" for e in entries("recipients.recipient"))


def test_addresses_of_senders_and_users_are() -> None:
    User.objects.create_user("mai", email="mai@example.org")

    [entry] = entries("auth.user")
    assert entry.after is not None
    assert entry.after["email"] == "mai@example.org"


@pytest.mark.django_db(transaction=True)
def test_of_many_the_first_twenty_are_told_and_then_how_many_more() -> None:
    make_recipients(30, mailing_list=make_list())
    tag = Tag.objects.create(name="Birds")

    with by_mai():
        add_tag(Recipient.objects.all(), tag)

    told = entries("recipients.tagging")
    assert [e.act for e in told] == ["added"] * 20 + ["and more"]
    assert told[-1].rows == 10


# --- signing in ---------------------------------------------------------------------------------


def test_who_signs_in_and_out_and_whose_password_was_wrong(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    User.objects.create_user("linh", "linh@example.org", password="flyway-of-the-godwit")
    client = Client(REMOTE_ADDR="203.0.113.5")

    for name, password in (
        ("linh", "wrong"),
        ("linh@example.org", "wrong"),
        ("hunter2", "typed into the wrong box"),
        ("linh", "flyway-of-the-godwit"),
    ):
        client.post("/account/login/", {"login": name, "password": password})
    client.post("/account/logout/")

    told = [
        (e.act, e.actor, e.ip)
        for e in entries()
        if e.act in {"failed to sign in", "signed in", "signed out"}
    ]
    assert told == [
        ("failed to sign in", "linh", "203.0.113.5"),
        ("failed to sign in", "linh", "203.0.113.5"),
        ("failed to sign in", "unknown", "203.0.113.5"),
        ("signed in", "linh", "203.0.113.5"),
        ("signed out", "linh", "203.0.113.5"),
    ]
    assert not AuditEntry.objects.filter(name__contains="hunter2").exists()


def test_addresses_of_networks_are_not_kept_where_they_are_not_wanted(settings: Settings) -> None:
    settings.AUDIT_IP = False

    superuser()
    client = Client(REMOTE_ADDR="203.0.113.6")
    client.post("/account/login/", {"login": "nobody", "password": "x"})

    assert not AuditEntry.objects.filter(ip__isnull=False).exists()


def test_what_changes_no_row_is_told_by_who_does_it() -> None:
    with by_mai():
        note("downloaded", kind="recipients.export", pk=3, name="Readers")

    [entry] = entries("recipients.export")
    assert (entry.actor, entry.act, entry.object_id) == ("mai", "downloaded", "3")


# --- append-only --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql", ["UPDATE accounts_auditentry SET actor = 'x'", "DELETE FROM accounts_auditentry"]
)
def test_nobody_changes_or_deletes_an_entry(sql: str) -> None:
    make_list()

    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(sql)


def test_it_cannot_be_emptied() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry ENABLE TRIGGER audit_no_truncate")
        with pytest.raises(DatabaseError, match="append-only"):
            cursor.execute("TRUNCATE accounts_auditentry")


def test_old_entries_are_forgotten_and_only_they(settings: Settings) -> None:
    settings.AUDIT_DAYS = 30
    make_list()
    [entry] = entries("recipients.mailinglist")

    audit.forget_old(now=entry.at + timedelta(days=30))
    was_there = entries("recipients.mailinglist")
    audit.forget_old(now=entry.at + timedelta(days=30, microseconds=1))

    assert was_there == [entry]
    assert not entries("recipients.mailinglist")


def test_for_ever_is_for_ever(settings: Settings) -> None:
    settings.AUDIT_DAYS = 0
    make_list()

    assert audit.forget_old(now=timezone.now() + timedelta(days=99_999)) == 0


def test_audit_origin_known() -> None:
    with pytest.raises(IntegrityError, match="audit_origin_known"):
        AuditEntry.objects.create(at=timezone.now(), actor="x", origin="moon", act="landed")


# --- the page -----------------------------------------------------------------------------------

PAGE = "/audit/"
MAY = "accounts.view_auditentry"


def test_the_page_says_who_changed_what_from_what_to_what() -> None:
    readers = make_list("Readers")
    with by_mai():
        readers.name = "Friends"
        readers.save()

    page = text(staff(MAY).get(PAGE, {"who": "mai"}))

    assert "mai Web page, 192.0.2.7" in page
    assert f"changed Mailing list {readers.pk} Friends" in page
    assert "name Readers Friends" in page


def test_the_page_says_what_is_called_how_and_not_its_number() -> None:
    user = User.objects.create_user("mai")
    user.groups.add(Group.objects.get(name="Viewer"))

    page = text(staff(MAY).get(PAGE, {"kind": "auth.user", "id": str(user.pk)}))

    assert "group_id Viewer" in page


def test_what_is_no_text_is_shown_as_it_is_stored() -> None:
    make_segment("Hanoi", city="Hanoi")

    page = text(staff(MAY).get(PAGE))

    assert '"value": "Hanoi"' in page


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"who": "mai"}, True),
        ({"who": "linh"}, False),
        ({"kind": "recipients.mailinglist"}, True),
        ({"kind": "campaigns.campaign"}, False),
        ({"origin": "web"}, True),
        ({"origin": "command"}, False),
        ({"since": "2000-01-01"}, True),
        ({"until": "2000-01-01"}, False),
    ],
)
def test_it_is_narrowed_by(asked: dict[str, str], found: bool) -> None:
    with by_mai():
        make_list("Readers")

    page = text(staff(MAY).get(PAGE, asked))

    assert ("Mailing list" in page) == found
    assert ("Nothing matches" in page) != found


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize("day", ["0001-01-01", "1999-12-31", "3000-01-01", "9999-12-31"])
def test_a_day_at_the_ends_of_the_calendar_is_refused(name: str, day: str) -> None:
    page = text(staff(MAY).get(PAGE, {name: day}))

    assert "This year is too far away." in page


def test_its_file_has_the_same_and_nothing_that_a_spreadsheet_runs() -> None:
    with by_mai():
        make_list("=1+1")

    answer: Any = staff(MAY).get("/audit/file/", {"kind": "recipients.mailinglist"})

    [head, row] = csv.reader(io.StringIO(b"".join(answer.streaming_content).decode()))
    told = dict(zip(head, row, strict=True))
    assert (told["actor"], told["kind"], told["name"]) == ("mai", "recipients.mailinglist", "'=1+1")


def test_what_cannot_be_looked_for_is_no_empty_file() -> None:
    answer = staff(MAY).get("/audit/file/", {"since": "yesterday"})

    assert (answer.status_code, answer["Content-Type"]) == (422, "text/html; charset=utf-8")
    assert "Since: Enter a valid date." in text(answer)
    assert not entries(act="downloaded")


def test_whoever_downloads_something_is_in_it(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    file, template, run = make_file(), make_template(), make_past_run(make_campaign())
    importing = jobs.begin(io.BytesIO(b"email\nx@example.org\n"), name="people.csv")
    pages = {
        f"/templates/{template.pk}/export/": ("templates_app.emailtemplate", template.pk),
        f"/media/{file.pk}/download/": ("templates_app.mediafile", file.pk),
        f"/imports/{importing.pk}/rejected.csv": ("recipients.import", importing.pk),
        f"/runs/{run.pk}/report/links/?format=csv": ("campaigns.run", run.pk),
        f"/campaigns/{run.campaign_id}/report/domains/?format=csv": (
            "campaigns.campaign",
            run.campaign_id,
        ),
        "/audit/file/": ("", 0),
    }
    root = superuser()

    for page, (kind, pk) in pages.items():
        answer = root.get(page)

        [entry] = entries(act="downloaded", kind=kind, object_id=str(pk))
        assert (answer.status_code, entry.actor) == (200, "root"), page


def test_the_history_of_a_thing_in_the_console_is_the_audit_log() -> None:
    readers = make_list("Readers")
    history = f"/admin/recipients/mailinglist/{readers.pk}/history/"

    answer = staff(MAY, "recipients.view_mailinglist").get(history)
    without = staff("recipients.view_mailinglist", name="without").get(history)

    assert answer["Location"] == f"/audit/?kind=recipients.mailinglist&id={readers.pk}"
    assert without.status_code == 200


def test_the_page_of_a_thing_leads_to_its_history() -> None:
    campaign, reader, segment = make_campaign(), make_recipient(), make_segment()
    run = make_past_run(campaign)
    transport = Transport.objects.create(name="Relay")
    pages = {
        f"/campaigns/{campaign.pk}/": campaign,
        f"/runs/{run.pk}/": run,
        f"/lists/{campaign.lists.get().pk}/": campaign.lists.get(),
        f"/segments/{segment.pk}/": segment,
        f"/recipients/{reader.pk}/": reader,
        f"/senders/{campaign.sender_id}/": campaign.sender,
        f"/transports/{transport.pk}/": transport,
        f"/templates/{campaign.template_id}/": campaign.template,
    }
    root = superuser()

    for page, thing in pages.items():
        link = f"/audit/?kind={thing._meta.label_lower}&amp;id={thing.pk}"

        assert f'href="{link}"' in root.get(page).content.decode(), page


def test_roles_that_are_given_are_in_it() -> None:
    user = User.objects.create_user("mai")
    group = Group.objects.get(name="Viewer")

    call_command("give_role", "mai", "viewer", stdout=io.StringIO())

    [entry] = entries("auth.user", act="changed")
    assert (entry.object_id, entry.after) == (str(user.pk), {"group_id": group.pk})


def test_the_log_is_stored_in_english_and_read_in_the_readers_language() -> None:
    make_list("Readers")
    client = superuser()

    page = text(client.get("/audit/", headers={"accept-language": "vi"}))

    assert "đã thêm" in page
    assert "added" in AuditEntry.objects.values_list("act", flat=True)

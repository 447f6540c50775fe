"""A whole installation in one file, and back: nothing is lost, and nothing goes out by itself."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from campaigns.models import Campaign, Instance
from campaigns.sending import instance
from campaigns.services import schedule
from config.accounts.models import SignedIn
from config.backup import archive, saving
from config.embedded.services import Services
from recipients.models import Recipient
from templates_app.media import storing
from tests import live
from tests.campaigns.sending.test_instance import on_the_server
from tests.e2e.apart import OWN, own_services
from tests.factories import (
    make_campaign,
    make_file,
    make_list,
    make_recipients,
    make_run,
    stored_in,
)
from tests.live import Live, wait_until
from tests.s3_server import S3Server
from tests.smtp_server import ScriptedSMTP

STATUS = "SELECT status FROM campaigns_run WHERE campaign_id = %s"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(disk: Path) -> Campaign:
    """A campaign with a file of the library, to three people."""
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    return make_campaign(lists=[readers], attachments=[make_file("Plan.pdf")])


@pytest.fixture
def other_database() -> Iterator[None]:
    """Work with another, empty database of the same server."""
    name = connection.settings_dict["NAME"]
    connection.close()
    on_the_server(f"DROP DATABASE IF EXISTS {name}_other WITH (FORCE)")
    on_the_server(f"CREATE DATABASE {name}_other")
    yield
    connection.close()
    connection.settings_dict["NAME"] = name
    on_the_server(f"DROP DATABASE {name}_other WITH (FORCE)")


def go_there() -> None:
    connection.close()
    connection.settings_dict["NAME"] += "_other"


def backup(target: Path, *arguments: str) -> str:
    said = io.StringIO()
    call_command("backup", str(target), *arguments, stdout=said, stderr=said)
    return said.getvalue()


def restore(source: Path, *arguments: str) -> str:
    said = io.StringIO()
    call_command("restore", str(source), *arguments, stdout=said, stderr=said)
    return said.getvalue()


def rewritten(source: Path, **changes: Any) -> Path:
    """Write a backup again with another manifest."""
    target = source.with_name("rewritten")
    with archive.reading(source) as old, archive.writing(target) as writer:
        for name in old.manifest.digests:
            writer.add(name, old.blocks(name))
        writer.finish(replace(old.manifest, **changes))
    return target


@contextmanager
def installation_of(state: Path, folder: Path, **variables: str) -> Iterator[Live]:
    foreign = {name: value for name, value in os.environ.items() if name not in OWN}
    environ = {**foreign, "GODWIT_STATE_DIR": str(state), **variables}
    with live.kept(Live(environ, folder)) as installation:
        yield installation


def run_status(services: Services, campaign: Campaign) -> str | None:
    database = services.home.database
    with psycopg.connect(
        host=database["HOST"], port=database["PORT"], user=database["USER"], dbname=database["NAME"]
    ) as server:
        found = server.execute(STATUS, [campaign.pk]).fetchone()
    return str(found[0]) if found else None


def test_a_restored_installation_mails_nobody_until_a_person_says_go(
    campaign: Campaign, disk: Path, smtp: ScriptedSMTP, settings: Settings, tmp_path: Path
) -> None:
    instance.differences()
    under_way = make_run(make_campaign("Under way", lists=[make_list()])).campaign
    schedule(campaign, now=timezone.now(), at=timezone.now())
    backup(tmp_path / "all.backup")
    variables = {
        "SECRET_KEY": settings.SECRET_KEY,
        "ADDRESS_KEY": settings.ADDRESS_KEY,
        "TOKEN_KEYS": ",".join(settings.TOKEN_KEYS),
        "INSTANCE_ID": settings.INSTANCE_ID,
        "EMAIL_URL": smtp.url,
    }
    with own_services() as services:
        with installation_of(services.home.path, tmp_path, **variables) as there:
            there.manage("restore", str(tmp_path / "all.backup"))
            there.worker(with_beat=True)

            wait_until(lambda: run_status(services, under_way) == "held", "it is held")
            before = list(smtp.messages)
            there.manage("confirm_instance", "--yes")
            wait_until(lambda: run_status(services, campaign) == "held", "what was due is held")
            both = (under_way, campaign)
            there.manage_all(*(("resume_campaign", str(one.pk)) for one in both))
            wait_until(lambda: len(smtp.messages) == 6, "everybody is mailed")
        files = stored_in(services.home.path / "files" / "library")
        copies = [file.read_bytes() for file in files]

    assert before == []
    assert sum(b"Plan.pdf" in message.data for message in smtp.messages) == 3
    assert copies == [file.read_bytes() for file in stored_in(disk)]


def test_each_row_is_there_again(campaign: Campaign, other_database: None, tmp_path: Path) -> None:
    instance.differences()
    expected = saving.rows()
    backup(tmp_path / "all.backup")

    go_there()
    said = restore(tmp_path / "all.backup")

    assert saving.rows() == expected
    assert Campaign.objects.get().name == campaign.name
    assert Instance.objects.get().place == "restored"
    assert "confirm_instance" in said


def test_nobody_is_signed_in_after_it(other_database: None, tmp_path: Path) -> None:
    user = User.objects.create(username="mai")
    later = timezone.now() + timedelta(days=1)
    Session.objects.create(session_key="open", expire_date=later)
    SignedIn.objects.create(
        user=user, digest=b"d" * 32, created_at=timezone.now(), expires_at=later
    )
    backup(tmp_path / "all.backup")

    go_there()
    restore(tmp_path / "all.backup")

    assert User.objects.get() == user
    assert not Session.objects.exists()
    assert not SignedIn.objects.exists()


def test_the_file_is_its_owners_alone_and_has_no_key_in_it(
    campaign: Campaign, settings: Settings, tmp_path: Path
) -> None:
    backup(tmp_path / "all.backup")

    content = (tmp_path / "all.backup").read_bytes()
    assert (tmp_path / "all.backup").stat().st_mode & 0o077 == 0
    for key in (settings.SECRET_KEY, settings.ADDRESS_KEY, *settings.TOKEN_KEYS):
        assert key.encode() not in content


def test_a_directory_gets_a_file_that_is_named_by_the_time(
    campaign: Campaign, tmp_path: Path
) -> None:
    (tmp_path / "backups").mkdir()

    backup(tmp_path / "backups")

    [made] = (tmp_path / "backups").iterdir()
    assert made.name.startswith("godwit-2")


def test_a_file_that_is_there_is_not_written_over(campaign: Campaign, tmp_path: Path) -> None:
    (tmp_path / "all.backup").write_text("older")

    with pytest.raises(CommandError, match="is there already"):
        backup(tmp_path / "all.backup")

    assert (tmp_path / "all.backup").read_text() == "older"


def test_a_backup_that_fails_midway_leaves_no_half_file(campaign: Campaign, tmp_path: Path) -> None:
    programs, backups = tmp_path / "bin", tmp_path / "backups"
    programs.mkdir()
    backups.mkdir()
    (programs / "pg_dump").write_text("#!/bin/sh\necho half\necho no space >&2\nexit 1\n")
    (programs / "pg_dump").chmod(0o755)

    with pytest.raises(CommandError, match="pg_dump failed: no space"):
        backup(backups / "all.backup", "--bin", str(programs))

    assert list(backups.iterdir()) == []


def test_a_file_that_the_library_has_lost_is_named_by_both(
    campaign: Campaign, disk: Path, other_database: None, tmp_path: Path
) -> None:
    [file] = stored_in(disk)
    file.unlink()

    told = backup(tmp_path / "all.backup")
    go_there()
    told_again = restore(tmp_path / "all.backup")

    assert f"has lost {file.relative_to(disk)}" in told
    assert f"had lost {file.relative_to(disk)}" in told_again


def test_a_library_in_a_bucket_is_saved_and_put_back_like_one_on_a_disk(
    s3: S3Server, other_database: None, tmp_path: Path
) -> None:
    blob = make_file("Plan.pdf").blob
    backup(tmp_path / "all.backup")
    s3.empty()

    go_there()
    said = restore(tmp_path / "all.backup")

    assert "1 files" in said
    assert storing.read(blob)


def test_only_files_that_are_other_or_missing_are_written(
    campaign: Campaign, disk: Path, other_database: None, tmp_path: Path
) -> None:
    make_file("Other.pdf", b"%PDF-1.7\nother\n%%EOF\n")
    expected = {file: file.read_bytes() for file in stored_in(disk)}
    backup(tmp_path / "all.backup")
    next(iter(expected)).write_bytes(b"damaged")

    go_there()
    said = restore(tmp_path / "all.backup")

    assert "1 files" in said
    assert {file: file.read_bytes() for file in stored_in(disk)} == expected


def cut_off(content: bytes) -> bytes:
    return content[: len(content) // 2]


def one_byte_is_another(content: bytes) -> bytes:
    place = content.index(b"PGDMP") + 4_000
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("harm", [cut_off, one_byte_is_another])
def test_a_damaged_backup_is_refused_before_anything_is_touched(
    harm: Any, campaign: Campaign, disk: Path, tmp_path: Path
) -> None:
    backup(tmp_path / "all.backup")
    (tmp_path / "all.backup").write_bytes(harm((tmp_path / "all.backup").read_bytes()))
    [file] = stored_in(disk)
    file.unlink()

    with pytest.raises(CommandError, match=r"no whole backup|damaged"):
        restore(tmp_path / "all.backup", "--overwrite")

    assert Recipient.objects.count() == 3
    assert stored_in(disk) == []


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")

    with pytest.raises(CommandError, match="no whole backup"):
        restore(tmp_path / "text")
    with pytest.raises(CommandError, match="cannot be read"):
        restore(tmp_path / "nothing")


def test_a_backup_of_another_format_or_a_newer_release_is_refused(
    campaign: Campaign, tmp_path: Path
) -> None:
    backup(tmp_path / "all.backup")

    with pytest.raises(CommandError, match="format 2; this release reads 1"):
        restore(rewritten(tmp_path / "all.backup", format=2), "--check")
    (tmp_path / "rewritten").unlink()
    with pytest.raises(CommandError, match=r"campaigns\.9999_later is not known here"):
        restore(rewritten(tmp_path / "all.backup", migrations=["campaigns.9999_later"]), "--check")


def test_a_database_with_content_is_written_over_only_where_it_is_said(
    campaign: Campaign, other_database: None, tmp_path: Path
) -> None:
    backup(tmp_path / "all.backup")
    go_there()
    restore(tmp_path / "all.backup")
    make_recipients(1, mailing_list=make_list("Later"), prefix="later")

    with pytest.raises(CommandError, match="has content; --overwrite gives it up"):
        restore(tmp_path / "all.backup")
    before = Recipient.objects.count()
    restore(tmp_path / "all.backup", "--overwrite")

    assert (before, Recipient.objects.count()) == (4, 3)


def test_a_restore_that_fails_leaves_the_database_as_it_was(
    campaign: Campaign, other_database: None, tmp_path: Path
) -> None:
    backup(tmp_path / "all.backup")
    go_there()
    restore(tmp_path / "all.backup")
    make_recipients(1, mailing_list=make_list("Later"), prefix="later")
    wrong = rewritten(tmp_path / "all.backup", rows={"recipients_recipient": 7})

    with pytest.raises(CommandError, match="other rows than were saved, in recipients_recipient"):
        restore(wrong, "--overwrite")

    assert Recipient.objects.count() == 4


def test_what_a_killed_restore_left_is_no_obstacle(
    campaign: Campaign, other_database: None, tmp_path: Path
) -> None:
    backup(tmp_path / "all.backup")
    go_there()
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA before_restore; CREATE TABLE half (id int)")

    restore(tmp_path / "all.backup", "--overwrite")

    assert Recipient.objects.count() == 3
    assert "half" not in saving.rows()


def test_nobody_else_may_be_at_work_with_the_database(
    campaign: Campaign, other_database: None, tmp_path: Path
) -> None:
    backup(tmp_path / "all.backup")
    go_there()
    there: dict[str, Any] = connection.settings_dict
    other = psycopg.connect(
        host=there["HOST"],
        port=there["PORT"] or None,
        user=there["USER"],
        password=there["PASSWORD"] or None,
        dbname=there["NAME"],
    )

    with other, pytest.raises(CommandError, match="stop web, workers and Beat first"):
        restore(tmp_path / "all.backup")

    assert connection.introspection.table_names() == []


@pytest.mark.parametrize("name", ["SECRET_KEY", "ADDRESS_KEY", "TOKEN_KEYS"])
def test_without_the_keys_it_was_made_with_it_is_restored_only_where_it_is_said(
    name: str, campaign: Campaign, other_database: None, settings: Settings, tmp_path: Path
) -> None:
    backup(tmp_path / "all.backup")
    go_there()
    other = "another-key-of-more-than-32-characters"
    setattr(settings, name, (other,) if name == "TOKEN_KEYS" else other)

    with pytest.raises(CommandError, match="set the keys that the backup was made with"):
        restore(tmp_path / "all.backup")
    said = restore(tmp_path / "all.backup", "--other-keys")

    assert f"{name} is another one" in said


def test_a_key_that_is_kept_as_an_earlier_one_is_enough(
    campaign: Campaign, settings: Settings, tmp_path: Path
) -> None:
    backup(tmp_path / "all.backup")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-of-more-than-32-characters"
    settings.SITE_URL = "https://other.example.org"

    said = restore(tmp_path / "all.backup", "--check")

    assert "is another one" not in said
    assert "SITE_URL was http://localhost:8000, and is https://other.example.org here" in said
    assert "nothing was touched" in said

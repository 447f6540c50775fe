"""A new SECRET_KEY for what the old one has encrypted."""

import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from campaigns import dkim_keys, secrets
from campaigns.models import Transport
from campaigns.sending.dkim import Algorithm
from campaigns.sending.signing import keys_of
from campaigns.views.transports import url_set_at
from config import rotation
from config.accounts.models import AuditEntry
from tests.config.accounts.test_signing_in import make_totp, make_user
from tests.live import ROOT, _servers, wait_until

URL = "smtp://anna:hunter2@relay.example:2525"
NEW = "n" * 50


@pytest.fixture
def old(settings: Settings) -> str:
    settings.SECRET_KEY_FALLBACKS = []
    return str(settings.SECRET_KEY)


def renew(settings: Settings, old: str) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [old]


def rotate(*options: str) -> str:
    output = io.StringIO()
    call_command("rotate_keys", *options, stdout=output, stderr=output)
    return output.getvalue()


def make_transport(name: str) -> Transport:
    return Transport.objects.create(name=name, encrypted_url=secrets.encrypt(URL))


def encrypted_with(key: str, settings: Settings) -> int:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, []
    return rotation.look().current


@pytest.mark.django_db
def test_everything_is_readable_without_the_old_key_when_it_was_rotated(
    old: str, settings: Settings
) -> None:
    make_transport("Relay")
    dkim_keys.create("example.org", selector="s1", algorithm=Algorithm.RSA)
    dkim_keys.activate("example.org", selector="s1")
    user = make_user()
    secret = make_totp(user)
    codes = RecoveryCodes(Authenticator.objects.get(type="recovery_codes")).generate_codes()
    renew(settings, old)

    said = rotate()

    settings.SECRET_KEY_FALLBACKS = []
    assert said.splitlines()[0] == "encrypted anew: 4"
    assert secrets.decrypt(Transport.objects.get().encrypted_url) == URL
    assert [key.selector for key in keys_of("example.org")] == ["s1"]
    factor = TOTP(Authenticator.objects.get(type="totp"))
    assert secrets.decrypt(factor.instance.data["secret"]) == secret
    recovery = Authenticator.objects.get(type="recovery_codes")
    assert RecoveryCodes(recovery).generate_codes() == codes
    assert recovery.data["used_mask"] == 0


def test_every_column_that_is_encrypted_is_rotated() -> None:
    names = {
        (model.__name__, column.name)
        for model in apps.get_models()
        for column in model._meta.get_fields()
        if column.name.startswith("encrypted_")
    }

    rotated = {(rows.model.__name__, column) for rows, column in rotation.COLUMNS}

    assert rotated == names | {("Authenticator", "data")}


@pytest.mark.django_db
def test_codes_of_another_kind_are_rotated_one_by_one(old: str, settings: Settings) -> None:
    codes = [secrets.encrypt("111111"), secrets.encrypt("222222")]
    factor = Authenticator.objects.create(
        user=make_user(), type="recovery_codes", data={"migrated_codes": codes}
    )
    renew(settings, old)

    rotate()

    settings.SECRET_KEY_FALLBACKS = []
    factor.refresh_from_db()
    assert RecoveryCodes(factor).generate_codes() == ["111111", "222222"]


@pytest.mark.django_db
def test_to_check_changes_nothing_and_fails_while_an_old_key_is_needed(
    old: str, settings: Settings
) -> None:
    before = make_transport("Relay").encrypted_url
    renew(settings, old)

    with pytest.raises(CommandError, match="with SECRET_KEY: 0, with earlier keys: 1, with oth"):
        rotate("--check")
    unchanged = Transport.objects.get().encrypted_url == before
    rotate()

    assert unchanged
    assert "All 1 are encrypted with SECRET_KEY" in rotate("--check")


@pytest.mark.django_db
def test_what_no_key_can_read_is_named_and_left_as_it_is(old: str, settings: Settings) -> None:
    Transport.objects.create(name="Lost", encrypted_url="gAAAAunreadable")
    make_transport("Relay")
    renew(settings, old)
    output = io.StringIO()

    with pytest.raises(CommandError, match="with SECRET_KEY: 1, with earlier keys: 0, with oth"):
        call_command("rotate_keys", stdout=output, stderr=output)

    assert "transport Lost: no key that is set can read it" in output.getvalue()
    assert Transport.objects.get(name="Lost").encrypted_url == "gAAAAunreadable"


@pytest.mark.django_db
def test_the_moment_when_a_url_was_set_stays_and_the_log_says_that_it_was_touched(
    old: str, settings: Settings
) -> None:
    transport = make_transport("Relay")
    token = secrets._box()._fernets[0].encrypt_at_time(URL.encode(), 1_700_000_000).decode()
    Transport.objects.update(encrypted_url=token)
    before = AuditEntry.objects.latest("pk").pk
    renew(settings, old)

    rotate()

    transport.refresh_from_db()
    assert url_set_at(transport) == datetime.fromtimestamp(1_700_000_000, tz=UTC)
    assert AuditEntry.objects.get(pk__gt=before).after == {"encrypted_url": "…"}


@pytest.mark.django_db
def test_who_is_signed_in_stays_so_when_the_old_key_is_gone(
    old: str, settings: Settings, client: Client
) -> None:
    client.force_login(make_user(is_superuser=True))
    renew(settings, old)
    client.get("/")  # from now on the session is the new key's
    settings.SECRET_KEY_FALLBACKS = []

    assert client.get("/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_rotation_that_is_killed_in_its_midst_is_finished_by_the_next_one(
    old: str, settings: Settings
) -> None:
    transports = [make_transport(f"Relay {number}") for number in range(4)]
    environ = {**os.environ, **_servers(), "SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": old}
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(
            "SELECT FROM campaigns_transport WHERE id = %s FOR UPDATE", [transports[2].pk]
        )
        command = subprocess.Popen(
            [sys.executable, "manage.py", "rotate_keys"], cwd=ROOT, env=environ
        )
        wait_until(someone_waits, "the command waits for the third row")
        command.send_signal(signal.SIGKILL)  # before it could commit this row
        command.wait()
    wait_until(lambda: not someone_waits(), "the server has seen that it is gone")
    midst = (encrypted_with(NEW, settings), encrypted_with(old, settings))
    renew(settings, old)
    readable = [secrets.decrypt(each.encrypted_url) for each in Transport.objects.all()]

    rotate()

    assert midst == (2, 2)
    assert readable == [URL] * 4
    assert encrypted_with(NEW, settings) == 4


def someone_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE 'UPDATE \"campaigns_transport\"%'"
        )
        row: Any = cursor.fetchone()
    return bool(row[0])

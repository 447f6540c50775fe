"""A database that was restored or copied: nothing goes out until a person says so."""

import io
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import redis
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from campaigns import reasons, tasks
from campaigns.models import Instance, Run
from campaigns.sending import instance
from campaigns.services import resume, schedule
from config.embedded import postgresql
from tests.console import superuser, text
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tests.smtp_server import ScriptedSMTP
from tracking.models import Delivery

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    instance._last.looked_at = -instance.LOOK_AGAIN
    yield
    instance._last.looked_at = -instance.LOOK_AGAIN


def look_again() -> str | None:
    instance._last.looked_at = -instance.LOOK_AGAIN
    return instance.check()


def move_elsewhere() -> None:
    """As a restore does: the rows are the same, the place is another."""
    Instance.objects.update(place="1.2")


def on_the_server(statement: str) -> None:
    database: dict[str, Any] = connection.settings_dict
    with psycopg.connect(
        host=database["HOST"],
        port=database["PORT"] or None,
        user=database["USER"],
        password=database["PASSWORD"] or None,
        dbname="postgres",
        autocommit=True,
    ) as server:
        server.execute(statement)


def copy_within_the_server(name: str, copy: str) -> None:
    # PostgreSQL wants nobody else in it, and a server of an earlier test may have kept a session.
    on_the_server(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    on_the_server(f"CREATE DATABASE {copy} TEMPLATE {name}")


def dump_and_restore(name: str, copy: str) -> None:
    binaries = postgresql._site_packages() / postgresql.INSTALLATION / "bin"
    database: dict[str, Any] = connection.settings_dict
    who = ["--host", database["HOST"], "--username", database["USER"]]
    who += ["--port", str(database["PORT"] or 5432)]
    environ = {**os.environ, "PGPASSWORD": database["PASSWORD"]}
    on_the_server(f"CREATE DATABASE {copy}")
    dump = subprocess.run(
        [binaries / "pg_dump", *who, "--format=custom", name],
        env=environ,
        capture_output=True,
        check=True,
    ).stdout
    subprocess.run(
        [binaries / "pg_restore", *who, "--no-owner", f"--dbname={copy}"],
        env=environ,
        input=dump,
        check=True,
    )


@contextmanager
def working_with_a_copy(make: Callable[[str, str], None]) -> Iterator[None]:
    name = connection.settings_dict["NAME"]
    copy = f"{name}_copy"
    connection.close()
    try:
        make(name, copy)
        connection.settings_dict["NAME"] = copy
        look_again()
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name
        on_the_server(f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)")


@pytest.fixture
def run(settings: Settings, smtp: ScriptedSMTP) -> Run:
    settings.EMAIL_URL = smtp.url
    readers = make_list()
    make_recipients(2, mailing_list=readers)
    return make_run(make_campaign(lists=[readers]))


def test_an_empty_database_belongs_to_who_comes_first() -> None:
    assert instance.check() is None
    assert Instance.objects.count() == 1


def test_a_database_of_another_installation_is_recognised(settings: Settings) -> None:
    instance.check()
    settings.INSTANCE_ID = "another"

    assert look_again() == reasons.RESTORED
    assert instance.differences() == [
        "INSTANCE_ID is another one: it belongs to another installation"
    ]


@pytest.mark.django_db(transaction=True)
def test_a_copy_within_the_server_lies_elsewhere() -> None:
    instance.check()
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT place FROM campaigns_instance")
        [here] = cursor.fetchone()
        cursor.execute("SELECT oid::text FROM pg_database WHERE datname = %s", [name])
        [database] = cursor.fetchone()

    assert here.startswith(f"{database}.")


def test_a_database_that_was_restored_or_copied_sends_nothing(
    run: Run, smtp: ScriptedSMTP, broker: redis.Redis
) -> None:
    instance.check()
    move_elsewhere()
    look_again()
    later = schedule(
        make_campaign("Due", lists=[make_list()]), now=timezone.now(), at=timezone.now()
    )

    # A message that was copied along with the broker comes before the first tick.
    ids = list(Delivery.objects.values_list("pk", flat=True))
    counts = tasks.deliver_chunk(run.pk, ids)
    tasks.tick()

    run.refresh_from_db()
    assert counts == {"held": 2}
    assert (run.status, run.held_reason) == ("held", reasons.RESTORED)
    assert later.runs.count() == 0
    assert smtp.messages == []
    assert "Nothing goes out" in text(superuser().get("/"))


def test_once_a_person_has_said_so_it_goes_on(
    run: Run, smtp: ScriptedSMTP, broker: redis.Redis
) -> None:
    instance.check()
    move_elsewhere()
    look_again()
    tasks.tick()
    output = io.StringIO()

    with pytest.raises(CommandError, match="nothing goes out"):
        call_command("confirm_instance", stdout=output)
    call_command("confirm_instance", "--yes", stdout=output)
    resume(run.campaign, now=timezone.now())
    tasks.deliver_chunk(run.pk, list(Delivery.objects.values_list("pk", flat=True)))

    assert "restored, or is a copy" in output.getvalue()
    assert "wait for resume_campaign: 1" in output.getvalue()
    assert len(smtp.messages) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("make", [copy_within_the_server, dump_and_restore])
def test_a_real_copy_is_held_until_a_person_confirms_it(
    make: Callable[[str, str], None], run: Run, smtp: ScriptedSMTP, broker: redis.Redis
) -> None:
    instance.check()
    ids = list(Delivery.objects.values_list("pk", flat=True))

    with working_with_a_copy(make):
        at_once = tasks.deliver_chunk(run.pk, ids)
        tasks.tick()
        held = Run.objects.get()
        sent_before = len(smtp.messages)
        call_command("confirm_instance", "--yes", stdout=io.StringIO())
        resume(held.campaign, now=timezone.now())
        tasks.deliver_chunk(run.pk, ids)
    run.refresh_from_db()

    assert at_once == {"held": 2}
    assert (held.status, held.held_reason) == ("held", reasons.RESTORED)
    assert sent_before == 0
    assert len(smtp.messages) == 2
    assert run.status == "sending"
    assert look_again() is None


def test_who_confirms_before_anything_was_started_has_its_runs_held_as_well(run: Run) -> None:
    instance.check()
    move_elsewhere()
    schedule(make_campaign("Due", lists=[make_list()]), now=timezone.now(), at=timezone.now())
    output = io.StringIO()

    call_command("confirm_instance", "--yes", stdout=output)

    run.refresh_from_db()
    assert (run.status, run.held_reason) == ("held", reasons.RESTORED)
    assert "wait for resume_campaign: 1" in output.getvalue()
    assert "which will be held, too: 1" in output.getvalue()


def test_there_is_nothing_to_confirm_where_nothing_changed() -> None:
    output = io.StringIO()

    call_command("confirm_instance", stdout=output)

    assert output.getvalue() == "this database is this installation's already\n"


def test_the_table_has_one_row() -> None:
    with pytest.raises(IntegrityError, match="instance_only_one"):
        Instance.objects.create(id=2, place="1.2")

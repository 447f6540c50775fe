"""What holds for the project as a whole."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command, get_commands, load_command_class

APPS = ("recipients", "templates_app", "tracking", "campaigns", "accounts")
TESTS = Path(__file__).parent
CONSTRAINTS = [
    constraint.name
    for app in APPS
    for model in apps.get_app_config(app).get_models()
    for constraint in model._meta.constraints
]
COMMANDS = sorted(name for name, app in get_commands().items() if app in {*APPS, "config"})


@pytest.fixture(scope="module")
def others() -> str:
    """All tests but these."""
    files = (path for path in TESTS.rglob("test_*.py") if path.name != Path(__file__).name)
    return "".join(path.read_text() for path in files)


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_every_constraint_has_a_test_that_names_it(name: str, others: str) -> None:
    assert name in others


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    command = load_command_class(get_commands()[name], name)

    assert command.help.endswith(".")


@pytest.mark.django_db
def test_no_migration_is_pending() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_an_installation_behind_https_is_deployed_as_django_wants_it() -> None:
    check = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    environ = {**os.environ, "SITE_URL": "https://news.example.org"}
    environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # what the tests with a browser have set

    done = subprocess.run(check, cwd=TESTS.parent, env=environ, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_what_was_imported_is_not_looked_through_again_and_all_else_is() -> None:
    assert gc.get_freeze_count() > 100_000
    assert gc.isenabled()

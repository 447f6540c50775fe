from argparse import ArgumentParser
from io import StringIO
from pathlib import Path

from django.core.management import call_command, get_commands

from config.api.access import OPERATIONS, ROOT
from config.management.commands.write_reference import our_apps
from config.reference import commands, operations, site
from config.reference.text import table


def test_every_command_of_ours_is_in_the_reference_with_every_option() -> None:
    page = commands.page(our_apps())

    named = [line[4:-1] for line in page.splitlines() if line.startswith("## `")]
    assert named == sorted(name for name, app in get_commands().items() if app in our_apps())
    assert "| `ID` | the campaign's id |" in page
    assert "| `--patience SECONDS` | how long workers have to answer (default: 2) |" in page


def test_options_that_every_command_has_are_said_once() -> None:
    page = commands.page(our_apps())

    assert "`--pythonpath" not in page


def test_an_argument_that_is_needed_and_a_default_are_told() -> None:
    parser = ArgumentParser()
    needed = parser.add_argument("--to", required=True, choices=["a", "b"], help="where to")
    with_default = parser.add_argument("--size", default=7, help="how large")
    switch = parser.add_argument("--fast", action="store_true", help="at once")

    called = [commands._called(action) for action in (needed, with_default, switch)]
    meant = [commands._meaning(action, parser) for action in (needed, with_default, switch)]

    assert called == ["--to {a,b}", "--size SIZE", "--fast"]
    assert meant == ["where to (required)", "how large (default: 7)", "at once"]


def test_every_operation_of_the_api_is_in_the_reference(tmp_path: Path) -> None:
    call_command("write_reference", str(tmp_path / "new"), stdout=StringIO())

    page = (tmp_path / "new" / "api.md").read_text()
    named = {line[5:-1] for line in page.splitlines() if line.startswith("### `")}
    assert named >= {name.replace(" /", f" /{ROOT}") for name in OPERATIONS}
    assert (tmp_path / "new" / "commands.md").exists()


def test_a_type_is_said_in_a_few_words() -> None:
    either = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}

    assert operations.kind(either) == "string (date-time) or null"
    assert operations.kind({"enum": ["", "yes"]}) == "nothing or `yes`"
    assert operations.kind({"type": "array", "items": {"$ref": "#/c/Problem"}}) == (
        "array of [Problem](#problem)"
    )


def test_a_pipe_stays_in_its_cell() -> None:
    rows = table(("a", "b"), [("x|y", "one\ntwo")])

    assert rows == ["| a | b |", "|---|---|", "| x&#124;y | one two |", ""]


def test_a_pipe_in_code_loses_its_backslash_in_tables_alone() -> None:
    markdown = "| `a \\| b` | c \\| d |\n\n`e \\| f`\n"

    assert site.on_page_markdown(markdown) == "| `a | b` | c \\| d |\n\n`e \\| f`\n"

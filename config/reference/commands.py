"""The reference of commands, read from their parsers."""

from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Iterable

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from config.reference.text import code, table


def page(apps: Iterable[str]) -> str:
    """Return all commands of these apps as a page of Markdown."""
    ours = set(apps)
    names = sorted(name for name, app in get_commands().items() if app in ours)
    lines = [
        "# Commands",
        "",
        "Made of the commands' own help. Each is called as `python manage.py COMMAND` (from a",
        "clone: `.venv/bin/python manage.py COMMAND`) and takes `--help` and Django's own",
        "`--verbosity`, `--traceback` and `--settings` as well. What they are for:",
        "[Operations](../operations.md#commands).",
        "",
    ]
    for name in names:
        lines += _command(name)
    return "\n".join(lines).rstrip() + "\n"


def _command(name: str) -> list[str]:
    command = load_command_class(get_commands()[name], name)
    parser = command.create_parser("manage.py", name)
    rows = [
        (code(_called(action)), _meaning(action, parser))
        for action in parser._actions  # noqa: SLF001  (argparse tells them in no other way)
        if action.help != SUPPRESS and not set(action.option_strings) & _common()
    ]
    return [f"## `{name}`", "", command.help, "", *table(("argument", "meaning"), rows)]


def _common() -> set[str]:
    parser = BaseCommand().create_parser("manage.py", "any")
    return {option for action in parser._actions for option in action.option_strings}  # noqa: SLF001


def _called(action: Action) -> str:
    value = "" if action.nargs == 0 else _value(action)
    names = ", ".join(action.option_strings)
    return f"{names} {value}".strip()


def _value(action: Action) -> str:
    if action.metavar:
        return action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar)
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper()


def _meaning(action: Action, parser: ArgumentParser) -> str:
    said = (action.help or "") % {**vars(action), "prog": parser.prog}
    if action.option_strings and action.required:
        return f"{said} (required)"
    if action.nargs == 0 or action.default in (None, SUPPRESS, []) or "default" in said:
        return said
    return f"{said} (default: {action.default})"

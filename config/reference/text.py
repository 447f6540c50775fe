"""Markdown, of what may hold anything."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table, and none where it has no rows."""
    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    if not lines:
        return []
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines, ""]


def cell(value: str) -> str:
    return " ".join(value.split()).replace("|", "&#124;").replace("<", "&lt;")


def code(value: str) -> str:
    """Return a value as HTML's code: between backticks a table cannot hold everything."""
    return f"`{value}`" if not set(value) & set("`|<") else f"**{value}**"

"""Rules as tests write them, asked of the database."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection

from recipients.segments.compiling import compile_rules

NOW = datetime(2026, 12, 4, 12, tzinfo=UTC)


def rule(about: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"about": about, "operator": operator, "value": value}


def group(match: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"match": match, "rules": list(rules)}


def every(*rules: dict[str, Any]) -> dict[str, Any]:
    return group("all", *rules)


def found(*rules: dict[str, Any], now: datetime = NOW) -> list[str]:
    """Return who answers to all of the rules: what stands before the @ of their addresses."""
    condition = compile_rules(every(*rules), now=now)
    sql = f"SELECT key FROM recipients_recipient recipient WHERE {condition.sql} ORDER BY key"
    with connection.cursor() as cursor:
        cursor.execute(sql, condition.params)
        return [key.partition("@")[0] for (key,) in cursor.fetchall()]

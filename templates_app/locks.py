"""Who changes what many templates use has it alone; who saves a template sees it unchanged.

So are files of the library deleted and renamed.

A snippet would else be judged by the templates of a moment ago: one that is saved meanwhile, with
HTML that is not sanitised, would get what its author has never seen.
"""

from django.db import connection

_KEY = "hashtextextended('templates_app.pieces', 0)"


def changing_pieces() -> None:
    """Let nobody save a template, a snippet or a layout to the end of this transaction."""
    _take("pg_advisory_xact_lock")


def using_pieces() -> None:
    """Keep snippets and layouts as they are to the end of this transaction."""
    _take("pg_advisory_xact_lock_shared")


def _take(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}({_KEY})")

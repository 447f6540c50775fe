"""The database as it was before a test: what has rows is emptied, and nothing else is touched."""

from django.db import connection

# What the migrations write.
KEPT = {
    "accounts_givenpermission",
    "auth_group",
    "auth_group_permissions",
    "auth_permission",
    "django_content_type",
    "django_migrations",
}


def empty() -> None:
    """Empty the tables, and close the connection: Playwright's loop had Django open one more."""
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True)) - KEPT)
    with connection.cursor() as cursor:
        asked = (f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in tables)
        cursor.execute(" UNION ALL ".join(asked))
        if filled := [name for (name,) in cursor.fetchall()]:
            names = ", ".join(f'"{name}"' for name in filled)
            cursor.execute(f"TRUNCATE {names} CASCADE")
    connection.close()

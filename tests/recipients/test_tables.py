import pytest
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from recipients.tables import TablesAtOnce


def statements(kind: type[Migration]) -> list[str]:
    """Return what our first migration says to the database when it is one of that kind."""
    loader = MigrationLoader(connection)
    migration = loader.get_migration("recipients", "0001_initial")
    state = loader.project_state(("recipients", "0001_initial"), at_end=False)
    with connection.schema_editor(collect_sql=True, atomic=False) as editor:
        kind.apply(migration, state, editor)
    return list(map(str, editor.collected_sql))


@pytest.mark.django_db
def test_tables_that_are_made_at_once_are_those_that_are_made_one_by_one() -> None:
    at_once = statements(TablesAtOnce)

    assert sum(each.startswith("CREATE TABLE") for each in at_once) > 20
    assert at_once == statements(Migration)

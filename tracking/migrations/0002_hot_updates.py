from typing import Any

from django.db import migrations

# Every delivery and its TaskResult are written three times: queued, claimed, concluded. Where no
# index holds what changes and the page has room, PostgreSQL writes the new version beside the old
# one and leaves all indexes alone (HOT updates): less than half the time and the WAL.
_ROOM = """
ALTER TABLE tracking_delivery SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE django_celery_results_taskresult
  SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE tracking_activity SET (fillfactor = 70);
"""

# Indexes of django-celery-results that no query uses: on what changes (status, date_done), and on
# what would be the same in all rows, or is found by the unique index on task_id as well. By the
# columns, because their names end in a hash.
_DROP = """
DO $$
DECLARE found record;
BEGIN
  FOR found IN
    SELECT index.indexrelid::regclass AS name
      FROM pg_index index
      JOIN pg_class relation ON relation.oid = index.indexrelid
      JOIN pg_attribute attribute
        ON attribute.attrelid = index.indrelid AND attribute.attnum = index.indkey[0]
     WHERE index.indrelid = 'django_celery_results_taskresult'::regclass
       AND NOT index.indisunique
       AND (attribute.attname IN ('status', 'date_done', 'worker', 'task_name', 'periodic_task_name')
            OR relation.relname LIKE '%_like')
  LOOP
    EXECUTE 'DROP INDEX ' || found.name;
  END LOOP;
END $$
"""


class Migration(migrations.Migration):
    dependencies: list[Any] = [
        ("tracking", "0001_initial"),
        ("django_celery_results", "0014_alter_taskresult_status"),
    ]
    operations: list[Any] = [
        migrations.RunSQL(_ROOM, migrations.RunSQL.noop),
        migrations.RunSQL(_DROP, migrations.RunSQL.noop),
    ]

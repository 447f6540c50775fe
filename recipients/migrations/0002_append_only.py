from typing import Any

from django.db import migrations

# The consent ledger is only ever added to, whoever writes: the ORM, psql, a careless migration.
_REFUSE = """
CREATE FUNCTION recipients_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
"""
_TABLES = ("consentwording", "consentblock", "consentevent")
_GUARD = """
CREATE TRIGGER consent_append_only BEFORE UPDATE OR DELETE ON recipients_{table}
   FOR EACH STATEMENT EXECUTE FUNCTION recipients_refuse_change();
CREATE TRIGGER consent_no_truncate BEFORE TRUNCATE ON recipients_{table}
   FOR EACH STATEMENT EXECUTE FUNCTION recipients_refuse_change();
"""
_UNGUARD = """
DROP TRIGGER consent_append_only ON recipients_{table};
DROP TRIGGER consent_no_truncate ON recipients_{table};
"""

# Without it PostgreSQL takes each language for one of two hundred, and reads everybody twice to
# count those of a segment.
_KNOW = "CREATE STATISTICS recipient_language ON (lower(language)) FROM recipients_recipient"


class Migration(migrations.Migration):
    dependencies: list[Any] = [("recipients", "0001_initial")]
    operations: list[Any] = [
        migrations.RunSQL(_REFUSE, "DROP FUNCTION recipients_refuse_change()"),
        *(
            migrations.RunSQL(_GUARD.format(table=table), _UNGUARD.format(table=table))
            for table in _TABLES
        ),
        migrations.RunSQL(_KNOW, "DROP STATISTICS recipient_language"),
    ]

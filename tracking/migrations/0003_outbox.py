"""Note for outgoing webhooks what statements do: in their transaction, once for each statement.

Where nobody wants to be told of it, a statement pays for one look at the endpoints, which are few.
What becomes of deliveries is noted by `tracking.ledger`, in the statement that moves them.
"""

from typing import Any

from django.db import migrations

_WANTED = """
CREATE FUNCTION tracking_wanted() RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT ARRAY(SELECT kind::text FROM tracking_endpoint, unnest(kinds) AS kind WHERE is_active)
$$;
"""

# Of many events at once a block for each kind.
_EVENTS = """
CREATE FUNCTION tracking_note_events() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wanted text[] := tracking_wanted();
BEGIN
  IF wanted && '{delivery.bounced,delivery.complained,delivery.delivered}' THEN
    INSERT INTO tracking_happening (kind, subjects, deliveries)
    SELECT 'delivery.' || kind, array_agg(id ORDER BY id), array_agg(delivery_id ORDER BY id)
      FROM written
     WHERE kind IN ('bounced', 'complained', 'delivered') AND 'delivery.' || kind = ANY(wanted)
     GROUP BY kind;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER outbox AFTER INSERT ON tracking_deliveryevent
  REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION tracking_note_events();
"""

# HEAD requests ask only what a GET would answer; hits of nobody are of no message.
_HITS = """
CREATE FUNCTION tracking_note_hits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wanted text[] := tracking_wanted();
BEGIN
  IF wanted && '{delivery.opened,delivery.clicked}' THEN
    INSERT INTO tracking_happening (kind, subjects, deliveries)
    SELECT words.noted, array_agg(id ORDER BY id), array_agg(delivery_id ORDER BY id)
      FROM written
      JOIN (VALUES ('open', 'delivery.opened'), ('click', 'delivery.clicked'))
           AS words (kind, noted) ON words.kind = written.kind
     WHERE delivery_id IS NOT NULL AND NOT is_head AND words.noted = ANY(wanted)
     GROUP BY words.noted;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER outbox AFTER INSERT ON tracking_hit
  REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION tracking_note_hits();
"""

# Rows: a million of them would be handed over before anybody asks whether one of them matters.
_ROWS = """
CREATE FUNCTION tracking_note_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  noted text := TG_ARGV[0];
BEGIN
  IF noted = ANY(tracking_wanted()) THEN
    INSERT INTO tracking_happening (kind, subjects, recipient_id)
    VALUES (noted, ARRAY[NEW.id], (to_jsonb(NEW) ->> 'recipient_id')::bigint);
  END IF;
  RETURN NULL;
END $$;
"""


def _row(name: str, table: str, when: str, condition: str, kind: str) -> str:
    return (
        f"CREATE TRIGGER outbox_{name} {when} ON {table} FOR EACH ROW"
        f" WHEN ({condition}) EXECUTE FUNCTION tracking_note_row('{kind}');\n"
    )


_MOVED = "OLD.status IS DISTINCT FROM NEW.status"
# Single messages are runs as well; what becomes of them their delivery says.
_RUN = "NEW.message_id IS NULL"
_ON_ROWS = "".join(
    [
        _row(
            "left",
            "recipients_subscription",
            "AFTER UPDATE OF state",
            "NEW.state = 'unsubscribed' AND OLD.state IS DISTINCT FROM NEW.state",
            "recipient.unsubscribed",
        ),
        _row(
            "started",
            "campaigns_run",
            "AFTER UPDATE OF started_at",
            f"OLD.started_at IS NULL AND NEW.started_at IS NOT NULL AND {_RUN}",
            "run.started",
        ),
        _row(
            "completed",
            "campaigns_run",
            "AFTER UPDATE OF status",
            f"{_MOVED} AND NEW.status = 'completed' AND {_RUN}",
            "run.completed",
        ),
        _row(
            "held",
            "campaigns_run",
            "AFTER UPDATE OF status",
            f"{_MOVED} AND NEW.status = 'held' AND {_RUN}",
            "run.held",
        ),
        _row(
            "finished",
            "recipients_import",
            "AFTER UPDATE OF status",
            f"{_MOVED} AND NEW.status IN ('done', 'failed')",
            "import.finished",
        ),
    ]
)

_UNDO = """
DROP FUNCTION tracking_note_row CASCADE;
DROP FUNCTION tracking_note_hits CASCADE;
DROP FUNCTION tracking_note_events CASCADE;
DROP FUNCTION tracking_wanted CASCADE;
"""


class Migration(migrations.Migration):
    dependencies: list[Any] = [("tracking", "0002_hot_updates")]
    operations: list[Any] = [
        migrations.RunSQL(_WANTED + _EVENTS + _HITS + _ROWS + _ON_ROWS, _UNDO),
    ]

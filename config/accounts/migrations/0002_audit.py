"""Triggers that write down what changes: whoever writes, the ORM, a command, psql.

Who it was is said by the transaction (`godwit.actor`, config.accounts.acting), so that it holds
behind a pooler that hands a connection to somebody else after each transaction.
"""

import json
from typing import Any

from django.db import migrations

# Values as they are kept: short ones, no secrets, and no address where it may be a recipient's.
_SHOWN = r"""
CREATE FUNCTION accounts_audit_shown(columns jsonb, hidden text[], may_name boolean)
RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS $$
  SELECT CASE WHEN may_name THEN shown::jsonb
    ELSE regexp_replace(shown, '[^\s"@<>,;:\\]+@[^\s"@<>,;\\]+', '…@…', 'g')::jsonb END
  FROM (
    SELECT coalesce(jsonb_object_agg(key, CASE
      WHEN key = ANY (hidden) THEN '"…"'::jsonb
      WHEN length(value::text) > 500 THEN
        to_jsonb(left(columns ->> key, 300) || '… (' || length(columns ->> key) || ' characters)')
      ELSE value END), '{}')::text AS shown
    FROM jsonb_each(columns)) AS found
$$;
"""

# Arguments: kind, columns that do not count, columns whose values are not kept, the column with the
# id of what is changed, whether its addresses may be kept, whether only people's acts count.
_AUDIT = """
CREATE FUNCTION accounts_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  ignored text[] := TG_ARGV[1];
  hidden text[] := TG_ARGV[2];
  may_name boolean := TG_ARGV[4];
  are_many boolean := TG_ARGV[5];
  is_part boolean := TG_ARGV[3] <> 'id';
  before jsonb; after jsonb; whole jsonb; id text; counted int;
BEGIN
  -- First, so that of a million rows each costs little.
  IF are_many THEN
    counted := coalesce(nullif(current_setting('godwit.audited', true), ''), '0')::int + 1;
    PERFORM set_config('godwit.audited', counted::text, true);
    IF counted > 21 THEN RETURN NULL; END IF;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    whole := to_jsonb(OLD); id := whole ->> TG_ARGV[3]; before := whole - ignored;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    whole := to_jsonb(NEW); id := whole ->> TG_ARGV[3]; after := whole - ignored;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    SELECT jsonb_object_agg(key, before -> key), jsonb_object_agg(key, after -> key)
      INTO before, after
      FROM jsonb_object_keys(after) AS key WHERE before -> key IS DISTINCT FROM after -> key;
    IF before IS NULL THEN RETURN NULL; END IF;
  END IF;
  PERFORM accounts_audit_write(
    CASE WHEN counted > 20 THEN 'and more' WHEN is_part THEN 'changed'
      ELSE CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'DELETE' THEN 'deleted' ELSE 'changed' END
    END,
    TG_ARGV[0],
    CASE WHEN counted > 20 THEN '' ELSE id END,
    CASE WHEN is_part OR are_many THEN '' ELSE accounts_audit_shown(
      jsonb_build_object('is', coalesce(
        whole ->> 'name', whole ->> 'title', whole ->> 'username', whole ->> 'address',
        whole ->> 'domain', whole ->> 'file_name', whole ->> 'what', '')), '{}', may_name
    ) ->> 'is' END,
    CASE WHEN counted > 20 THEN NULL ELSE accounts_audit_shown(before, hidden, may_name) END,
    CASE WHEN counted > 20 THEN NULL ELSE accounts_audit_shown(after, hidden, may_name) END,
    CASE WHEN counted > 20 THEN 0 ELSE 1 END);
  RETURN NULL;
END $$;
"""

_WRITE = """
CREATE FUNCTION accounts_audit_write(
  act text, kind text, object_id text, name text, before jsonb, after jsonb, rows int
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  who jsonb := coalesce(nullif(current_setting('godwit.actor', true), ''), '{}');
BEGIN
  INSERT INTO accounts_auditentry
    (at, actor, user_id, origin, ip, act, kind, object_id, name, before, after, rows)
  VALUES (clock_timestamp(), left(coalesce(who ->> 'name', session_user), 200),
    (who ->> 'user')::bigint, coalesce(who ->> 'origin', 'itself'), (who ->> 'ip')::inet,
    act, kind, coalesce(object_id, ''), left(name, 200), before, after, rows);
END $$;
"""

# Of many rows of one transaction the first twenty are written down one by one, and at its end how
# many more there were.
_SUM = """
CREATE FUNCTION accounts_audit_sum() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('godwit.keeping', 'yes', true);
  UPDATE accounts_auditentry SET rows = current_setting('godwit.audited')::int - 20
    WHERE id = NEW.id;
  PERFORM set_config('godwit.keeping', '', true);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER audit_sum AFTER INSERT ON accounts_auditentry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.rows = 0)
  EXECUTE FUNCTION accounts_audit_sum();
"""

# Only retention (config.accounts.audit) deletes, and says so in its transaction.
_GUARD = """
CREATE FUNCTION accounts_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'TRUNCATE' AND current_setting('godwit.keeping', true) = 'yes' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON accounts_auditentry
  FOR EACH STATEMENT EXECUTE FUNCTION accounts_audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON accounts_auditentry
  FOR EACH STATEMENT EXECUTE FUNCTION accounts_audit_refuse();
"""

_UNDO = """
DROP FUNCTION accounts_audit_refuse CASCADE;
DROP FUNCTION accounts_audit_sum CASCADE;
DROP FUNCTION accounts_audit CASCADE;
DROP FUNCTION accounts_audit_write CASCADE;
DROP FUNCTION accounts_audit_shown CASCADE;
"""

_CLOCK = ["created_at", "updated_at", "changed_at"]
_CHANGED = "AFTER INSERT OR UPDATE OR DELETE"
_PEOPLE = """current_setting('godwit.actor', true) LIKE '%"rows": true%'"""


def _trigger(
    table: str,
    *,
    kind: str = "",
    when: str = _CHANGED,
    ignored: tuple[str, ...] = (),
    hidden: tuple[str, ...] = (),
    of: str = "id",
    may_name: bool = False,
    many: bool = False,
    condition: str = "",
) -> migrations.RunSQL:
    name = kind or ".".join(table.rsplit("_", 1))
    arguments = [
        name,
        _array([*_CLOCK, *ignored]),
        _array(hidden),
        of,
        json.dumps(may_name),
        json.dumps(many),
    ]
    condition = condition or (_PEOPLE if many else "")
    return migrations.RunSQL(
        f"CREATE TRIGGER audit_{'many' if many else 'each'} {when} ON {table} FOR EACH ROW"
        f" {f'WHEN ({condition})' if condition else ''}"
        f" EXECUTE FUNCTION accounts_audit({', '.join(map(repr, arguments))})",
        migrations.RunSQL.noop,  # it goes with its function
    )


def _array(names: Any) -> str:
    return "{" + ",".join(names) + "}"


def _parts(parent: str, of: str, *tables: str) -> list[migrations.RunSQL]:
    """What belongs to something is written down as a change of that."""
    when = "AFTER INSERT OR DELETE"
    return [_trigger(table, kind=parent, when=when, of=of, ignored=("id", of)) for table in tables]


_EACH = [
    *map(
        _trigger,
        """
        campaigns_campaign campaigns_domaingroup campaigns_acceptedwarning campaigns_approval
        campaigns_reportsubscription recipients_mailinglist recipients_segment recipients_field
        recipients_tag templates_app_emailtemplate templates_app_templatevariant
        templates_app_snippet templates_app_layout templates_app_mediafile auth_group
        """.split(),
    ),
    _trigger("recipients_signupform"),
    _trigger("campaigns_sender", may_name=True),
    _trigger("campaigns_transport", hidden=("encrypted_url",)),
    _trigger("campaigns_dkimkey", hidden=("encrypted_key",)),
    # The engine counts failures in it.
    _trigger(
        "tracking_endpoint",
        when="AFTER INSERT OR DELETE OR UPDATE OF name, url, kinds, is_active,"
        " encrypted_secret",
        ignored=("failures", "failing_since", "rest_until", "notice_due_at", "former_secret_until"),
        hidden=("encrypted_secret", "encrypted_former_secret"),
    ),
    _trigger("campaigns_plan", kind="campaigns.campaign", of="campaign_id"),
    *_parts("campaigns.sender", "sender_id", "campaigns_route"),
    *_parts(
        "campaigns.campaign",
        "campaign_id",
        "campaigns_campaign_lists",
        "campaigns_campaign_segments",
        "campaigns_campaign_excluded_lists",
        "campaigns_campaign_excluded_segments",
        "campaigns_campaignattachment",
    ),
    *_parts(
        "recipients.mailinglist",
        "mailinglist_id",
        "recipients_mailinglist_limited_to_users",
        "recipients_mailinglist_limited_to_groups",
    ),
    *_parts("auth.user", "user_id", "auth_user_groups", "auth_user_user_permissions"),
    # The making of the roles, at the first migration, gives hundreds.
    _trigger(
        "auth_group_permissions",
        kind="auth.group",
        when="AFTER INSERT OR DELETE",
        of="group_id",
        ignored=("id", "group_id"),
        many=True,
        condition="true",
    ),
    _trigger("accounts_apikey", ignored=("last_used_at",), hidden=("digest",)),
    _trigger("auth_user", ignored=("last_login",), hidden=("password",), may_name=True),
    _trigger("mfa_authenticator", ignored=("last_used_at",), hidden=("data",)),
    _trigger("socialaccount_socialaccount", ignored=("last_login",), hidden=("extra_data",)),
    # The engine counts in these all the time; what people change, and states, are something else.
    _trigger(
        "campaigns_domainlimit",
        when='AFTER INSERT OR DELETE OR UPDATE OF "group", transport_id,'
        " per_second, per_hour, per_day",
        ignored=("second_at", "second_used", "hour_at", "hour_used", "day_at", "day_used"),
    ),
    _trigger(
        "campaigns_run",
        when="AFTER UPDATE OF status",
        condition="OLD.status IS DISTINCT FROM NEW.status AND NEW.message_id IS NULL",
        ignored=("audience", "snapshot_cursor", "prepared_at", "started_at", "finished_at"),
    ),
    _trigger(
        "recipients_import",
        when="AFTER UPDATE OF status",
        condition="OLD.status IS DISTINCT FROM NEW.status",
        ignored=("moved_at", "findings", "layout", "rows", "merged"),
    ),
    _trigger("recipients_export", when="AFTER INSERT", ignored=("file",)),
    _trigger(
        "recipients_merge", when="AFTER INSERT", hidden=("former_address", "former_key")
    ),
]

# Millions of rows, which imports and the engine write: people's acts alone, and of recipients
# which columns changed, not what was in them.
_PERSONAL = (
    "address", "key", "domain", "external_id", "fields", "digest", "source", "comment", "why"
)
_MANY = [
    _trigger(table, many=True, hidden=_PERSONAL)
    for table in (
        "recipients_recipient",
        "recipients_subscription",
        "recipients_tagging",
        "recipients_suppression",
        "recipients_liftedsuppression",
    )
]


class Migration(migrations.Migration):
    dependencies: list[Any] = [
        ("accounts", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
        ("recipients", "__first__"),
        ("templates_app", "__first__"),
        ("tracking", "__first__"),  # which comes after all of campaigns
    ]
    operations: list[Any] = [
        migrations.RunSQL(_SHOWN + _WRITE + _AUDIT + _SUM + _GUARD, _UNDO),
        *_EACH,
        *_MANY,
    ]

"""Say what an import would do, before anything is done."""

from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection

from recipients.importing import hints
from recipients.importing.merging import merged
from recipients.models import Import, MergePolicy

_SHOWN = 20  # domains in each finding

# As the slices will find it, in one statement. Who is suppressed is imported, too, and not mailed;
# who was erased is not.
_FORECAST = """
SELECT count(*) FILTER (WHERE recipient.id IS NULL AND NOT erased.is_so AND NOT former.is_so),
       count(*) FILTER (WHERE changed.is_so),
       count(*) FILTER (WHERE recipient.id IS NOT NULL AND changed.is_so IS NOT TRUE),
       count(*) FILTER (WHERE erased.is_so OR suppressed.is_so),
       count(*) FILTER (WHERE recipient.id IS NULL AND former.is_so AND NOT erased.is_so)
  FROM import_sorted_{id} batch
  LEFT JOIN recipients_recipient recipient ON recipient.key = batch.key
 CROSS JOIN LATERAL (
       SELECT EXISTS (SELECT 1 FROM recipients_suppression WHERE digest = batch.subject)
              AS is_so) erased
 CROSS JOIN LATERAL (
       SELECT EXISTS (SELECT 1 FROM recipients_suppression WHERE key = batch.key)
              OR EXISTS (SELECT 1 FROM recipients_suppression WHERE key = batch.domain)
              AS is_so) suppressed
 CROSS JOIN LATERAL (
       SELECT EXISTS (SELECT 1 FROM recipients_merge WHERE former_key = batch.key) AS is_so) former
  LEFT JOIN LATERAL (
       SELECT (new.fields, new.language, new.time_zone) IS DISTINCT FROM
              (recipient.fields, recipient.language, recipient.time_zone) AS is_so
         FROM (SELECT {merged}) AS new
        WHERE recipient.id IS NOT NULL) changed ON true
"""
_AS_IT_IS = "recipient.fields, recipient.language, recipient.time_zone"

_DOMAINS = "SELECT domain, count(*) FROM import_sorted_{id} WHERE domain <> '' GROUP BY domain"
_ROLES = """
SELECT split_part(key, '@', 1) AS role, count(*) FROM import_sorted_{id}
 WHERE split_part(key, '@', 1) = ANY(%(roles)s) GROUP BY role ORDER BY 2 DESC, 1
"""


@dataclass(slots=True)
class Findings:
    """What a check found; addresses are counted once each."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    suppressed: int = 0
    duplicates: int = 0
    """Rows whose address came before, and former addresses of people who have another one."""
    roles: dict[str, int] = field(default_factory=dict)
    """Local parts that a function has and no person: info, sales; with how many addresses."""
    disposable: dict[str, int] = field(default_factory=dict)
    """Domains of throw-away mailboxes."""
    typos: list[dict[str, Any]] = field(default_factory=list)
    """Domains that look like a typing error: `domain`, `suggestion`, `addresses`."""
    needs_smtputf8: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def check(importing: Import) -> Findings:
    """Return what would become of the rows that were read and sorted."""
    policy = MergePolicy(importing.policy)
    new_values = _AS_IT_IS if policy == MergePolicy.LEAVE else merged(policy)
    with connection.cursor() as cursor:
        cursor.execute(_FORECAST.format(id=importing.pk, merged=new_values))
        findings = Findings(*cursor.fetchone())
        findings.duplicates += importing.duplicates
        cursor.execute(_ROLES.format(id=importing.pk), {"roles": sorted(hints.ROLES)})
        findings.roles = dict(cursor.fetchall()[:_SHOWN])
        cursor.execute(_DOMAINS.format(id=importing.pk))
        domains = sorted(cursor.fetchall(), key=lambda row: (-row[1], row[0]))
        cursor.execute(f"SELECT count(*) FROM import_sorted_{importing.pk} WHERE needs_smtputf8")
        findings.needs_smtputf8 = cursor.fetchone()[0]
    findings.disposable = dict([row for row in domains if hints.is_disposable(row[0])][:_SHOWN])
    findings.typos = [
        {"domain": domain, "suggestion": better, "addresses": count}
        for domain, count in domains
        if (better := hints.suggestion(domain))
    ][:_SHOWN]
    return findings

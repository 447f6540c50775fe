"""Judge by the rules of now what was judged by older ones."""

from collections.abc import Sequence

from django.db import connection, transaction

from recipients import locks
from tracking import verdicts
from tracking.judging import RULES, Seen
from tracking.models import Hit
from tracking.tallying.lock import hold_sums

BATCH = 2_000  # messages, or hits of nobody, in one transaction

# In the order of the index, from where the last batch ended.
_NEXT = """
SELECT id, delivery_id FROM tracking_hit
 WHERE run_id = %(run)s AND id > %(after)s AND rules <> %(rules)s
 ORDER BY id LIMIT %(batch)s
"""
# Whose user agents are forgotten: there is nothing to judge them by.
_ERASED = """
UPDATE tracking_hit AS hit SET rules = %(rules)s
  FROM tracking_delivery delivery
 WHERE hit.run_id = %(run)s AND hit.rules <> %(rules)s
   AND delivery.id = hit.delivery_id AND delivery.address = ''
"""


def outdated_runs() -> list[int]:
    """Return the runs that have hits which older rules judged."""
    outdated = Hit.objects.exclude(rules=RULES).filter(run__tally__purged_at=None)
    return sorted(outdated.values_list("run", flat=True).distinct())


def reclassify(run_id: int) -> int:
    """Judge the hits of a run by the rules of now, and move all that is counted; return how many.

    In batches, each a transaction: what is cut off goes on where it was.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ERASED, {"run": run_id, "rules": RULES})
    judged = after = 0
    while rows := _next(run_id, after):
        _judge([delivery for _, delivery in rows if delivery], [pk for pk, to in rows if not to])
        judged, after = judged + len(rows), rows[-1][0]
    return judged


def _next(run_id: int, after: int) -> list[tuple[int, int | None]]:
    params = {"run": run_id, "after": after, "rules": RULES, "batch": BATCH}
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, params)
        return list(cursor.fetchall())


@transaction.atomic
def _judge(deliveries: Sequence[int], nobodys: Sequence[int]) -> None:
    locks.write_addresses()
    hold_sums()
    verdicts.judge_again(deliveries)
    for hit in Hit.objects.filter(pk__in=nobodys).select_related("user_agent"):
        agent = hit.user_agent.text if hit.user_agent else ""
        seen = Seen(hit.kind, hit.link_number, hit.at, hit.is_head, agent, hit.from_scanner)
        hit.verdict, hit.reason = verdicts.alone(seen)
        hit.rules = RULES
        hit.save(update_fields=["verdict", "reason", "rules"])

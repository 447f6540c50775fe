"""Write a run's audience into the ledger, slice by slice, so that the first page leaves at once."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from campaigns.models import Page, Run, RunStatus
from tracking import ledger

SLICE = 10_000  # recipients in a slice, and so deliveries in a page
FIRST_SLICE = 1_000  # written in some 30 ms: the first message leaves as soon

# Everybody who stands on one of the campaign's lists, in whatever state, in order of recipient:
# who is left out gets a row as well, with the reason. One confirmed subscription is enough.
# Of each list as many as the slice may have, by the index of its subscriptions: a slice costs the
# same at the end of a million as at its beginning. (`OFFSET 0`: one look for each reason.)
_AUDIENCE = """
    SELECT member.recipient_id, recipient.address, recipient.key, recipient.domain,
           CASE WHEN reason.word <> '' THEN 'skipped' ELSE %(state)s END AS state,
           reason.word AS skip_reason
      FROM (SELECT subscription.recipient_id,
                   bool_or(subscription.state = 'confirmed') AS confirmed,
                   bool_or(subscription.state = 'unsubscribed') AS unsubscribed
              FROM campaigns_campaign_lists audience
             CROSS JOIN LATERAL (SELECT recipient_id, state
                                   FROM recipients_subscription
                                  WHERE mailing_list_id = audience.mailinglist_id
                                    AND recipient_id > %(after)s
                                  ORDER BY recipient_id
                                  LIMIT %(size)s) AS subscription
             WHERE audience.campaign_id = %(campaign)s
             GROUP BY subscription.recipient_id
             ORDER BY subscription.recipient_id
             LIMIT %(size)s) AS member
      JOIN recipients_recipient recipient ON recipient.id = member.recipient_id
     CROSS JOIN LATERAL (SELECT CASE
           WHEN EXISTS (SELECT 1 FROM recipients_suppression suppression
                         WHERE suppression.key = recipient.key) THEN 'suppressed'
           WHEN member.unsubscribed AND NOT member.confirmed THEN 'unsubscribed'
           WHEN NOT member.confirmed THEN 'unconfirmed_opt_in'
           ELSE '' END AS word OFFSET 0) AS reason
"""


@dataclass(frozen=True, slots=True)
class Slice:
    rows: int
    finished: bool


@transaction.atomic(durable=True)
def take_slice(run_id: int, *, now: datetime, size: int | None = None) -> Slice:
    """Write the next slice of the audience and the page that will send it.

    The run's row is locked for the slice and its cursor moves with it: two processes that prepare
    the same run take turns, and one that dies leaves nothing half done.
    """
    run = Run.objects.select_for_update(of=("self",), no_key=True).with_counters().get(pk=run_id)
    if run.status == RunStatus.PREPARING and run.is_too_late(now=now):
        Run.objects.filter(pk=run_id).hold(run.lateness)
        return Slice(rows=0, finished=True)
    if run.prepared_at or run.status == RunStatus.HELD:
        return Slice(rows=0, finished=True)
    size = size or (SLICE if run.audience else FIRST_SLICE)
    state = "cancelled" if run.status == RunStatus.CANCELLED else "queued"
    params = {
        "campaign": run.campaign_id,
        "after": run.snapshot_cursor,
        "size": size,
        "state": state,
    }
    written = ledger.enqueue(run_id, audience=_AUDIENCE, params=params, now=now)
    if written.first_queued is not None and written.last_queued is not None:
        _add_page(run, first=written.first_queued, last=written.last_queued)
    finished = written.rows < size
    run.snapshot_cursor = written.last_recipient or run.snapshot_cursor
    run.audience += written.rows
    run.prepared_at = now if finished else None
    if run.status == RunStatus.PREPARING:
        run.status = RunStatus.SENDING
        run.started_at = now
    run.save()
    return Slice(rows=written.rows, finished=finished)


def is_stuck(run_id: int, *, before: datetime) -> bool:
    """Whether the audience is not written down to its end, and nothing has moved since `before`."""
    run = Run.objects.with_counters().get(pk=run_id)
    if run.prepared_at or run.status == RunStatus.HELD:
        return False
    return run.counters.moved_at < before


def _add_page(run: Run, *, first: int, last: int) -> None:
    Page.objects.create(
        run=run, number=run.pages.count() + 1, first_delivery=first, last_delivery=last
    )

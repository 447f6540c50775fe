"""What calls say: read when they are made, so that nobody's address lies in a queue.

What was deleted meanwhile, and who was erased, is not told: `data` has the ids that are left.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from campaigns.models import Run
from recipients.models import Import, Subscription
from tracking.models import Delivery, DeliveryEvent, Hit, Link
from tracking.models.outgoing import TEST, Happened

Data = dict[str, Any]


class Told(NamedTuple):
    """What is told of one subject, and when that happened."""

    at: datetime | None
    data: Data


def bodies(calls: Iterable[tuple[int, str, int | None, datetime]]) -> dict[int, bytes]:
    """Return what each call says, by its id.

    :param calls: of each its id, its kind, its subject, and when it was noted.
    """
    told = list(calls)
    by_kind: dict[str, set[int]] = defaultdict(set)
    for _, kind, subject, _ in told:
        if subject is not None:
            by_kind[kind].add(subject)
    known = {kind: _READERS[kind](subjects) for kind, subjects in by_kind.items()}
    return {
        pk: _body(kind, noted_at, known.get(kind, {}).get(subject or 0), subject)
        for pk, kind, subject, noted_at in told
    }


def _body(kind: str, noted_at: datetime, told: Told | None, subject: int | None) -> bytes:
    if told is None:
        data: Data = {"text": "This is a test."} if kind == TEST else {"id": subject}
        told = Told(noted_at, data)
    at = told.at or noted_at
    message = {"type": kind, "timestamp": at.isoformat(), "data": told.data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


# --- messages ---------------------------------------------------------------------------------


def _of_delivery(delivery: Delivery) -> Data:
    run = delivery.run
    return {
        "delivery": delivery.pk,
        "message": run.message_id,
        "run": run.pk,
        "campaign": None if run.message_id else {"id": run.campaign_id, "name": run.campaign.name},
        "recipient": delivery.recipient_id,
        "address": delivery.address,
        "message_id": delivery.message_id,
    }


def _deliveries(subjects: Iterable[int]) -> dict[int, Told]:
    found = Delivery.objects.filter(pk__in=subjects).select_related("run__campaign")
    return {
        one.pk: Told(
            one.finished_at,
            _of_delivery(one)
            | {
                "state": one.state,
                "skip_reason": one.skip_reason or None,
                "attempts": one.attempts,
                "reply_code": one.reply_code,
                "enhanced_status_code": one.enhanced_status_code,
                "diagnostic": one.diagnostic,
            },
        )
        for one in found
    }


def _events(subjects: Iterable[int]) -> dict[int, Told]:
    found = DeliveryEvent.objects.filter(pk__in=subjects)
    return {
        one.pk: Told(
            one.at,
            _of_delivery(one.delivery)
            | {
                "event": one.pk,
                "category": one.category or None,
                "is_hard": one.is_hard,
                "reply_code": one.reply_code,
                "enhanced_status_code": one.enhanced_status_code,
                "diagnostic": one.diagnostic,
            },
        )
        for one in found.select_related("delivery__run__campaign")
    }


def _hits(subjects: Iterable[int]) -> dict[int, Told]:
    found = list(
        Hit.objects.filter(pk__in=subjects, delivery__isnull=False).select_related(
            "delivery__run__campaign"
        )
    )
    versions = {hit.delivery.run.version_id for hit in found if hit.delivery}
    links = {(one.version_id, one.number): one for one in Link.objects.filter(version__in=versions)}
    told = {}
    for hit in found:
        if hit.delivery:
            data = _of_delivery(hit.delivery) | {"by": hit.verdict}
            if hit.link_number is not None:
                link = links.get((hit.delivery.run.version_id, hit.link_number))
                data["link"] = {"number": hit.link_number, "url": link.target if link else None}
            told[hit.pk] = Told(hit.at, data)
    return told


# --- what else happens ------------------------------------------------------------------------


def _subscriptions(subjects: Iterable[int]) -> dict[int, Told]:
    found = Subscription.objects.filter(pk__in=subjects).select_related("recipient", "mailing_list")
    return {
        one.pk: Told(
            one.changed_at,
            {
                "recipient": one.recipient_id,
                "address": one.recipient.address,
                "list": {"id": one.mailing_list_id, "name": one.mailing_list.name},
            },
        )
        for one in found
    }


def _runs(when: str) -> Callable[[Iterable[int]], Mapping[int, Told]]:
    def read(subjects: Iterable[int]) -> dict[int, Told]:
        found = Run.objects.with_counters().filter(pk__in=subjects)
        return {one.pk: Told(getattr(one, when, None), _of_run(one)) for one in found}

    return read


def _of_run(run: Run) -> Data:
    counters = getattr(run, "counters", None)
    return {
        "run": run.pk,
        "campaign": {"id": run.campaign_id, "name": run.campaign.name},
        "status": run.status,
        "reason": run.held_reason,
        "occurrence": run.occurrence,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "audience": run.audience,
        "states": counters.as_dict() if counters else {},
    }


def _imports(subjects: Iterable[int]) -> dict[int, Told]:
    found = Import.objects.filter(pk__in=subjects).select_related("mailing_list")
    return {
        one.pk: Told(
            one.finished_at,
            {
                "import": one.pk,
                "file_name": one.file_name,
                "status": one.status,
                "problem": one.problem,
                "list": (
                    {"id": one.mailing_list.pk, "name": one.mailing_list.name}
                    if one.mailing_list
                    else None
                ),
                "rows": one.rows,
                "new": one.new,
                "changed": one.changed,
                "unchanged": one.unchanged,
                "duplicates": one.duplicates,
                "invalid": one.invalid,
                "suppressed": one.suppressed,
            },
        )
        for one in found
    }


_READERS: Mapping[str, Callable[[Iterable[int]], Mapping[int, Told]]] = {
    Happened.SENT: _deliveries,
    Happened.FAILED: _deliveries,
    Happened.SKIPPED: _deliveries,
    Happened.DELIVERED: _events,
    Happened.BOUNCED: _events,
    Happened.COMPLAINED: _events,
    Happened.OPENED: _hits,
    Happened.CLICKED: _hits,
    Happened.UNSUBSCRIBED: _subscriptions,
    Happened.RUN_STARTED: _runs("started_at"),
    Happened.RUN_COMPLETED: _runs("finished_at"),
    Happened.RUN_HELD: _runs(""),
    Happened.IMPORT_FINISHED: _imports,
}

"""All that is known of one person: handed out, and erased.

Every app that keeps something of recipients registers a `Holder`. An erasure is one transaction;
holders forget in the reverse order of their registration, the apps above first, so that rows are
locked in the order in which sending locks them: gates and runs, deliveries, counters. The event of
the consent ledger, whose lock everybody needs who subscribes, comes last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q

from recipients import consent, locks, notices
from recipients.consent import Consent, subject
from recipients.exporting import expire_files
from recipients.importing.forgetting import forget as forget_read
from recipients.mentions import forget_mentions
from recipients.models import (
    ConsentAction,
    ConsentDetail,
    ConsentEvent,
    ConsentPurpose,
    ConsentWording,
    ImportChange,
    LiftedSuppression,
    MailingList,
    Notice,
    NoticeKind,
    Recipient,
    Signup,
    Subscription,
    Suppression,
    SuppressionReason,
)
from recipients.suppression import LONGEST_SOURCE

LINK_HOLDS = timedelta(hours=24)  # the link by which a person sees and erases what is known of them
ASKED_AGAIN = timedelta(hours=1)  # so long after one such link no other is sent


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, under all the addresses and ids that are known to be theirs."""

    recipient: Recipient | None
    """None: there is no row of this address, or none any more."""
    ids: list[int]
    keys: list[str]
    """Of their addresses, the present one first."""

    def owns(self) -> Q:
        """Which consent events are theirs; without a row only the digest says so, and no index."""
        if self.ids:
            return Q(recipient_id__in=self.ids)
        return Q(subject__in=[subject(key) for key in self.keys])


@dataclass(frozen=True, slots=True)
class Holder:
    """A part of Godwit that keeps something of recipients."""

    name: str
    """What it is called in an export."""
    forget: Callable[[Person, datetime], object]
    """Erases it, in the transaction of the erasure."""
    known: Callable[[Person], list[dict[str, Any]]] | None = None
    """Returns what it keeps of a person, as plain values; None: what is no part of an export."""
    merge: Callable[[int, int, datetime], object] | None = None
    """Makes what it keeps of the second recipient's id that of the first one."""


_holders: list[Holder] = []

_WRITTEN_BY_STAFF = {
    "django_admin_log": ("object_repr", "change_message"),
    "recipients_suppression": ("source",),
    "recipients_liftedsuppression": ("source", "why"),
    "recipients_import": ("file_name", "declaration"),
    "recipients_segment": ("description",),
    "recipients_mailinglist": ("description",),
    "recipients_export": ("what",),
    "recipients_notice": ("diagnostic",),  # by a server, of somebody else
}

# JSON in which somebody may be named: as the manager of another recipient, too.
_VALUES = (
    ("recipients_import", "findings"),
    ("recipients_import", "trouble"),
    ("recipients_segment", "rules"),
    ("recipients_export", "asked"),
    ("recipients_recipient", "fields"),
    ("recipients_importchange", "before"),
    ("recipients_signup", "answers"),
)


def register(holder: Holder) -> None:
    """Have a holder asked whenever a person is exported, erased or merged."""
    if holder.name not in {known.name for known in _holders}:
        _holders.append(holder)


def holders() -> list[Holder]:
    return list(_holders)


def person(key: str) -> Person:
    """Return who has this address now, or had it; somebody unknown has no row."""
    by_key = Recipient.objects.filter(key=key).first()
    recipient = by_key or Recipient.objects.filter(merges__former_key=key).first()
    if recipient is None:
        return Person(None, [], [key])
    merges = list(recipient.merges.order_by("pk").values_list("former_id", "former_key"))
    keys = list(dict.fromkeys([recipient.key, *(former for _, former in merges)]))
    # A former address may have a row of its own again.
    rows = Recipient.objects.filter(key__in=keys).order_by("pk").values_list("pk", flat=True)
    ids = dict.fromkeys([recipient.pk, *rows, *(pk for pk, _ in merges)])
    return Person(recipient, list(ids), keys)


# --- what is known ----------------------------------------------------------------------------


def known(someone: Person) -> dict[str, Any]:
    """Return all that is known of a person, by what it is about, as JSON can have it."""
    recipient = someone.recipient
    own = {} if recipient is None else _own(recipient)
    return {
        **own,
        "consent": _consent(someone),
        "suppression": _suppression(someone),
        **{each.name: each.known(someone) for each in _holders if each.known},
    }


def _own(recipient: Recipient) -> dict[str, Any]:
    return {
        "identity": {
            "recipient": recipient.pk,
            "address": recipient.address,
            "former_addresses": [one.former_address for one in recipient.merges.order_by("pk")],
            "external_id": recipient.external_id,
            "language": recipient.language,
            "time_zone": recipient.time_zone,
            "tracking_consent": recipient.tracking_consent,
            "paused_until": recipient.paused_until,
            "created_at": recipient.created_at,
            "updated_at": recipient.updated_at,
        },
        "fields": recipient.fields,
        "lists": [
            {"list": each.mailing_list.name, "state": each.state, "since": each.changed_at}
            for each in Subscription.objects.filter(recipient=recipient)
            .select_related("mailing_list")
            .order_by("pk")
        ],
        "tags": list(recipient.tags.order_by("name").values_list("name", flat=True)),
        "notices": list(
            Notice.objects.filter(recipient=recipient)
            .order_by("pk")
            .values("kind", "created_at", "sent_at", "failed_at")
        ),
        "asked_for": list(
            Signup.objects.filter(recipient=recipient)
            .order_by("pk")
            .values("mailing_list__name", "answers", "asked_at")
        ),
        "changes_by_imports": [
            {
                "file": change.importing.file_name,
                "at": change.importing.created_at,
                "before": change.before,
            }
            for change in ImportChange.objects.filter(recipient=recipient)
            .select_related("importing")
            .order_by("pk")
        ],
    }


def _consent(someone: Person) -> list[dict[str, Any]]:
    lists = dict(MailingList.objects.values_list("pk", "name"))
    events = list(ConsentEvent.objects.filter(someone.owns()).order_by("pk"))
    details = ConsentDetail.objects.in_bulk([event.pk for event in events])
    wordings = ConsentWording.objects.in_bulk([e.wording for e in events if e.wording])
    texts = {bytes(digest): wording.text for digest, wording in wordings.items()}
    return [
        {
            "at": event.occurred_at,
            "action": event.action,
            "purpose": event.purpose,
            "list": lists.get(event.mailing_list_id or 0),
            "source": event.source,
            "wording": texts.get(bytes(event.wording or b"")),
            "ip": details[event.pk].ip if event.pk in details else None,
            "user_agent": details[event.pk].user_agent if event.pk in details else None,
        }
        for event in events
    ]


def _suppression(someone: Person) -> list[dict[str, Any]]:
    domains = [key.rpartition("@")[2] for key in someone.keys]
    found = Q(key__in=[*someone.keys, *domains]) | Q(digest__in=map(subject, someone.keys))
    present = Suppression.objects.filter(found).order_by("pk")
    lifted = LiftedSuppression.objects.filter(key__in=someone.keys).order_by("pk")
    return [
        *map(dict, present.values("key", "reason", "source", "created_at")),
        *map(dict, lifted.values("key", "reason", "source", "suppressed_at", "lifted_at", "why")),
    ]


# --- erasure ----------------------------------------------------------------------------------


@transaction.atomic
def erase(key: str, *, source: str, now: datetime) -> bool:
    """Forget the person with this address, and let nobody mail it again; may be repeated.

    What stays: an event of the consent ledger and a suppression, both by digest, and the states of
    deliveries, of which nobody can say to whom they went. Returns whether anything was known.

    :param source: who asked for it, without an address
    """
    locks.erase_addresses()
    someone = person(key)
    list(Recipient.objects.filter(pk__in=someone.ids).order_by("pk").select_for_update())
    is_new = bool(someone.recipient) or not _is_erased(someone)
    for holder in reversed(_holders):
        holder.forget(someone, now)
    forget_read(someone.keys)
    _forget_mentions(someone)
    _forget_origins(someone)
    # Subscriptions, tags, notices, sign-ups, merges and what imports changed go with it.
    Recipient.objects.filter(pk__in=someone.ids).delete()
    LiftedSuppression.objects.filter(key__in=someone.keys).delete()
    for each in someone.keys:
        _suppress(each, now=now)
    expire_files(now=now)
    if is_new:
        _record(someone, source=source, now=now)
    return is_new


def _is_erased(someone: Person) -> bool:
    return Suppression.objects.filter(digest=subject(someone.keys[0])).exists()


def _forget_mentions(someone: Person) -> None:
    """Take the addresses out of what staff wrote about them, and all that names their rows."""
    for table, columns in _WRITTEN_BY_STAFF.items():
        for column in columns:
            forget_mentions(table, column, someone.keys)
    for table, column in _VALUES:
        forget_mentions(table, column, someone.keys, cast="::jsonb")
    for table in ("recipients_segment", "recipients_tag"):
        forget_mentions(table, "name", someone.keys, unique=True)
    about_them = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(Recipient),
        object_id__in=[str(pk) for pk in someone.ids],
    )
    about_them.update(object_repr="erased", change_message="")


def _forget_origins(someone: Person) -> None:
    """Delete from where they spoke; the events keep salted digests, whose salts go as well."""
    theirs = Q(event__subject__in=[subject(key) for key in someone.keys])
    ConsentDetail.objects.filter(theirs | Q(event__recipient_id__in=someone.ids)).delete()


def _suppress(key: str, *, now: datetime) -> None:
    """Suppress by digest; an entry of this address becomes that one, and says what it was."""
    digest = subject(key)
    entry = Suppression.objects.select_for_update().filter(key=key).first()
    known = Suppression.objects.filter(digest=digest).exists()
    if entry and known:
        entry.delete()
    elif entry:
        entry.source = f"before: {entry.reason} ({entry.source})"[:LONGEST_SOURCE]
        entry.key, entry.digest = None, digest
        entry.reason, entry.created_at = SuppressionReason.ERASED, now
        entry.save()
    elif not known:
        entry = Suppression.objects.create(digest=digest, reason=SuppressionReason.ERASED)
        Suppression.objects.filter(pk=entry.pk).update(created_at=now)


def _record(someone: Person, *, source: str, now: datetime) -> None:
    recipient_id = someone.ids[0] if someone.ids else None
    consent.record(
        [
            Consent(
                key,
                ConsentAction.ERASED,
                source,
                recipient_id=recipient_id,
                purpose=ConsentPurpose.EVERYTHING,
            )
            for key in someone.keys
        ],
        now=now,
    )


# --- by the person themselves -----------------------------------------------------------------


def ask(recipient: Recipient, now: datetime) -> bool:
    """Have a link mailed to a person that shows what is known of them, and erases it if they want.

    Returns whether one is mailed: where one was asked for within the last hour, no other is.
    """
    with transaction.atomic():
        Recipient.objects.select_for_update().get(pk=recipient.pk)
        asked = Notice.objects.filter(recipient=recipient, kind=NoticeKind.PRIVACY)
        if asked.filter(created_at__gt=now - ASKED_AGAIN, failed_at=None).exists():
            return False
        notices.write(NoticeKind.PRIVACY, recipient=recipient, now=now)
        notices.wake()
        return True

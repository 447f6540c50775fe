"""What people choose for themselves: their lists, a pause, their language, being measured."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from recipients import consent
from recipients.consent import Consent, Origin
from recipients.models import (
    ConsentAction,
    ConsentPurpose,
    MailingList,
    Recipient,
    Signup,
    Subscription,
    SubscriptionState,
    Suppression,
    TrackingConsent,
)
from recipients.recognising import kept
from recipients.services import hold, unsubscribe
from recipients.signup import confirmed, subscribe

SOURCE = kept("preference centre")
LONGEST_PAUSE = timedelta(days=366)
TRACKING_WORDS = "May we measure whether you open messages and which links you follow?"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose, checked."""

    shown: Collection[int]
    """The lists that the page showed: it says nothing of others."""
    lists: Collection[int]
    """Those of them that are wanted."""
    paused_until: date | None
    language: str
    tracking: TrackingConsent
    """UNKNOWN: nothing was said, and what was said before stays."""


def lists_of(recipient: Recipient) -> QuerySet[MailingList]:
    """Return the lists that a person may choose from.

    Those that they are on or were asked to confirm, and public ones; not those that they left, or
    were taken off, unless everybody may join.
    """
    own = Subscription.objects.filter(recipient=recipient, mailing_list=OuterRef("pk"))
    still = own.exclude(state=SubscriptionState.UNSUBSCRIBED)
    may = MailingList.objects.filter(Q(is_public=True) | Exists(still))
    return may.order_by("name")


def confirmed_ids(recipient: Recipient) -> set[int]:
    """Return the ids of the lists that a person gets."""
    return set(confirmed(recipient).values_list("pk", flat=True))


def is_suppressed(recipient: Recipient) -> bool:
    """Whether nothing is sent to this person at all, whatever the lists say."""
    everywhere = Suppression.objects.of_person(
        key=recipient.key, digest=consent.subject(recipient.key)
    )
    return everywhere.exists() or Suppression.objects.filter(key=recipient.domain).exists()


def joining_words(mailing_list: MailingList) -> str:
    """Return what is agreed to where a person ticks a list; it is kept with the consent."""
    words = f"Send me the messages of {mailing_list}."
    return f"{words} {mailing_list.description}" if mailing_list.description else words


@transaction.atomic
def choose(recipient: Recipient, choice: Choice, *, origin: Origin, now: datetime) -> int:
    """Do what a person chose, and write to the ledger what of it is consent. May be repeated.

    Return how many lists were left.

    A list is joined at once: only who reads the mailbox has the link that led here.
    """
    recipient = hold(recipient)
    lists, on = list(lists_of(recipient).filter(pk__in=choice.shown)), confirmed_ids(recipient)
    left = [each for each in lists if each.pk in on and each.pk not in choice.lists]
    joined = [each for each in lists if each.pk not in on and each.pk in choice.lists]
    if is_suppressed(recipient):
        joined = []  # who asked for nothing at all comes back by a form, and confirms that
    subscribe(recipient, joined, now=now)
    Signup.objects.filter(recipient=recipient, mailing_list__in=joined).delete()
    said = [*_joined(recipient, joined, origin), *_on_tracking(recipient, choice.tracking, origin)]
    recipient.paused_until = choice.paused_until
    recipient.language = choice.language
    if choice.tracking != TrackingConsent.UNKNOWN:
        recipient.tracking_consent = choice.tracking
    recipient.updated_at = now
    recipient.save(update_fields=["paused_until", "language", "tracking_consent", "updated_at"])
    count = unsubscribe(recipient, lists=left, source=SOURCE, now=now, origin=origin)
    consent.record(said, now=now)
    return count


def _joined(
    recipient: Recipient, lists: Iterable[MailingList], origin: Origin
) -> Iterator[Consent]:
    """Yield what it is to tick a list: to ask for it and to confirm it, both at once."""
    for each in lists:
        wording = consent.keep_wording(joining_words(each))
        for action in (ConsentAction.GRANTED, ConsentAction.CONFIRMED):
            yield Consent(
                recipient.key,
                action,
                SOURCE,
                recipient_id=recipient.pk,
                mailing_list_id=each.pk,
                wording=wording,
                origin=origin,
            )


def _on_tracking(
    recipient: Recipient, choice: TrackingConsent, origin: Origin
) -> Iterator[Consent]:
    if choice in {recipient.tracking_consent, TrackingConsent.UNKNOWN}:
        return
    is_granted = choice == TrackingConsent.GRANTED
    yield Consent(
        recipient.key,
        ConsentAction.GRANTED if is_granted else ConsentAction.WITHDRAWN,
        SOURCE,
        recipient_id=recipient.pk,
        purpose=ConsentPurpose.TRACKING,
        wording=consent.keep_wording(f"{TRACKING_WORDS} {'Yes' if is_granted else 'No'}"),
        origin=origin,
    )

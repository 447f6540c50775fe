"""Double opt-in: somebody asks in a person's name, the person confirms, or it is forgotten."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.module_loading import import_string

from recipients import consent, locks, notices
from recipients.addresses import Address
from recipients.consent import Consent, Origin
from recipients.models import (
    ConsentAction,
    ConsentEvent,
    ConsentPurpose,
    ConsentWording,
    MailingList,
    Notice,
    NoticeKind,
    Recipient,
    Signup,
    SignupForm,
    Subscription,
    SubscriptionState,
    Suppression,
)
from recipients.models.signup import CONFIRM_WITHIN, QUIET
from recipients.origin import network_of
from recipients.values import Value

# One statement, so that those who come at once are counted one after the other.
_COUNT = """
INSERT INTO recipients_signupwindow (who, hour, used)
VALUES (%(who)s, date_trunc('hour', %(now)s::timestamptz), 1)
ON CONFLICT (who, hour) DO UPDATE SET used = recipients_signupwindow.used + 1
RETURNING used
"""

# Who was only ever asked for by a form, has not confirmed in time, and has nothing else: no
# subscription but a pending one, no tag, no word in the ledger but having asked. (Messages of
# campaigns need no look: nobody gets one who never confirmed. The ledger is asked last: by its
# index, for the few who are left.)
_FORGOTTEN = """
SELECT recipient.id FROM recipients_recipient recipient
 WHERE recipient.created_at <= %(before)s AND recipient.imported_by_id IS NULL
   AND EXISTS (SELECT 1 FROM recipients_subscription pending
                WHERE pending.recipient_id = recipient.id AND pending.state = 'pending')
   AND NOT EXISTS (SELECT 1 FROM recipients_subscription other
                    WHERE other.recipient_id = recipient.id AND other.state <> 'pending')
   AND NOT EXISTS (SELECT 1 FROM recipients_signup
                    WHERE recipient_id = recipient.id AND asked_at > %(before)s)
   AND NOT EXISTS (SELECT 1 FROM recipients_tagging WHERE recipient_id = recipient.id)
   AND EXISTS (SELECT 1 FROM recipients_consentevent
                WHERE recipient_id = recipient.id AND source LIKE 'form %%')
   AND NOT EXISTS (SELECT 1 FROM recipients_consentevent
                    WHERE recipient_id = recipient.id AND action <> 'granted')
 ORDER BY recipient.id LIMIT %(batch)s
   FOR UPDATE OF recipient SKIP LOCKED
"""
BATCH = 1_000  # people in one transaction


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed into a form, and checked."""

    address: Address
    wording: bytes
    """The words that were shown beside it, as `consent.keep_wording` knows them."""
    answers: Mapping[str, Value]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a welcome hook is told: who confirmed these lists for the first time."""

    recipient: Recipient
    lists: list[MailingList]
    form: SignupForm | None


def publish(form: SignupForm) -> None:
    """Keep the words of a form, so that a copy of it in somebody's page stays valid."""
    digest = consent.keep_wording(form.wording, language=form.language)
    form.wordings.add(*ConsentWording.objects.filter(digest=digest))


def is_network_full(origin: Origin, *, now: datetime) -> bool:
    """Count a use of a form, and say whether this network has used forms too often this hour."""
    return _count(network_of(origin), now=now) > settings.SIGNUP_NETWORK_LIMIT


def ask(form: SignupForm, asked: Asked, *, now: datetime) -> None:
    """Note that somebody asks for the form's list, and have the person asked to confirm.

    Nothing is returned, and the same is done for each address: who asks must not learn whether it
    is known, suppressed, or subscribed. Above the limit of an address it is not even noted.
    """
    digest = consent.subject(asked.address.key)
    if _count(f"address {digest.hex()[:40]}", now=now) > settings.SIGNUP_ADDRESS_LIMIT:
        return
    with transaction.atomic():
        locks.write_addresses()
        recipient = _hold(asked.address, language=form.language, now=now)
        _note(recipient, form, asked, now=now)
        if _needs_message(recipient, form.mailing_list_id, digest, now=now):
            notices.write(NoticeKind.CONFIRMATION, recipient=recipient, form=form, now=now)
        notices.wake()
        consent.record([_granted(recipient, form, asked)], now=now)


def to_confirm(recipient: Recipient, *, now: datetime) -> QuerySet[MailingList]:
    """Return the lists that a recipient is asked to confirm.

    Those that are pending, and those that were asked for again after the recipient had left.
    """
    subscribed = Subscription.objects.filter(recipient=recipient, mailing_list=OuterRef("pk"))
    confirmed = subscribed.filter(state=SubscriptionState.CONFIRMED)
    pending = subscribed.filter(state=SubscriptionState.PENDING)
    asked = Signup.objects.fresh(now=now).filter(recipient=recipient, mailing_list=OuterRef("pk"))
    if _liftable(recipient).exists():
        return MailingList.objects.filter(Exists(asked) | Exists(pending))
    return MailingList.objects.filter(Exists(asked) | Exists(pending)).exclude(Exists(confirmed))


def confirmed(recipient: Recipient) -> QuerySet[MailingList]:
    """Return the lists that a recipient gets."""
    return MailingList.objects.filter(
        subscription__recipient=recipient, subscription__state=SubscriptionState.CONFIRMED
    ).order_by("name")


def answers(recipient: Recipient, *, now: datetime) -> dict[str, Value]:
    """Return what was answered in the forms that wait to be confirmed."""
    lists = to_confirm(recipient, now=now)
    asked = Signup.objects.fresh(now=now).filter(recipient=recipient, mailing_list__in=lists)
    return _merged(asked)


@transaction.atomic
def confirm(notice: Notice, *, lists: Collection[int], origin: Origin, now: datetime) -> int:
    """Confirm the lists that a person was shown; return how many that are. May be repeated.

    It lifts what the person had asked for before, to be left alone or forgotten, and nothing else.

    :raises Recipient.DoesNotExist: erased or merged since the notice was read.
    """
    locks.write_addresses()
    recipient = Recipient.objects.select_for_update().get(pk=notice.recipient_id)
    confirmed = list(to_confirm(recipient, now=now).filter(pk__in=lists))
    if not confirmed:
        return 0
    first = _first_time(recipient, confirmed)
    signups = Signup.objects.filter(recipient=recipient, mailing_list__in=confirmed)
    wordings = {each.mailing_list_id: bytes(each.wording) for each in signups}
    _take_over(recipient, _merged(signups), now=now)
    signups.delete()
    subscribe(recipient, confirmed, now=now)
    _liftable(recipient).delete()
    _greet(recipient, first, notice.form, now=now)
    consent.record(
        [
            Consent(
                recipient.key,
                ConsentAction.CONFIRMED,
                f"link in message {notice.pk}",
                recipient_id=recipient.pk,
                mailing_list_id=each.pk,
                wording=wordings.get(each.pk),
                origin=origin,
            )
            for each in confirmed
        ],
        now=now,
    )
    return len(confirmed)


def subscribe(recipient: Recipient, lists: Iterable[MailingList], *, now: datetime) -> None:
    """Set subscriptions to confirmed, in the caller's transaction, which writes the events."""
    Subscription.objects.bulk_create(
        [
            Subscription(
                recipient=recipient,
                mailing_list=each,
                state=SubscriptionState.CONFIRMED,
                changed_at=now,
            )
            for each in lists
        ],
        update_conflicts=True,
        unique_fields=["mailing_list", "recipient"],
        update_fields=["state", "changed_at"],
    )


def forget_unconfirmed(*, now: datetime) -> int:
    """Delete people who did not confirm in time and have nothing else; return how many."""
    Signup.objects.stale(now=now).delete()
    forgotten, last = 0, BATCH
    while last == BATCH:
        last = _forget_some(now=now)
        forgotten += last
    return forgotten


@transaction.atomic
def _forget_some(*, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_FORGOTTEN, {"before": now - CONFIRM_WITHIN, "batch": BATCH})
        ids = [pk for (pk,) in cursor.fetchall()]
    people = list(Recipient.objects.filter(pk__in=ids))
    forgotten = [
        Consent(
            each.key,
            ConsentAction.ERASED,
            "never confirmed",
            recipient_id=each.pk,
            purpose=ConsentPurpose.EVERYTHING,
        )
        for each in people
    ]
    Recipient.objects.filter(pk__in=ids).delete()
    consent.record(forgotten, now=now)
    return len(ids)


def _count(who: str, *, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"who": who, "now": now})
        [(used,)] = cursor.fetchall()
    return int(used)


def _hold(address: Address, *, language: str, now: datetime) -> Recipient:
    """Return the recipient of an address, made if there is none, locked in either case."""
    [held] = Recipient.objects.bulk_create(
        [
            Recipient(
                address=address.addr_spec,
                key=address.key,
                domain=address.domain,
                needs_smtputf8=address.needs_smtputf8,
                language=language,
                created_at=now,
                updated_at=now,
            )
        ],
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=["domain"],
    )
    return held


def _note(recipient: Recipient, form: SignupForm, asked: Asked, *, now: datetime) -> None:
    Signup.objects.bulk_create(
        [
            Signup(
                recipient=recipient,
                mailing_list_id=form.mailing_list_id,
                form=form,
                wording=asked.wording,
                answers=dict(asked.answers),
                asked_at=now,
            )
        ],
        update_conflicts=True,
        unique_fields=["recipient", "mailing_list"],
        update_fields=["form", "wording", "answers", "asked_at"],
    )
    pending = Subscription(
        recipient=recipient,
        mailing_list_id=form.mailing_list_id,
        state=SubscriptionState.PENDING,
    )
    Subscription.objects.bulk_create([pending], ignore_conflicts=True)


def _granted(recipient: Recipient, form: SignupForm, asked: Asked) -> Consent:
    return Consent(
        recipient.key,
        ConsentAction.GRANTED,
        f"form {form.slug}",
        recipient_id=recipient.pk,
        mailing_list_id=form.mailing_list_id,
        wording=asked.wording,
        origin=asked.origin,
    )


def _needs_message(recipient: Recipient, list_id: int, digest: bytes, *, now: datetime) -> bool:
    """Whether the person is to be asked: something is to be confirmed, and nothing forbids it."""
    of_kind = Notice.objects.filter(recipient=recipient, kind=NoticeKind.CONFIRMATION)
    lasting = Suppression.objects.lasting(key=recipient.key, domain=recipient.domain, digest=digest)
    asked_already = of_kind.handed_over(since=now - QUIET).exists()
    is_suppressed = lasting.exists()
    is_pending = to_confirm(recipient, now=now).filter(pk=list_id).exists()
    # All three are asked whatever the others answer: the time that it takes tells nothing.
    return is_pending and not is_suppressed and not asked_already


def _liftable(recipient: Recipient) -> QuerySet[Suppression]:
    of_person = Suppression.objects.of_person(
        key=recipient.key, digest=consent.subject(recipient.key)
    )
    return of_person.liftable()


def _merged(signups: Iterable[Signup]) -> dict[str, Value]:
    merged: dict[str, Value] = {}
    for each in sorted(signups, key=lambda signup: signup.asked_at):
        merged |= each.answers
    return merged


def _take_over(recipient: Recipient, said: Mapping[str, Value], *, now: datetime) -> None:
    if said:
        recipient.fields = {**recipient.fields, **said}
        recipient.updated_at = now
        recipient.save(update_fields=["fields", "updated_at"])


def _first_time(recipient: Recipient, lists: list[MailingList]) -> list[MailingList]:
    """Return the lists that this recipient was never confirmed for before, in whatever way."""
    before = ConsentEvent.objects.filter(
        recipient_id=recipient.pk, action__in=[ConsentAction.CONFIRMED, ConsentAction.IMPORTED]
    )
    known = set(before.values_list("mailing_list_id", flat=True))
    return [each for each in lists if each.pk not in known]


def _greet(
    recipient: Recipient, lists: list[MailingList], form: SignupForm | None, *, now: datetime
) -> None:
    """Welcome a person: by a message where a form has words for it, and by the hooks."""
    if not lists:
        return
    forms = SignupForm.objects.filter(mailing_list__in=lists).exclude(welcome_text="")
    own = Q(pk=form.pk) if form else Q(pk=None)
    if words := forms.filter(own).first() or forms.order_by("pk").first():
        notices.write(NoticeKind.WELCOME, recipient=recipient, form=words, now=now)
        notices.wake()
    for name in settings.WELCOME_HOOKS:
        _call_later(name, Welcome(recipient, lists, form))


def _call_later(name: str, welcome: Welcome) -> None:
    def call() -> None:  # no partial: Django logs the name of what failed, and one has none
        import_string(name)(welcome)

    # A hook that fails is logged; the person has confirmed all the same.
    transaction.on_commit(call, robust=True)

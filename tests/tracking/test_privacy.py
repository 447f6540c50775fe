"""What is known of a person, handed out and erased, also while they are being mailed."""

import io
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django_celery_results.models import TaskResult
from pytest_django import Settings

from campaigns.models import Gate, Run
from campaigns.sending import snapshot
from campaigns.sending.claim import claim, still_allowed
from campaigns.sending.outcomes import Cause, Deferred, Outcome, Rejected, Scope
from campaigns.sending.record import Result, record
from campaigns.sending.retry_policy import RetryPolicy
from recipients import consent, privacy
from recipients.consent import Consent, Origin, subject
from recipients.forms.recipients import RecipientForm
from recipients.importing import jobs, merging
from recipients.importing.at_once import import_file, read_file
from recipients.merging import merge
from recipients.models import (
    ConsentAction,
    ConsentDetail,
    ConsentEvent,
    ConsentPurpose,
    Export,
    Field,
    FieldKind,
    Import,
    ImportChange,
    LiftedSuppression,
    Merge,
    Notice,
    NoticeKind,
    Recipient,
    Segment,
    Subscription,
    Suppression,
    SuppressionReason,
    Tag,
    Tagging,
)
from tests.factories import make_campaign, make_list, make_recipient, make_recipients, make_run
from tests.live import wait_until
from tests.threads import in_a_connection_of_its_own, waiting_for_locks
from tracking import links
from tracking.models import Delivery, Departure, RunCounters, WebhookEvent
from tracking.verify import disagreements

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
POLICY = RetryPolicy(schedule=[timedelta(minutes=10)], transport_wait=timedelta(seconds=30))
ADDRESS, KEY = "Ada.Lovelace@Example.org", "ada.lovelace@example.org"
FORMER = "al@example.net"
REFUSED = Rejected(reply_code=550, diagnostic=f"<{ADDRESS}>: no such user here")
DEFERRED = Deferred(
    reply_code=450, diagnostic=f"<{ADDRESS}>: later", scope=Scope.RECIPIENT, cause=Cause.GREYLISTED
)


def erase(key: str = KEY) -> bool:
    return privacy.erase(key, source="asked for it", now=NOW)


def tables_naming(address: str) -> set[str]:
    """Return the tables of which some row, as a dump would write it, has the address."""
    found = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT lower(row::text) FROM "{table}" row')
            rows = "\n".join(text for (text,) in cursor.fetchall())
            if address.lower() in rows or address.lower().encode().hex() in rows:
                found.add(table)
    return found


def sent(outcome: Outcome, *others: str) -> Run:
    """Have a run to Ada and others whose messages ended like this; nothing of it is open but Ada's.

    Two more runs wait: one for its first page, one for the next attempt.
    """
    readers = make_list()
    ada = make_recipient(ADDRESS, lists=[readers], fields={"first_name": "Ada"})
    for address in others:
        make_recipient(address, lists=[readers])
    run = make_run(make_campaign(lists=[readers]), now=NOW)
    [held] = claimed(run, ada)
    lease = Delivery.objects.get(pk=held).lease
    assert lease
    record(run.pk, [Result(held, 1, "<1@x>", outcome)], lease=lease, policy=POLICY, now=NOW)
    return run


def claimed(run: Run, recipient: Recipient) -> list[int]:
    ids = list(Delivery.objects.filter(run=run, recipient=recipient).values_list("pk", flat=True))
    return [
        one.id for one in claim(run.pk, ids, now=NOW, lease_for=timedelta(minutes=5)).deliveries
    ]


def write_her_down_everywhere(ada: Recipient) -> None:
    readers = make_list()
    Tagging.objects.create(tag=Tag.objects.create(name="early"), recipient=ada)
    Run.objects.update(held_reason=f"all failed alike: <{ADDRESS}> is unknown")
    Gate.objects.create(answer=f"421 too many for {ADDRESS}")
    event = Consent(
        KEY, ConsentAction.GRANTED, "form", ada.pk, readers.pk, origin=Origin("192.0.2.7", "Lynx")
    )
    consent.record([event], now=NOW)
    imported = Import.objects.create(
        file_name="fair.csv",
        sha256="",
        size=1,
        findings={"typos": [ADDRESS]},
        trouble=["column %(name)s is wrong", {"name": ADDRESS}],
    )
    ImportChange.objects.create(importing=imported, recipient=ada, before={"mail": ADDRESS})
    friend = make_recipient("friend@example.org", fields={"friend": ADDRESS})
    ImportChange.objects.create(importing=imported, recipient=friend, before={"friend": ADDRESS})
    Notice.objects.create(recipient=ada, kind=NoticeKind.WELCOME, diagnostic=ADDRESS)
    Merge.objects.create(
        recipient=ada, former_id=999, former_address=FORMER, former_key=FORMER, merged_at=NOW
    )
    Suppression.objects.create(key=KEY, reason="complaint", source=f"{ADDRESS} complained")
    Suppression.objects.create(key=FORMER, reason="bounce")
    Suppression.objects.create(key="friend@example.org", reason="manual", source=f"of {ADDRESS}")
    LiftedSuppression.objects.create(
        key=KEY, reason="manual", suppressed_at=NOW, lifted_at=NOW, why=f"for {ADDRESS}"
    )
    Segment.objects.create(name="erased", rules={})
    Segment.objects.create(name=ADDRESS, rules={"value": ADDRESS})
    Tag.objects.create(name=f"friends of {ADDRESS}")
    LogEntry.objects.create(
        user=User.objects.create(), object_repr=ADDRESS, action_flag=CHANGE, change_message=ADDRESS
    )
    for number, address in enumerate((ADDRESS, "friend@example.org")):
        payload = {"recipient": address, "raw": {"to": [ADDRESS], "subject": "For Ada"}}
        WebhookEvent.objects.create(
            provider="brevo", key=bytes([number]), event_type="bounced", message_id="<1@x>",
            payload=payload, received_at=NOW,
        )  # fmt: skip
    export = Export.objects.create(
        what="everybody", asked={"text": ADDRESS}, created_at=NOW, expires_at=NOW
    )
    export.file.save("", ContentFile(ADDRESS.encode()))


# --- erased -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_dump_of_the_database_does_not_have_the_address_in_any_case(
    settings: Settings, django_capture_on_commit_callbacks: Any
) -> None:
    settings.CONSENT_ORIGIN_DAYS = 30
    run = sent(REFUSED, "bob@example.org")
    make_run(make_campaign("Waiting"), now=NOW)
    write_her_down_everywhere(Recipient.objects.get(key=KEY))
    file = Export.objects.get().file.name
    before = tables_naming(ADDRESS)

    with django_capture_on_commit_callbacks(execute=True):
        assert erase()

    assert before >= {
        "campaigns_gate", "campaigns_run", "django_admin_log",
        "django_celery_results_taskresult", "recipients_export", "recipients_import",
        "recipients_importchange",
        "recipients_liftedsuppression", "recipients_notice", "recipients_recipient",
        "recipients_segment", "recipients_suppression", "recipients_tag", "tracking_delivery",
        "tracking_webhookevent",
    }  # fmt: skip
    assert tables_naming(ADDRESS) == tables_naming(FORMER) == set()
    assert tables_naming("bob@example.org") >= {"tracking_delivery", "recipients_recipient"}
    assert not ConsentDetail.objects.exists()
    assert not default_storage.exists(str(file))
    assert disagreements(Run.objects.ids(), kept_since=None) == []
    refused = Delivery.objects.get(run=run, state="failed")
    assert (refused.reply_code, refused.message_id, refused.recipient_id) == (550, "<1@x>", None)


@pytest.mark.django_db
def test_what_was_said_of_others_loses_the_address_and_nothing_else() -> None:
    readers = make_list()
    bob = make_recipient("bob@example.org", lists=[readers])
    run = make_run(make_campaign(lists=[readers]), now=NOW)
    [held] = claimed(run, bob)
    lease = Delivery.objects.get(pk=held).lease
    assert lease
    forwarded = Rejected(reply_code=550, diagnostic=f"<bob@example.org>, to <{ADDRESS}>: unknown")
    record(run.pk, [Result(held, 1, "<1@x>", forwarded)], lease=lease, policy=POLICY, now=NOW)
    Notice.objects.create(recipient=bob, kind=NoticeKind.WELCOME, diagnostic=f"no {ADDRESS}")
    Departure.objects.create(delivery_id=held, comment=f"Ask {ADDRESS}, not bob@example.org.")
    before = tables_naming(ADDRESS)

    erase()

    assert before == {
        "django_celery_results_taskresult", "recipients_notice", "tracking_delivery",
        "tracking_departure",
    }  # fmt: skip
    assert tables_naming(ADDRESS) == set()
    refused, task = Delivery.objects.get(), TaskResult.objects.get()
    assert (refused.state, refused.recipient) == ("failed", bob)
    assert refused.diagnostic == "<bob@example.org>, to <erased>: unknown"
    assert json.loads(task.result)["diagnostic"] == refused.diagnostic
    assert Departure.objects.get().comment == "Ask erased, not bob@example.org."
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.django_db
def test_why_a_person_left_goes_with_them() -> None:
    run = sent(REFUSED, "bob@example.org")
    hers, his = Delivery.objects.filter(run=run).order_by("pk")
    Departure.objects.create(delivery=hers, reason="other", comment="I am Ada of number 12.")
    Departure.objects.create(delivery=his, comment="Bye.")
    known = privacy.known(privacy.person(KEY))["messages"]

    erase()

    assert [each["comment"] for each in known] == ["I am Ada of number 12."]
    assert list(Departure.objects.values_list("comment", flat=True)) == ["Bye."]


@pytest.mark.django_db
def test_what_a_provider_told_of_a_person_is_handed_out_and_not_taken_once_more() -> None:
    make_recipient(ADDRESS)
    told = {"provider": "brevo", "key": b"1", "event_type": "bounced", "received_at": NOW}
    payload = {"recipient": ADDRESS, "description": "gone"}
    WebhookEvent.objects.create(**told, message_id="<1@x>", payload=payload)
    [known] = privacy.known(privacy.person(KEY))["provider events"]

    erase()
    again = [WebhookEvent(**told, payload=payload)]
    WebhookEvent.objects.bulk_create(again, ignore_conflicts=True)

    assert (known["event_type"], known["description"]) == ("bounced", "gone")
    kept = WebhookEvent.objects.get()
    assert (kept.payload, kept.message_id, kept.handled_at) == ({}, "", NOW)


@pytest.mark.django_db
def test_a_longer_address_is_not_taken_for_hers() -> None:
    make_recipient("a+b@example.org")
    texts = [
        "xa+b@example.org",
        "a+b@example.organic",
        "a+b@example.org.example",
        "a.b@example.org",
    ]
    for text in texts:
        Suppression.objects.create(key=text, reason="manual", source=f"<{text}>")
    hers = Suppression.objects.create(
        key="x.example", reason="manual", source="See A+B@Example.org."
    )

    erase("a+b@example.org")

    assert [each.source for each in Suppression.objects.filter(key__in=texts).order_by("pk")] == [
        f"<{text}>" for text in texts
    ]
    hers.refresh_from_db()
    assert hers.source == "See erased."


@pytest.mark.django_db
def test_an_address_is_known_by_its_domain_as_people_write_it() -> None:
    make_recipient("ada@xn--bcher-kva.example")
    note = Suppression.objects.create(
        key="x.example", reason="manual", source="Ada@Bücher.Example, ada@xn--bcher-kva.example"
    )

    erase("ada@xn--bcher-kva.example")

    note.refresh_from_db()
    assert note.source == "erased, erased"


@pytest.mark.django_db
def test_erasure_is_written_down_by_digest_alone_and_may_be_repeated() -> None:
    ada = make_recipient(ADDRESS)
    Suppression.objects.create(key=KEY, reason="complaint", source="a feedback loop")

    news = [erase(), erase()]

    assert news == [True, False]
    entry = Suppression.objects.get()
    assert bytes(entry.digest or b"") == subject(KEY)
    assert (entry.key, entry.reason) == (None, SuppressionReason.ERASED)
    assert entry.source == "before: complaint (a feedback loop)"
    event = ConsentEvent.objects.get()
    assert bytes(event.subject) == subject(KEY)
    assert (event.action, event.recipient_id) == (ConsentAction.ERASED, ada.pk)
    assert consent.verify().problems == []


@pytest.mark.django_db
def test_somebody_whose_row_was_deleted_before_is_erased_by_the_address() -> None:
    sent(REFUSED, "bob@example.org")
    Suppression.objects.create(key=KEY, reason="bounce")
    make_run(make_campaign("Left out of it"), now=NOW)
    event = Consent(KEY, ConsentAction.GRANTED, "form", purpose=ConsentPurpose.TRACKING)
    consent.record([event], now=NOW)
    Recipient.objects.filter(key=KEY).delete()
    known = privacy.known(privacy.person(KEY))

    assert erase()

    assert len(known["messages"]) == 2
    assert [said["action"] for said in known["consent"]] == ["granted"]
    assert tables_naming(ADDRESS) == set()


@pytest.mark.django_db
def test_an_import_that_waits_for_a_person_forgets_her_and_goes_on_without_her() -> None:
    lines = f"email,points\n{ADDRESS},1\n{ADDRESS},many\nbob@example.org,2\n".encode()
    Field.objects.create(name="points", kind=FieldKind.NUMBER)
    importing = read_file(
        io.BytesIO(lines), name="all.csv", mailing_list=make_list(), clock=lambda: NOW
    )
    before = tables_naming(ADDRESS)

    erase()
    left = tables_naming(ADDRESS)
    again = read_file(
        io.BytesIO(lines + f"{ADDRESS},more\ncarol@example.org,none\n".encode()),
        name="again.csv",
        mailing_list=make_list(),
        clock=lambda: NOW,
    )
    after = tables_naming(ADDRESS)
    for each in (importing, again):
        jobs.go(each, now=NOW)
        while merging.merge_next(each.pk, now=NOW):
            pass

    pk = importing.pk
    assert before == {f"import_{part}_{pk}" for part in ("read", "rejected", "sorted")}
    assert left == after == set()
    assert tables_naming("carol@example.org") == {f"import_rejected_{again.pk}"}
    assert [each.address for each in Recipient.objects.all()] == ["bob@example.org"]


@pytest.mark.django_db
def test_an_import_that_forgot_a_person_goes_on_without_her_when_she_is_back() -> None:
    file = io.BytesIO(f"email\n{ADDRESS}\nbob@example.org\n".encode())
    importing = read_file(file, name="x.csv", mailing_list=make_list(), clock=lambda: NOW)
    erase()
    Suppression.objects.all().delete()  # as where she subscribes, and confirms

    jobs.go(importing, now=NOW)
    while merging.merge_next(importing.pk, now=NOW):
        pass

    importing.refresh_from_db()
    assert [each.address for each in Recipient.objects.all()] == ["bob@example.org"]
    assert (importing.new, importing.suppressed, importing.duplicates) == (1, 1, 0)


@pytest.mark.django_db
def test_who_was_erased_stays_so_whoever_writes_the_address() -> None:
    make_recipient(ADDRESS)
    erase()

    file = io.BytesIO(f"email\n{ADDRESS}\nbob@example.org\n{ADDRESS}\n".encode())
    report = import_file(file, name="x.csv", mailing_list=make_list(), clock=lambda: NOW)
    recipient = RecipientForm({"address": ADDRESS, "fields": "{}"})

    assert (report.new, report.suppressed, report.duplicates) == (1, 1, 1)
    assert "asked to be forgotten" in str(recipient.errors)
    assert tables_naming(ADDRESS) == set()


# --- while they are mailed --------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["queued", "retry"])
def test_what_is_still_open_is_left_out_at_once(state: str) -> None:
    run = sent(DEFERRED)
    if state == "queued":
        run = make_run(make_campaign("Next"), now=NOW)

    erase()

    delivery = Delivery.objects.get(run=run)
    assert (delivery.state, delivery.skip_reason) == ("skipped", "no_address")
    assert RunCounters.objects.get(run=run).as_dict()["skipped"] == 1
    assert disagreements(Run.objects.ids(), kept_since=None) == []


@pytest.mark.django_db
@pytest.mark.parametrize(("outcome", "state"), [(REFUSED, "failed"), (DEFERRED, "retry")])
def test_what_a_worker_holds_is_recorded_without_what_was_answered(
    outcome: Outcome, state: str
) -> None:
    readers = make_list()
    ada = make_recipient(ADDRESS, lists=[readers])
    run = make_run(make_campaign(lists=[readers]), now=NOW)
    [pk] = claimed(run, ada)
    lease = Delivery.objects.get().lease
    assert lease

    erase()
    allowed = still_allowed(run.pk, [pk], now=NOW)
    record(run.pk, [Result(pk, 1, "<1@x>", outcome)], lease=lease, policy=POLICY, now=NOW)

    assert allowed == set()
    assert Delivery.objects.get().state == state
    assert tables_naming(ADDRESS) == set()
    assert disagreements([run.pk], kept_since=None) == []
    later = NOW + timedelta(hours=1)
    assert not claim(run.pk, [pk], now=later, lease_for=timedelta(minutes=5)).deliveries
    assert Delivery.objects.get().state == ("skipped" if state == "retry" else state)


@pytest.mark.django_db(transaction=True)
def test_an_erasure_and_workers_that_claim_and_record_do_not_block_each_other() -> None:
    readers = make_list()
    ada = make_recipient(ADDRESS, lists=[readers])
    make_recipients(2, mailing_list=readers)
    run, other = (make_run(make_campaign(name, lists=[readers]), now=NOW) for name in "AB")
    ids = list(Delivery.objects.filter(run=run).order_by("pk").values_list("pk", flat=True))
    [held] = claimed(other, ada)
    lease = Delivery.objects.get(pk=held).lease
    assert lease
    result = Result(held, 1, "<1@x>", REFUSED)
    acts: list[Callable[[], object]] = [
        lambda: claim(run.pk, ids, now=NOW, lease_for=timedelta(minutes=5)),
        lambda: record(other.pk, [result], lease=lease, policy=POLICY, now=NOW),
        erase,
    ]
    done: list[Future[object]] = []

    with ThreadPoolExecutor(3) as threads:
        with transaction.atomic():
            # Each stops in its midst, with its deliveries in hand.
            list(RunCounters.objects.select_for_update().order_by("run"))
            for act in acts:
                done.append(threads.submit(in_a_connection_of_its_own, act))
                wait_until(lambda: waiting_for_locks() == len(done), "it waits", timeout=10)
        for future in done:
            future.result()

    assert tables_naming(ADDRESS) == set()
    assert disagreements(Run.objects.ids(), kept_since=None) == []


@pytest.mark.django_db(transaction=True)
def test_an_erasure_holds_all_of_a_run_that_it_will_write_before_it_counts() -> None:
    readers = make_list()
    ada, other, bob = (
        make_recipient(address, lists=[readers]) for address in (ADDRESS, FORMER, "bob@example.org")
    )
    Merge.objects.create(
        recipient=ada, former_id=other.pk, former_address=FORMER, former_key=FORMER, merged_at=NOW
    )
    run = make_run(make_campaign(lists=[readers]), now=NOW)
    ids = list(Delivery.objects.filter(recipient__in=[other, bob]).values_list("pk", flat=True))
    batch = claim(run.pk, ids, now=NOW, lease_for=timedelta(minutes=5))
    Delivery.objects.filter(recipient=bob).update(diagnostic=f"forwarded to {ADDRESS}")
    results = [Result(one.id, one.attempts, "<1@x>", REFUSED) for one in batch.deliveries]
    acts: list[Callable[[], object]] = [
        erase,
        lambda: record(run.pk, results, lease=batch.lease, policy=POLICY, now=NOW),
    ]
    done: list[Future[object]] = []

    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            # What is queued is hers, and makes the erasure count; what the worker records, too.
            RunCounters.objects.select_for_update().get(run=run)
            for act in acts:
                done.append(threads.submit(in_a_connection_of_its_own, act))
                wait_until(lambda: waiting_for_locks() == len(done), "it waits", timeout=10)
        for future in done:
            future.result()

    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["failed"] * 2 + ["skipped"]
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.django_db(transaction=True)
def test_a_slice_of_the_audience_that_read_her_address_is_waited_for() -> None:
    readers = make_list()
    make_recipient(ADDRESS, lists=[readers])
    run = make_run(make_campaign(lists=[readers]), now=NOW, snapshot_taken=False)
    done: list[Future[object]] = []

    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            # The slice has read her, and waits for the counters; she is erased at that moment.
            RunCounters.objects.select_for_update().get(run=run)
            acts: list[Callable[[], object]] = [
                lambda: snapshot.take_slice(run.pk, now=NOW),
                erase,
            ]
            for act in acts:
                done.append(threads.submit(in_a_connection_of_its_own, act))
                wait_until(lambda: waiting_for_locks() == len(done), "it waits", timeout=10)
        for future in done:
            future.result()

    assert tables_naming(ADDRESS) == set()
    assert Delivery.objects.get().state == "skipped"
    assert disagreements([run.pk], kept_since=None) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("link", "sent", "status"),
    [
        (links.unsubscribe_url, {"List-Unsubscribe": "One-Click"}, 200),
        (links.unsubscribe_url, {"List-Unsubscribe": "One-Click", "scope": "all"}, 200),
        (links.preferences_url, {"nothing": "1"}, 404),
        (links.preferences_url, {"paused_until": "", "language": ""}, 404),
        (links.preferences_url, {"known": "1"}, 404),
    ],
)
def test_who_is_erased_while_they_press_a_button_is_answered(
    link: Callable[[int], str], sent: dict[str, str], status: int
) -> None:
    make_recipient(ADDRESS, lists=[make_list()])
    make_run(make_campaign(), now=NOW)
    path = link(Delivery.objects.get().pk).removeprefix(settings.SITE_URL)

    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        erase()
        answer = threads.submit(in_a_connection_of_its_own, lambda: Client().post(path, sent))
        wait_until(lambda: waiting_for_locks() == 1, "it waits", timeout=10)

    assert cast("HttpResponse", answer.result()).status_code == status
    assert tables_naming(ADDRESS) == set()


@pytest.mark.django_db(transaction=True)
def test_who_is_merged_while_they_unsubscribe_has_left_by_either_address() -> None:
    readers = make_list()
    kept, other = make_recipient(FORMER), make_recipient(ADDRESS, lists=[readers])
    make_run(make_campaign(lists=[readers]), now=NOW)
    path = links.unsubscribe_url(Delivery.objects.get().pk).removeprefix(settings.SITE_URL)
    click = {"List-Unsubscribe": "One-Click"}

    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        merge(kept.pk, other.pk, by="root", now=NOW)
        answer = threads.submit(in_a_connection_of_its_own, lambda: Client().post(path, click))
        wait_until(lambda: waiting_for_locks() == 1, "it waits", timeout=10)

    assert cast("HttpResponse", answer.result()).status_code == 200
    subscription = Subscription.objects.get()
    assert (subscription.recipient, subscription.state) == (kept, "unsubscribed")

"""Imports as a whole: files in, recipients out, whatever happens in between."""

import csv
import io
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from recipients import consent
from recipients.importing import jobs, merging, rejects, staging, undoing
from recipients.importing.at_once import import_file, read_file
from recipients.importing.forgetting import forget
from recipients.importing.layout import Layout
from recipients.models import (
    ConsentEvent,
    Field,
    FieldKind,
    Import,
    ImportChange,
    ImportSlice,
    ImportStatus,
    MailingList,
    MergePolicy,
    Recipient,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
    Tag,
)
from recipients.privacy import erase
from recipients.services import unsubscribe
from recipients.suppression import suppress
from tests.factories import make_list, make_recipient

pytestmark = pytest.mark.django_db


def load(text: str, *, mailing_list: MailingList | None = None, **chosen: Any) -> Import:
    return import_file(
        io.BytesIO(text.encode()),
        name="people.csv",
        mailing_list=mailing_list or make_list(),
        clock=timezone.now,
        **chosen,
    )


def counts(importing: Import) -> dict[str, int]:
    names = ("new", "changed", "unchanged", "duplicates", "invalid", "suppressed")
    return {name: getattr(importing, name) for name in names if getattr(importing, name)}


def lines(count: int) -> str:
    return "email,name\n" + "".join(f"r{n:05}@example.org,R{n}\n" for n in range(count))


def test_good_rows_are_imported_and_bad_ones_kept_aside() -> None:
    readers = make_list()

    done = load(
        "email,name\nada@example.org,Ada\nwrong,X\nADA@example.org,Twice\n", mailing_list=readers
    )

    assert done.status == ImportStatus.DONE
    assert counts(done) == {"new": 1, "duplicates": 1, "invalid": 1}
    assert [row.line for row in staging.rejected(done.pk)] == [3]
    ada = Recipient.objects.get()
    assert (ada.address, ada.key, ada.domain) == (
        "ada@example.org",
        "ada@example.org",
        "example.org",
    )
    assert ada.fields == {"name": "Ada"}
    assert Recipient.objects.subscribed_to(readers).get() == ada
    assert Field.objects.get().name == "name"


def test_rejected_rows_are_imported_when_mended_as_if_they_had_never_been_wrong() -> None:
    swallowed = "x" * 200_000
    done = load(f"email,name\nwrong,=Ada\nbob@example.org,{swallowed}\nnone,'=Cy\n")
    csv.field_size_limit(131_072)  # as in a process that has read no file yet

    rejected = "".join(rejects.lines(done))
    mended = rejected.replace(",wrong,", ",ada@example.org,").replace(swallowed, "Bob")
    again = load(mended.replace(",none,", ",cy@example.org,"))

    assert counts(again) == {"new": 3}
    assert [each.fields for each in Recipient.objects.order_by("key")] == [
        {"name": "=Ada"},
        {"name": "Bob"},
        {"name": "=Cy"},
    ]
    assert Field.objects.get().name == "name"


def test_people_of_a_file_are_looked_up_however_many_others_there_are() -> None:
    readers, tag = make_list(), Tag.objects.create(name="fair")
    load(lines(500), mailing_list=readers)
    with connection.cursor() as cursor:
        # Plans that connections have kept from tests with fewer rows are forgotten by this.
        cursor.execute("ANALYZE recipients_recipient, recipients_subscription")
        cursor.execute("SET LOCAL enable_seqscan = off")  # which is as good for so few

    before = read_so_far("recipients_recipient", "recipients_subscription")
    text = "email,name\nr00001@example.org,R1\nr00400@example.org,New\nada@example.org,Ada\n"
    done = load(text, mailing_list=readers, tags=[tag])

    assert counts(done) == {"new": 1, "changed": 1, "unchanged": 1}
    assert read_so_far("recipients_recipient", "recipients_subscription") - before < 50


def read_so_far(*tables: str) -> int:
    """Return how many rows of these this transaction has read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_xact_user_tables"
            " WHERE relname = ANY(%s)",
            [list(tables)],
        )
        return int(cursor.fetchone()[0])


def test_the_first_row_of_an_address_counts() -> None:
    load("email,name\nada@example.org,First\nADA@EXAMPLE.org,Second\n")

    assert Recipient.objects.get().fields == {"name": "First"}


def test_importing_a_file_again_changes_nothing() -> None:
    text = "email,name\nada@example.org,Ada\nbob@example.org,\n"
    load(text)
    before = list(Recipient.objects.order_by("pk").values())

    again = load(text)

    assert counts(again) == {"unchanged": 2}
    assert list(Recipient.objects.order_by("pk").values()) == before
    assert ConsentEvent.objects.count() == 2


@pytest.mark.parametrize(
    ("policy", "fields", "language"),
    [
        (MergePolicy.OVERWRITE, {"name": "Ada", "city": "Oslo", "note": "x", "team": ""}, "nb"),
        (MergePolicy.FILL, {"name": "Ada", "city": "Rome", "note": "x", "team": ""}, "it"),
        (MergePolicy.LEAVE, {"name": "Ada", "city": "Rome", "note": ""}, "it"),
    ],
)
def test_the_policy_says_what_becomes_of_known_recipients(
    policy: MergePolicy, fields: dict[str, str], language: str
) -> None:
    load("email,name,city,note,language\nada@example.org,Ada,Rome,,it\n")

    done = load("email,name,city,note,team,language\nada@example.org,,Oslo,x,,nb\n", policy=policy)

    ada = Recipient.objects.get()
    assert (ada.fields, ada.language) == (fields, language)
    assert counts(done) == {"unchanged" if policy == MergePolicy.LEAVE else "changed": 1}


def test_an_import_never_brings_back_who_has_left_or_is_suppressed() -> None:
    readers = make_list()
    left = make_recipient("left@example.org", lists=[readers])
    unsubscribe(left, lists=[readers], source="test", now=timezone.now())
    suppress(
        "never@example.org", reason=SuppressionReason.COMPLAINT, source="test", now=timezone.now()
    )
    suppress("gone.example", reason=SuppressionReason.MANUAL, source="test", now=timezone.now())

    done = load("email\nleft@example.org\nnever@example.org\nx@gone.example\n")

    assert counts(done) == {"new": 2, "unchanged": 1, "suppressed": 2}
    assert Subscription.objects.get(recipient=left).state == SubscriptionState.UNSUBSCRIBED
    assert Recipient.objects.not_suppressed().get() == left
    assert Suppression.objects.count() == 2


def test_nothing_of_who_was_erased_is_stored() -> None:
    digest = consent.subject("gone@example.org")
    Suppression.objects.create(digest=digest, reason=SuppressionReason.ERASED)

    done = load("email,name\ngone@example.org,Secret\nada@example.org,Ada\n")

    assert counts(done) == {"new": 1, "suppressed": 1}
    assert Recipient.objects.get().key == "ada@example.org"
    assert not done.file
    with pytest.raises(Exception, match="does not exist"), transaction.atomic():
        staging.counts(done.pk)


def test_each_import_is_a_fact_of_the_consent_ledger() -> None:
    readers = make_list()
    make_recipient("left@example.org", lists=[readers], state=SubscriptionState.UNSUBSCRIBED)

    done = load(
        "email\nada@example.org\nleft@example.org\n",
        mailing_list=readers,
        declaration="paper forms of the fair",
    )

    event = ConsentEvent.objects.get()
    assert bytes(event.subject) == consent.subject("ada@example.org")
    assert (event.action, event.mailing_list_id) == ("imported", readers.pk)
    assert event.recipient_id == Recipient.objects.get(key="ada@example.org").pk
    assert event.source == f"import {done.pk}, file {done.sha256[:16]}: paper forms of the fair"
    assert consent.verify().problems == []


def test_tags_are_put_on_all_of_the_file() -> None:
    vip = Tag.objects.create(name="VIP")
    make_recipient("ada@example.org")

    load("email\nada@example.org\nbob@example.org\n", tags=[vip])

    assert sorted(vip.recipients.values_list("key", flat=True)) == [
        "ada@example.org",
        "bob@example.org",
    ]


def test_fields_of_a_kind_take_only_their_values() -> None:
    Field.objects.create(name="age", kind=FieldKind.NUMBER)

    done = load("email,age\nada@example.org,41\nbob@example.org,old\n")

    assert counts(done) == {"new": 1, "invalid": 1}
    assert Recipient.objects.get().fields == {"age": 41}


AGE = "email,age\nada@example.org,old\nbob@example.org,41\n"


def read_to_its_end(text: str) -> Import:
    file = io.BytesIO(text.encode())
    read = read_file(file, name="x.csv", mailing_list=make_list(), clock=timezone.now)
    jobs.conclude_check(read, now=timezone.now())
    return read


def test_a_field_that_was_made_since_the_check_is_told_and_takes_nothing_unchecked() -> None:
    checked = read_to_its_end(AGE)
    Field.objects.create(name="age", kind=FieldKind.NUMBER)

    with pytest.raises(jobs.Refused, match="since the file was checked"):
        jobs.go(checked, now=timezone.now())

    checked.refresh_from_db()
    assert checked.status == ImportStatus.CHECKED
    layout = Layout.from_dict(checked.layout)
    jobs.start(checked, layout=layout, mailing_list=checked.mailing_list, now=timezone.now())
    jobs.step(checked.pk, clock=timezone.now, seconds=60)
    checked.refresh_from_db()
    jobs.go(checked, now=timezone.now())
    jobs.step(checked.pk, clock=timezone.now, seconds=60)
    assert counts(Import.objects.get()) == {"new": 1, "invalid": 1}
    assert Recipient.objects.get().fields == {"age": 41}


def test_all_of_a_file_is_read_by_the_kinds_of_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "CHUNK", 1)
    begun = jobs.begin(io.BytesIO(AGE.encode()), name="x.csv")
    layout = Layout.from_dict(begun.layout)
    jobs.start(begun, layout=layout, mailing_list=make_list(), now=timezone.now())
    times = iter([timezone.now() - timedelta(seconds=9), *[timezone.now()] * 9])
    jobs.read(begun, clock=lambda: next(times), until=timezone.now() - timedelta(seconds=5))

    Field.objects.create(name="age", kind=FieldKind.BOOLEAN)
    jobs.step(begun.pk, clock=timezone.now, seconds=60)

    begun.refresh_from_db()
    assert (begun.rows, begun.invalid) == (2, 0)


@pytest.mark.parametrize("change", ["made anew", "choices"])
def test_an_import_is_held_where_a_field_becomes_another_in_its_midst(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "SLICE", 1)
    field = Field.objects.create(name="size", kind=FieldKind.CHOICE, choices=["S", "M"])
    begun = read_to_its_end("email,size\nada@example.org,S\nbob@example.org,M\n")
    jobs.go(begun, now=timezone.now())
    merging.merge_next(begun.pk, now=timezone.now())
    if change == "choices":
        Field.objects.update(choices=["S", "L"])
    else:
        field.delete()
        Field.objects.create(name="size")

    assert not jobs.step(begun.pk, clock=timezone.now, seconds=60)

    begun.refresh_from_db()
    assert (begun.status, begun.merged) == (ImportStatus.STOPPED, 1)
    assert begun.problem == (
        "the fields have changed since the file was checked (size); "
        "undo what is imported, and import the file once more"
    )
    with pytest.raises(jobs.Refused, match="undo what is imported"):
        jobs.go(begun, now=timezone.now())
    assert undoing.undo(begun, now=timezone.now()) == 1


def test_a_choice_more_holds_no_import() -> None:
    Field.objects.create(name="size", kind=FieldKind.CHOICE, choices=["S"])
    begun = read_to_its_end("email,size\nada@example.org,S\n")
    Field.objects.update(choices=["S", "L"])

    jobs.go(begun, now=timezone.now())
    jobs.step(begun.pk, clock=timezone.now, seconds=60)

    assert counts(Import.objects.get()) == {"new": 1}


def test_a_dry_run_foretells_what_the_import_does() -> None:
    readers = make_list()
    load("email,name\nada@example.org,Ada\nbob@example.org,Bob\n", mailing_list=readers)
    suppress("dee@example.org", reason=SuppressionReason.BOUNCE, source="test", now=timezone.now())
    digest = consent.subject("erased@example.org")
    Suppression.objects.create(digest=digest, reason=SuppressionReason.ERASED)
    text = (
        "email,name\nada@example.org,Ada\nbob@example.org,Robert\ncy@example.org,Cy\nwrong,x\n"
        "cy@example.org,Again\ndee@example.org,Dee\nerased@example.org,E\ninfo@outlok.com,I\n"
        "t@mailinator.com,T\n"
    )
    read = read_file(
        io.BytesIO(text.encode()), name="x.csv", mailing_list=readers, clock=timezone.now
    )
    jobs.conclude_check(read, now=timezone.now())
    before = Recipient.objects.count()

    jobs.go(read, now=timezone.now())
    jobs.step(read.pk, clock=timezone.now, seconds=60)
    done = Import.objects.get(pk=read.pk)

    assert before == 2
    assert counts(done) == {
        "new": 4,
        "changed": 1,
        "unchanged": 1,
        "duplicates": 1,
        "invalid": 1,
        "suppressed": 2,
    }
    foretold = {name: read.findings[name] for name in ("new", "changed", "unchanged", "suppressed")}
    assert foretold == {name: counts(done)[name] for name in foretold}
    assert read.findings["typos"] == [
        {"domain": "outlok.com", "suggestion": "outlook.com", "addresses": 1}
    ]
    assert read.findings["disposable"] == {"mailinator.com": 1}
    assert read.findings["roles"] == {"info": 1}


@pytest.mark.django_db(transaction=True)
def test_what_a_killed_process_left_behind_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merging, "SLICE", 100)
    monkeypatch.setattr(jobs, "CHUNK", 100)
    readers = make_list()
    file = io.BytesIO(lines(350).encode())
    begun = jobs.begin(file, name="x.csv", mailing_list=readers)
    layout = Layout.from_dict(begun.layout)
    jobs.start(begun, layout=layout, mailing_list=readers, now=timezone.now())
    times = iter([timezone.now() + timedelta(seconds=n) for n in range(100)])
    assert not jobs.read(begun, clock=lambda: next(times), until=timezone.now())
    assert Import.objects.get().rows in {0, 100}
    # Read by another process, which dies after two slices.
    begun = read_file(file, name="x.csv", mailing_list=readers, clock=timezone.now)
    jobs.go(begun, now=timezone.now())
    for _ in range(2):
        merging.merge_next(begun.pk, now=timezone.now())

    done = import_file(file, name="x.csv", mailing_list=readers, clock=timezone.now)

    assert done.pk == begun.pk
    assert Import.objects.count() == 1
    assert counts(done) == {"new": 350}
    assert done.merged == done.addresses == Subscription.objects.count() == 350
    assert consent.verify().events == 350


def test_what_was_cut_off_does_not_go_on_where_the_file_is_to_be_read_otherwise() -> None:
    readers, vip = make_list(), Tag.objects.create(name="VIP")
    file = io.BytesIO("email,name\nada@example.org,Jürgen\n".encode("cp1252"))
    columns = ("email", "name")
    left = Layout(columns, encoding="cp1251")
    read_file(file, name="x", mailing_list=readers, clock=timezone.now, layout=left)

    chosen = Layout(columns, encoding="cp1252")
    read_file(file, name="x", mailing_list=readers, clock=timezone.now, layout=chosen)
    done = import_file(
        file, name="x", mailing_list=readers, clock=timezone.now, layout=chosen, tags=[vip]
    )

    assert counts(done) == {"new": 1}
    assert Recipient.objects.get().fields == {"name": "Jürgen"}
    assert vip.recipients.exists()


def test_what_a_crash_of_postgresql_emptied_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "SLICE", 100)
    readers = make_list()
    file = io.BytesIO((lines(250) + "wrong,x\n").encode())
    begun = read_file(file, name="x.csv", mailing_list=readers, clock=timezone.now)
    jobs.go(begun, now=timezone.now())
    merging.merge_next(begun.pk, now=timezone.now())
    with connection.cursor() as cursor:  # as recovery does with tables that are not logged
        for name in ("read", "rejected", "sorted"):
            cursor.execute(f"TRUNCATE import_{name}_{begun.pk}")

    while jobs.step(begun.pk, clock=timezone.now, seconds=60):
        pass

    done = Import.objects.get()
    assert done.status == ImportStatus.DONE
    assert counts(done) == {"new": 250, "invalid": 1}
    assert (done.merged, Recipient.objects.count()) == (250, 250)


def test_an_import_stops_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "SLICE", 100)
    readers = make_list()
    begun = read_file(
        io.BytesIO(lines(250).encode()), name="x.csv", mailing_list=readers, clock=timezone.now
    )
    jobs.go(begun, now=timezone.now())
    merging.merge_next(begun.pk, now=timezone.now())

    jobs.stop(begun, now=timezone.now())
    stopped = jobs.step(begun.pk, clock=timezone.now, seconds=60)
    seen = Recipient.objects.count()
    jobs.go(begun, now=timezone.now())
    jobs.step(begun.pk, clock=timezone.now, seconds=60)

    assert (stopped, seen) == (False, 100)
    assert counts(Import.objects.get()) == {"new": 250}


def test_a_verb_that_does_not_fit_is_refused() -> None:
    done = load("email\nada@example.org\n")
    fresh = jobs.begin(io.BytesIO(b"email\nbob@example.org\n"), name="x.csv")

    for verb in (jobs.go, jobs.stop):
        with pytest.raises(jobs.Refused, match="it is done"):
            verb(done, now=timezone.now())
    with pytest.raises(jobs.Refused, match="it has no list"):
        jobs.go(fresh, now=timezone.now())
    with pytest.raises(jobs.Refused, match="and is kept"):
        jobs.discard(done)


def test_what_is_discarded_leaves_nothing() -> None:
    fresh = jobs.begin(io.BytesIO(b"email\nbob@example.org\n"), name="../../etc/x.csv")
    name = str(fresh.file.name)
    assert name.startswith("imports/")
    assert default_storage.exists(name)

    jobs.discard(fresh)

    assert not Import.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_file_is_gone_when_the_import_is_done() -> None:
    readers = make_list()
    begun = jobs.begin(io.BytesIO(b"email\nbob@example.org\n"), name="x.csv")
    left = set(default_storage.listdir("imports")[1])

    done = load("email\nbob@example.org\n", mailing_list=readers)
    jobs.discard(begun)

    assert not done.file
    assert len(left - set(default_storage.listdir("imports")[1])) == 1


def test_an_import_whose_file_is_gone_has_failed_and_says_so() -> None:
    begun = jobs.begin(io.BytesIO(b"email\nada@example.org\n"), name="x.csv")
    layout = Layout.from_dict(begun.layout)
    jobs.start(begun, layout=layout, mailing_list=make_list(), now=timezone.now())
    default_storage.delete(str(begun.file.name))

    assert not jobs.step(begun.pk, clock=timezone.now, seconds=60)

    begun.refresh_from_db()
    assert (begun.status, begun.problem) == (
        ImportStatus.FAILED,
        "the uploaded file is not there any more; upload it once more",
    )
    assert jobs.standing_still(since=timezone.now()) == []
    jobs.discard(begun)


def test_an_import_that_fails_in_its_midst_can_be_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "SLICE", 1)
    begun = read_to_its_end("email\nada@example.org\nbob@example.org\n")
    jobs.go(begun, now=timezone.now())
    merging.merge_next(begun.pk, now=timezone.now())
    staging.drop(begun.pk)  # as a crash of PostgreSQL does
    default_storage.delete(str(begun.file.name))
    jobs.step(begun.pk, clock=timezone.now, seconds=60)

    begun.refresh_from_db()
    assert (begun.status, begun.merged) == (ImportStatus.FAILED, 1)
    assert undoing.undo(begun, now=timezone.now()) == 1


def test_a_step_that_begins_while_another_ends_the_import_changes_nothing() -> None:
    begun = read_to_its_end("email\nada@example.org\nwrong\n")
    jobs.go(begun, now=timezone.now())
    late = Import.objects.get(pk=begun.pk)
    jobs.step(begun.pk, clock=timezone.now, seconds=60)
    done = Import.objects.values().get()

    assert jobs.read(late, clock=timezone.now, until=None) is None

    assert Import.objects.values().get() == done
    assert [row.line for row in staging.rejected(begun.pk)] == [3]


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_people_at_once_make_each_of_them_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merging, "SLICE", 500)
    readers, others = make_list(), make_list("Others")
    start = threading.Barrier(2)
    done: list[Import] = []

    def run(mailing_list: MailingList) -> None:
        start.wait()
        done.append(load(lines(3_000), mailing_list=mailing_list))
        connection.close()

    threads = [threading.Thread(target=run, args=[each]) for each in (readers, others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Recipient.objects.count() == 3_000
    assert Subscription.objects.count() == 6_000
    assert sum(each.new for each in done) == 3_000
    assert sum(each.unchanged for each in done) == 3_000
    assert consent.verify().events == 6_000
    assert consent.verify().problems == []


@pytest.mark.django_db(transaction=True)
def test_somebody_made_by_another_meanwhile_is_one_of_those_who_are_known() -> None:
    readers = make_list()
    done: list[Import] = []

    def run() -> None:
        text = "email,name\naaron@example.org,Aaron\nada@example.org,Ada\nbob@example.org,Bob\n"
        done.append(load(text, mailing_list=readers))
        connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        make_recipient("ada@example.org")
        thread.start()
        while thread.is_alive() and not somebody_waits():
            pass
    thread.join()

    assert counts(done[0]) == {"new": 2, "changed": 1}
    assert Recipient.objects.get(key="ada@example.org").fields == {"name": "Ada"}
    assert Recipient.objects.subscribed_to(readers).count() == 3
    assert consent.verify() == replace(consent.verify(), events=3, blocks=2, problems=[])


def somebody_waits() -> bool:
    """Whether a transaction waits for another one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_imports_that_change_the_same_people_at_once_do_not_block_each_other() -> None:
    load(lines(4_000))
    vip = Tag.objects.create(name="VIP")
    half = "".join(f"r{n:05}@example.org,{'Q' if n > 2_000 else 'R'}{n}\n" for n in range(4_000))
    texts = [f"email,name\n{half}", lines(4_000).replace(",R", ",S")]
    targets = [make_list("One"), make_list("Two")]
    start = threading.Barrier(2)
    done: list[Import] = []

    def run(at: int) -> None:
        start.wait()
        done.append(load(texts[at], mailing_list=targets[at], tags=[vip]))
        connection.close()

    threads = [threading.Thread(target=run, args=[at]) for at in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(done) == 2
    assert Subscription.objects.count() == 12_000


def test_an_import_is_undone_with_all_that_it_did() -> None:
    readers, others = make_list(), make_list("Others")
    load("email,name\nada@example.org,Ada\nbob@example.org,Bob\n", mailing_list=others)
    vip = Tag.objects.create(name="VIP")
    before = list(Recipient.objects.order_by("pk").values("key", "fields", "language"))

    done = load(
        "email,name,language\nada@example.org,Adele,en\nbob@example.org,Bob,\ncy@example.org,Cy,\n",
        mailing_list=readers,
        tags=[vip],
    )
    deleted = undoing.undo(done, now=timezone.now())

    assert counts(done) == {"new": 1, "changed": 1, "unchanged": 1}
    assert (deleted, done.status) == (1, ImportStatus.UNDONE)
    assert list(Recipient.objects.order_by("pk").values("key", "fields", "language")) == before
    assert not Subscription.objects.filter(mailing_list=readers).exists()
    assert Subscription.objects.filter(mailing_list=others).count() == 2
    assert not vip.recipients.exists()
    assert ConsentEvent.objects.filter(action="withdrawn").count() == 3
    assert consent.verify().problems == []


def test_what_somebody_else_did_since_is_not_undone() -> None:
    readers, others = make_list(), make_list("Others")
    load("email,name\nada@example.org,Ada\n", mailing_list=others)
    done = load("email,name\nada@example.org,Adele\ncy@example.org,Cy\n", mailing_list=readers)
    ada, cy = Recipient.objects.order_by("key")
    ada.fields = {"name": "Ada Byron"}
    ada.save()
    Subscription.objects.create(recipient=cy, mailing_list=others, state="confirmed")

    assert undoing.undo(done, now=timezone.now()) == 0

    assert Recipient.objects.get(pk=ada.pk).fields == {"name": "Ada Byron"}
    assert Subscription.objects.get(recipient=cy).mailing_list == others


def test_slices_that_ended_in_another_order_are_undone_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merging, "SLICE", 1)
    for name in ("ada", "bob"):
        make_recipient(f"{name}@example.org", fields={"name": name})
    file = io.BytesIO(b"email,name\nada@example.org,A\nbob@example.org,B\n")
    begun = read_file(file, name="x.csv", mailing_list=make_list(), clock=timezone.now)
    now = timezone.now()
    jobs.go(begun, now=now)
    for seconds in (2, 1):  # when each slice was begun
        merging.merge_next(begun.pk, now=now + timedelta(seconds=seconds))
    Import.objects.filter(pk=begun.pk).update(status=ImportStatus.STOPPED)  # before these ended

    undoing.undo(begun, now=now + timedelta(seconds=4))

    names = [each.fields["name"] for each in Recipient.objects.order_by("key")]
    assert names == ["ada", "bob"]


def test_what_another_import_changed_in_the_midst_of_this_one_is_not_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merging, "SLICE", 1)
    for name in ("ada", "bob"):
        make_recipient(f"{name}@example.org", fields={"name": name})
    one = read_to_its_end("email,name\nada@example.org,A\nbob@example.org,B\n")
    other = read_to_its_end("email,name\nada@example.org,Augusta\n")
    now = timezone.now()
    for importing in (one, other):
        jobs.go(importing, now=now)
    for seconds, importing in enumerate((one, other, one), start=1):
        merging.merge_next(importing.pk, now=now + timedelta(seconds=seconds))
    jobs.finish(one.pk, now=now + timedelta(seconds=4))

    undoing.undo(one, now=now + timedelta(seconds=5))

    names = [each.fields["name"] for each in Recipient.objects.order_by("key")]
    assert names == ["Augusta", "bob"]


def test_who_has_left_since_an_import_stays_away_when_it_is_undone() -> None:
    readers = make_list()
    text = "email\nada@example.org\nbob@example.org\n"
    done = load(text, mailing_list=readers)
    ada, bob = Recipient.objects.order_by("key")
    unsubscribe(ada, lists=[readers], source="test", now=timezone.now())
    Recipient.objects.filter(pk=bob.pk).update(tracking_consent="denied")

    deleted = undoing.undo(done, now=timezone.now())
    again = load(text, mailing_list=readers)

    assert (deleted, counts(again)) == (0, {"unchanged": 2})
    assert Subscription.objects.get(recipient=ada).state == SubscriptionState.UNSUBSCRIBED
    assert Recipient.objects.get(pk=bob.pk).tracking_consent == "denied"


def test_an_import_that_is_not_done_or_has_an_obstacle_is_not_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = load("email\nada@example.org\n")
    fresh = jobs.begin(io.BytesIO(b"email\nbob@example.org\n"), name="x.csv")

    with pytest.raises(undoing.CannotUndo, match="it is waiting for its columns"):
        undoing.undo(fresh, now=timezone.now())
    monkeypatch.setattr(undoing, "obstacles", [lambda each: f"no {each.pk}"])
    with pytest.raises(undoing.CannotUndo, match=f"no {done.pk}"):
        undoing.undo(done, now=timezone.now())

    assert Recipient.objects.exists()


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [({"status": "lost"}, "import_status_known"), ({"policy": "mix"}, "import_policy_known")],
)
def test_an_import_is_in_a_known_state(changes: dict[str, str], constraint: str) -> None:
    done = load("email\nada@example.org\n")

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Import.objects.filter(pk=done.pk).update(**changes)


def test_a_slice_and_a_change_are_there_once() -> None:
    done = load("email\nada@example.org\n")
    ada = Recipient.objects.get()
    ImportChange.objects.create(importing=done, recipient=ada, before={})

    with pytest.raises(IntegrityError, match="import_slice_unique"), transaction.atomic():
        ImportSlice.objects.create(importing=done, number=0)
    with pytest.raises(IntegrityError, match="import_change_unique"), transaction.atomic():
        ImportChange.objects.create(importing=done, recipient=ada, before={})


def test_who_is_erased_is_taken_out_of_what_imports_have_read() -> None:
    text = "email,name\nada@example.org,Ada\nbob@example.org,Bob\nADA@example.org,A\n"
    readers = make_list()
    waiting = read_file(
        io.BytesIO(text.encode()), name="x.csv", mailing_list=readers, clock=timezone.now
    )
    Field.objects.create(name="age", kind=FieldKind.NUMBER)
    rejected = load("email,age\nada@example.org,old\n")
    Suppression.objects.create(
        digest=consent.subject("ada@example.org"), reason=SuppressionReason.ERASED
    )

    forget(["ada@example.org"])
    with connection.cursor() as cursor:
        for table in (f"read_{waiting.pk}", f"sorted_{waiting.pk}", f"rejected_{rejected.pk}"):
            cursor.execute(f"SELECT string_agg(rows::text, '') FROM import_{table} rows")
            assert "ada" not in cursor.fetchone()[0].lower()
    jobs.go(waiting, now=timezone.now())
    jobs.step(waiting.pk, clock=timezone.now, seconds=60)

    assert Recipient.objects.get().key == "bob@example.org"
    assert counts(Import.objects.get(pk=waiting.pk)) == {
        "new": 1,
        "duplicates": 1,
        "suppressed": 1,
    }


MENTIONS = (
    "email,boss,note\nbob@example.org,Ada@example.org,\ncy@example.org,x,'to=ada@example.org.'\n"
)


def everything_read(importing: Import) -> str:
    texts = []
    with connection.cursor() as cursor:
        for table in ("read", "sorted", "rejected"):
            cursor.execute(f"SELECT rows::text FROM import_{table}_{importing.pk} rows")
            texts += [text.lower() for (text,) in cursor.fetchall()]
    return "\n".join(texts)


def test_who_is_erased_is_taken_out_of_the_rows_of_others_that_are_not_merged_yet() -> None:
    make_recipient("ada@example.org")
    waiting = read_to_its_end(MENTIONS)

    erase("ada@example.org", source="test", now=timezone.now())
    left = everything_read(waiting)
    jobs.go(waiting, now=timezone.now())
    jobs.step(waiting.pk, clock=timezone.now, seconds=60)

    assert "ada@" not in left
    assert [each.fields for each in Recipient.objects.order_by("key")] == [
        {"boss": "erased", "note": ""},
        {"boss": "x", "note": "'to=erased.'"},
    ]
    assert counts(Import.objects.get()) == {"new": 2}


def test_a_file_does_not_bring_back_whom_it_mentions_and_who_was_erased_before() -> None:
    erase("ada@example.org", source="test", now=timezone.now())
    text = MENTIONS + "wrong,x,<mailto:ada@example.org>\ndee@example.org,nada@example.org,\n"

    waiting = read_to_its_end(text)

    left = everything_read(waiting)
    assert "ada@" not in left.replace("nada@example.org", "")
    assert "nada@example.org" in left
    assert waiting.invalid == 1

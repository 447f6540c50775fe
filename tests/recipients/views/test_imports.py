"""The pages of imports, from the upload to the result."""

import io
from typing import Any

import pytest
import redis
from django.contrib.auth.models import Permission, User
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from recipients.importing import jobs
from recipients.importing.layout import Layout
from recipients.models import Import, ImportStatus, MailingList, Recipient, Tag
from tests.factories import make_list

pytestmark = pytest.mark.django_db

IMPORTS = "/imports/"
PEOPLE = "E-Mail;Vorname;Alter\nada@example.org;Zoë;41\nwrong;X;1\nADA@example.org;Z;2\n"


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def upload(browser: Client, data: bytes = PEOPLE.encode("cp1252"), name: str = "p.csv") -> Any:
    return browser.post(f"{IMPORTS}new/", {"file": SimpleUploadedFile(name, data)})


def page_of(importing: Import) -> str:
    return f"{IMPORTS}{importing.pk}/"


def columns_of(importing: Import) -> str:
    return f"{page_of(importing)}columns/"


def chosen(**changes: Any) -> dict[str, Any]:
    return {
        "verb": "start",
        "encoding": "cp1252",
        "delimiter": ";",
        "has_header": "on",
        "column_0": "email",
        "column_1": "vorname",
        "column_2": "",
        "new_list": "Readers",
        "policy": "overwrite",
        **changes,
    }


def work(importing: Import) -> None:
    while jobs.step(importing.pk, clock=timezone.now, seconds=60):
        pass


def test_a_file_is_shown_as_it_is_read_and_its_columns_are_named(browser: Client) -> None:
    answer = upload(browser)
    importing = Import.objects.get()
    page = browser.get(page_of(importing), follow=True).content.decode()

    assert (answer.status_code, answer["Location"]) == (302, columns_of(importing))
    assert importing.status == ImportStatus.MAPPING
    assert importing.created_by == User.objects.get()
    assert all(text in page for text in ("E-Mail", "Vorname", "Zoë", "CP1252", "semicolon"))
    assert '<option value="email" selected>' in page
    assert '<option value="vorname" selected>' in page


def test_another_encoding_shows_the_rows_again_and_saves_nothing(browser: Client) -> None:
    upload(browser)
    importing = Import.objects.get()

    answer = browser.post(columns_of(importing), chosen(verb="preview", encoding="cp1251"))

    assert "Zoл" in answer.content.decode()
    importing.refresh_from_db()
    assert importing.status == ImportStatus.MAPPING
    assert importing.layout["encoding"] == "cp1252"


def test_the_way_from_an_upload_to_recipients(browser: Client, broker: redis.Redis) -> None:
    vip = Tag.objects.create(name="VIP")
    upload(browser)
    importing = Import.objects.get()

    browser.post(columns_of(importing), chosen(tags=[vip.pk], declaration="the fair"))
    checking = browser.get(page_of(importing)).content.decode()
    work(importing)
    checked = browser.get(page_of(importing)).content.decode()
    nobody = Recipient.objects.count()
    browser.post(page_of(importing), {"verb": "go"})
    work(importing)
    done = browser.get(page_of(importing)).content.decode()

    assert f'hx-get="{page_of(importing)}-/now/"' in checking
    assert "This would happen" in checked
    assert "hx-get" not in checked
    assert nobody == 0
    assert "1 of 1 · 100" in done
    ada = Recipient.objects.get()
    assert ada.fields == {"vorname": "Zoë"}
    assert Recipient.objects.subscribed_to(MailingList.objects.get(name="Readers")).get() == ada
    assert vip.recipients.get() == ada


@pytest.mark.django_db(transaction=True)
def test_an_import_begins_though_the_broker_is_away(browser: Client, no_broker: None) -> None:
    upload(browser)
    importing = Import.objects.get()

    answer = browser.post(columns_of(importing), chosen())

    assert (answer.status_code, answer["Location"]) == (302, page_of(importing))
    importing.refresh_from_db()
    assert importing.status == ImportStatus.CHECKING


def test_a_file_that_is_gone_is_told_and_its_import_can_be_discarded(browser: Client) -> None:
    upload(browser)
    importing = Import.objects.get()
    default_storage.delete(str(importing.file.name))

    page = browser.get(columns_of(importing)).content.decode()
    browser.post(columns_of(importing), chosen())
    browser.post(page_of(importing), {"verb": "discard"})

    assert "The uploaded file is not there any more; upload it once more." in page
    assert 'value="discard"' in page
    assert not Import.objects.exists()


@pytest.mark.parametrize(("columns", "kept"), [(500, True), (501, False)])
def test_a_file_of_too_many_columns_is_refused_when_it_is_uploaded(
    columns: int, kept: bool, browser: Client
) -> None:
    header = ",".join(["email", *(f"c{n}" for n in range(columns - 1))])

    answer = upload(browser, f"{header}\n".encode())

    assert Import.objects.exists() == kept
    assert answer.status_code == (302 if kept else 422)
    assert kept or "It has more than 500 columns; delete those" in answer.content.decode()


def test_rejected_rows_are_fetched_with_their_reasons_and_can_be_imported_when_mended(
    browser: Client, broker: redis.Redis
) -> None:
    upload(browser)
    importing = Import.objects.get()
    browser.post(columns_of(importing), chosen())
    work(importing)

    answer: Any = browser.get(f"{IMPORTS}{importing.pk}/rejected.csv")
    text = b"".join(answer.streaming_content).decode()

    assert answer["Content-Disposition"] == f'attachment; filename="rejected-{importing.pk}.csv"'
    assert text.splitlines() == [
        "rejected_line,rejected_because,email,vorname,",
        "3,line 3: 'wrong': there is no @; write it as name@example.org,wrong,X,1",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"column_0": ""}, "No column is the address"),
        ({"column_1": "email"}, "There are two columns"),
        ({"new_list": ""}, "Choose a list, or name a new one"),
        ({"new_list": "A\x0bB"}, "list"),
        ({"policy": "mix"}, "not one of the available choices"),
    ],
)
def test_a_choice_that_cannot_be_is_told_and_nothing_is_begun(
    browser: Client, changes: dict[str, str], said: str
) -> None:
    upload(browser)
    importing = Import.objects.get()

    answer = browser.post(columns_of(importing), chosen(**changes))

    assert answer.status_code == 422
    assert said in answer.content.decode()
    importing.refresh_from_db()
    assert importing.status == ImportStatus.MAPPING


@pytest.mark.parametrize(
    ("data", "said"),
    [(b" \n ", "It is empty."), (b"PK\x03\x04nonsense", "save it as CSV"), (b"", "file is empty")],
)
def test_a_file_that_is_none_is_refused_and_not_kept(
    browser: Client, data: bytes, said: str
) -> None:
    answer = upload(browser, data)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Import.objects.exists()


def test_an_import_is_stopped_undone_and_discarded_by_its_page(
    browser: Client, broker: redis.Redis
) -> None:
    upload(browser)
    importing = Import.objects.get()
    browser.post(columns_of(importing), chosen())
    work(importing)
    browser.post(page_of(importing), {"verb": "go"})

    browser.post(page_of(importing), {"verb": "stop"})
    stopped = Import.objects.get().status
    browser.post(page_of(importing), {"verb": "go"})
    work(importing)
    browser.post(f"{page_of(importing)}undo/")
    undone = Import.objects.get().status
    refused = browser.post(page_of(importing), {"verb": "discard"}, follow=True)
    upload(browser, b"email\na@example.org\n")
    browser.post(page_of(Import.objects.latest("pk")), {"verb": "discard"})

    assert (stopped, undone) == (ImportStatus.STOPPED, ImportStatus.UNDONE)
    assert not Recipient.objects.exists()
    assert "Nothing was done: it is undone, and is kept." in refused.content.decode()
    assert Import.objects.get() == importing


@pytest.mark.django_db(transaction=True)
def test_an_import_says_by_itself_how_far_it_is_and_shows_its_page_anew_at_the_end(
    browser: Client, broker: redis.Redis
) -> None:
    upload(browser)
    importing = Import.objects.get()
    browser.post(columns_of(importing), chosen())
    now = f"{page_of(importing)}-/now/"

    by_hand = browser.get(now)
    moving = browser.get(now, headers={"HX-Request": "true"})
    tag = {"HX-Request": "true", "HX-PTag": moving["HX-PTag"]}
    same = browser.get(now, headers=tag)
    work(importing)
    ended = browser.get(now, headers=tag)

    assert (by_hand.status_code, by_hand["Location"]) == (302, page_of(importing))
    assert "Rows read so far: 0" in moving.content.decode()
    assert same.status_code == 304
    assert "HX-Refresh" not in moving
    assert ended["HX-Refresh"] == "true"


def test_who_was_slower_in_another_window_changes_no_rule_of_an_import_under_way(
    browser: Client, broker: redis.Redis
) -> None:
    upload(browser)
    importing = Import.objects.get()
    browser.post(columns_of(importing), chosen(policy="fill"))
    slower = browser.post(columns_of(importing), chosen(policy="overwrite"), follow=True)
    stale = Import.objects.get()
    stale.policy = "overwrite"

    with pytest.raises(jobs.Refused):
        jobs.start(
            stale, layout=Layout.from_dict(stale.layout), mailing_list=None, now=timezone.now()
        )

    assert "Nothing was done: it is under way already." in slower.content.decode()
    importing.refresh_from_db()
    assert importing.policy == "fill"


def test_imports_are_listed_by_what_they_wait_for(browser: Client) -> None:
    upload(browser)

    every, waiting, done = (
        browser.get(IMPORTS, {"state": state}).content.decode() for state in ("", "waiting", "done")
    )

    assert "p.csv" in every
    assert "p.csv" in waiting
    assert "No import is in that state." in done


def test_who_may_not_import_sees_neither_file_nor_rejected_rows(client: Client) -> None:
    importing = jobs.begin(io.BytesIO(b"email\nwrong\n"), name="p.csv")
    jobs.start(
        importing,
        layout=Layout.from_dict(importing.layout),
        mailing_list=make_list(),
        now=timezone.now(),
    )
    work(importing)
    staff = User.objects.create_user("staff", is_staff=True)
    client.force_login(staff)

    without = [
        client.get(path).status_code
        for path in (
            IMPORTS,
            f"{IMPORTS}new/",
            page_of(importing),
            f"{page_of(importing)}rejected.csv",
        )
    ]
    staff.user_permissions.add(Permission.objects.get(codename="view_import"))
    looking = [
        client.get(page_of(importing)).status_code,
        client.post(page_of(importing), {"verb": "go"}).status_code,
        client.get(f"{IMPORTS}{importing.pk}/rejected.csv").status_code,
    ]

    assert set(without) <= {403, 404}
    assert looking == [200, 403, 403]

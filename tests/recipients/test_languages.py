"""What staff reads of recipients, in the language that they have chosen."""

import io

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone, translation

from config.accounts.models import Profile
from recipients.importing import jobs
from recipients.importing.layout import Layout
from recipients.models import Suppression, Tag
from recipients.segments.words import describe
from tests.console import superuser
from tests.factories import make_list
from tests.recipients.segments.asked import every, rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def vietnamese() -> Client:
    superuser()
    user = User.objects.get()
    Profile.objects.update_or_create(user=user, defaults={"language": "vi"})
    client = Client()
    client.force_login(user)
    return client


def test_a_page_speaks_the_language_of_the_profile(vietnamese: Client) -> None:
    page = vietnamese.get("/segments/").content.decode()

    assert '<html lang="vi"' in page
    assert "Chưa có phân khúc nào" in page
    assert "No segments yet" not in page


def test_a_refusal_speaks_it_too(vietnamese: Client) -> None:
    typed = {"entries": "ada@example.org\na b@example.org", "reason": "manual", "source": ""}

    page = vietnamese.post("/suppression/add/", typed)

    assert "dòng 2: có khoảng trắng ở giữa" in page.content.decode()
    assert not Suppression.objects.exists()


def test_the_console_speaks_it_of_models_and_their_choices(vietnamese: Client) -> None:
    page = vietnamese.get("/admin/recipients/suppression/").content.decode()

    assert "yêu cầu không nhận thư nào" in page
    assert "Danh sách chặn" in page  # the model's name


def test_rules_are_whole_sentences_in_each_language() -> None:
    news, vip = make_list("News"), Tag.objects.create(name="vip")
    rules = every(rule("list", "not_on", news.pk), rule("tag", "has", vip.pk))

    with translation.override("vi"):
        in_vietnamese = describe(rules)

    assert in_vietnamese == "Không có trong danh sách News, và có nhãn vip"
    assert describe(rules) == "Not on the list News, and has the tag vip"


def test_a_number_of_days_is_written_as_the_language_does() -> None:
    asked = every(rule("opened", "last_days", 1_200))

    with translation.override("vi"):
        in_vietnamese = describe(asked)

    assert in_vietnamese == "Đã mở trong 1.200 ngày qua"
    assert describe(asked) == "Opened within the last 1,200 days"


def test_what_a_worker_found_is_read_in_the_language_of_each_reader() -> None:
    begun = jobs.begin(io.BytesIO(b"email\nada@example.org\n"), name="x.csv")
    layout = Layout.from_dict(begun.layout)
    jobs.start(begun, layout=layout, mailing_list=make_list(), now=timezone.now())
    default_storage.delete(str(begun.file.name))

    jobs.step(begun.pk, clock=timezone.now, seconds=60)

    begun.refresh_from_db()
    with translation.override("vi"):
        in_vietnamese = begun.problem
    assert in_vietnamese == "tệp đã tải lên không còn nữa; hãy tải lên lại"
    assert begun.problem == "the uploaded file is not there any more; upload it once more"

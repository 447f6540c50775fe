"""What staff reads of campaigns, by the language of their profile."""

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.translation import override

from campaigns import reasons
from campaigns.models import Run, RunStatus, SenderCheck
from campaigns.preflight import watching
from campaigns.preflight.findings import Finding, Severity
from recipients.translatable import Translatable
from tests.console import superuser, text
from tests.factories import (
    make_campaign,
    make_delivery,
    make_list,
    make_recipient,
    make_run,
    make_sender,
)
from tracking import feedback
from tracking.models import Category, Delivery

pytestmark = pytest.mark.django_db


@pytest.fixture
def vietnamese() -> Client:
    client = superuser()
    profile = {"language": "vi", "time_zone": "Asia/Ho_Chi_Minh", "theme": ""}
    assert client.post("/account/profile/", profile).status_code == 302
    return client


def test_the_pages_of_a_campaign_are_read_in_the_language_of_the_profile(
    vietnamese: Client,
) -> None:
    make_recipient(lists=[make_list()])
    campaign = make_campaign("Spring")

    pages = [
        text(vietnamese.get(f"/campaigns/{campaign.pk}/{page}"))
        for page in ("", "content/", "audience/", "schedule/", "check/", "confirm/")
    ]

    words = ["Bản nháp", "Người gửi", "sẽ nhận được", "Múi giờ", "Kiểm tra", "1 người sẽ nhận được"]
    assert [word in page for word, page in zip(words, pages, strict=True)] == [True] * 6


def test_a_refusal_is_read_in_the_language_of_the_profile(vietnamese: Client) -> None:
    campaign = make_campaign("Spring")

    answer = vietnamese.post(f"/campaigns/{campaign.pk}/pause/")

    assert "hiện không được gửi, nên không có gì để tạm dừng" in text(answer)


def test_numbers_are_written_as_the_language_does(vietnamese: Client) -> None:
    run = make_run(make_campaign("Spring"))
    Run.objects.update(status=RunStatus.PREPARING, audience=1_234_567)

    page = text(vietnamese.get(f"/runs/{run.pk}/"))

    assert "đến giờ được 1.234.567" in page


def test_the_states_of_a_run_s_deliveries_are_named_in_the_language_of_the_profile(
    vietnamese: Client,
) -> None:
    make_recipient(lists=[make_list()])
    run = make_run(make_campaign("Spring"))

    page = text(vietnamese.get(f"/campaigns/{run.campaign_id}/"))

    assert "Chờ gửi 1" in page
    assert "Queued" not in page


def test_why_a_run_is_held_is_stored_in_english_and_read_in_each_language() -> None:
    run = make_run(make_campaign("Spring"))
    run.held_reason = reasons.HOPELESS % {"count": 10, "reason": "550 5.7.1 go away"}

    with override("en"):
        english = run.why_held
    with override("vi"):
        vietnamese = run.why_held

    assert english == "nothing was sent, and 10 messages failed alike: 550 5.7.1 go away"
    assert vietnamese == "chưa gửi được gì, và 10 thư thất bại giống nhau: 550 5.7.1 go away"


def test_what_a_check_has_stored_is_read_in_each_language() -> None:
    said = Translatable("%(domain)s has no DMARC record", {"domain": "shore.org"})
    finding = Finding(Severity.ERROR, "dmarc-record", said, Translatable("Mend it."))
    check = SenderCheck.objects.create(sender=make_sender(), findings=[finding.stored])
    check.refresh_from_db()

    [stored] = watching.findings_of(check)

    with override("en"):
        assert (stored.sentence, stored.remedy) == ("shore.org has no DMARC record.", "Mend it.")
    with override("vi"):
        assert stored.sentence == "shore.org không có bản ghi DMARC."


def test_a_file_of_people_is_english_whoever_fetches_it(vietnamese: Client) -> None:
    run = make_run(make_campaign("Spring"))
    row = make_delivery(run, make_recipient(), failure=Category.RATE)
    Delivery.objects.filter(pk=row.pk).update(
        state="failed", diagnostic="450 slow down", finished_at=timezone.now()
    )
    feedback.note_failures([feedback.Failure(row.pk, Category.RATE)], now=timezone.now())

    address = f"/runs/{run.pk}/report/people/?did=failed"
    page, file = vietnamese.get(address), vietnamese.get(f"{address}&format=csv")

    assert "too many messages: 450 slow down" in file.getvalue().decode()
    assert "too many messages" not in text(page)

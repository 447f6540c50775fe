"""Runs with attachments: what each recipient gets, and how often the storage is asked."""

import io
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, models, transaction
from pytest_django.fixtures import Settings

from campaigns.models import Campaign, CampaignAttachment, Run, RunAttachment, RunStatus
from campaigns.sending import fire, waiting
from campaigns.sending.claim import Claimed
from campaigns.sending.deliver import deliver
from campaigns.sending.mailing import Mailing
from campaigns.sending.outcomes import Accepted
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.session import Relay
from campaigns.sending.smtp import SMTPTransport
from campaigns.services import resume, schedule
from campaigns.trial import send_test
from templates_app.media import library, storing
from templates_app.models import MediaBlob, MediaFile, ScanState
from tests.certificates import make_tls_pair
from tests.factories import make_campaign, make_file, make_list, make_recipients, make_run
from tests.http_server import Answer, ScriptedHTTP
from tests.s3_server import S3Server
from tests.smtp_server import EXTENSIONS, ScriptedSMTP
from tracking.models import Delivery

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4
OTHER = PDF + b"other"


def at(now: datetime = NOW) -> Callable[[], datetime]:
    return lambda: now


def ids() -> list[int]:
    return list(Delivery.objects.order_by("pk").values_list("pk", flat=True))


def campaign_to(count: int, *files: MediaFile) -> Campaign:
    readers = make_list()
    make_recipients(count, mailing_list=readers)
    return make_campaign(lists=[readers], attachments=files)


def attachments(data: bytes) -> dict[str | None, Any]:
    message = message_from_bytes(data, policy=policy.default)
    parts = message.iter_attachments()
    return {part.get_filename(): part.get_payload(decode=True) for part in parts}


def test_each_recipient_gets_the_files_and_the_bucket_is_asked_once(
    s3: S3Server, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    run = make_run(campaign_to(12, make_file("Docs/Plän.pdf", PDF)), now=NOW)
    s3.requests.clear()
    everybody = ids()

    for start in (0, 4, 8):
        deliver(run.pk, everybody[start : start + 4], clock=at())

    assert s3.requests == ["GET"]
    assert len(smtp.messages) == 12
    assert smtp.violations == []
    assert all(attachments(one.data) == {"Plän.pdf": PDF} for one in smtp.messages)


def test_the_next_hop_is_told_the_size_of_all_of_it(disk: Path, settings: Settings) -> None:
    run = make_run(campaign_to(3, make_file("a.pdf", PDF)), now=NOW)
    with ScriptedSMTP(size=100_000) as server:
        settings.EMAIL_URL = server.url

        deliver(run.pk, ids(), clock=at())

        told = [line.split()[2] for line in server.lines if line.startswith("MAIL")]
        assert told == [f"SIZE={len(one.data)}" for one in server.messages]
        assert len(told) == 3


@pytest.mark.parametrize("extensions", [EXTENSIONS, EXTENSIONS - {"PIPELINING"}])
def test_megabytes_arrive_whole_with_and_without_pipelining(
    disk: Path, settings: Settings, extensions: frozenset[str]
) -> None:
    large = b"%PDF-1.7\n" + bytes(range(256)) * 8_000
    run = make_run(campaign_to(5, make_file("a.pdf", large)), now=NOW)
    with ScriptedSMTP(extensions=extensions) as server:
        settings.EMAIL_URL = server.url
        deliver(run.pk, ids(), clock=at())

        assert [attachments(one.data) for one in server.messages] == [{"a.pdf": large}] * 5
        assert server.violations == []


def test_megabytes_arrive_whole_by_tls(tmp_path: Path) -> None:
    pair = make_tls_pair(tmp_path)
    head, tail = b"Subject: x\r\n\r\n", b"0123456789\r\n" * 100_000
    message = Outgoing("a@example.org", "b@example.org", head, True, tail)
    with ScriptedSMTP(tls=pair.server, implicit_tls=True) as server:
        relay = Relay(host="127.0.0.1", port=server.port, implicit_tls=True)
        transport = SMTPTransport(relay, pair.client)

        outcomes = [transport.send(message) for _ in range(2)]

        transport.close()
        assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted]
        assert [one.data for one in server.messages] == [head + tail] * 2


def test_the_bytes_of_the_files_are_in_memory_once(disk: Path) -> None:
    run = make_run(campaign_to(2, make_file("a.pdf", PDF * 900)), now=NOW)
    mailing = Mailing(run)

    messages = [
        mailing.message(Claimed(pk, "a@example.org", {}, attempts=1), now=NOW)[0] for pk in ids()
    ]

    assert messages[0].tail is messages[1].tail
    assert all(len(one.data) < 5_000 for one in messages)
    assert messages[0].size == len(messages[0].whole) > 1_000_000


def test_a_campaign_without_files_has_messages_of_one_piece(disk: Path) -> None:
    run = make_run(campaign_to(1), now=NOW)

    message, _ = Mailing(run).message(Claimed(ids()[0], "a@b.example", {}, attempts=1), now=NOW)

    assert message.tail == b""
    assert message.whole is message.data


def test_a_provider_gets_the_files_as_well(disk: Path, settings: Settings) -> None:
    answer = Answer(201, {"messageIds": ["<1@smtp-relay.mailin.fr>"]})
    with ScriptedHTTP(answer) as api:
        backend = "backend:anymail.backends.brevo.EmailBackend"
        settings.EMAIL_URL = f"{backend}?api_key=k&api_url={api.url}/"
        run = make_run(campaign_to(1, make_file("a.pdf", PDF)), now=NOW)
        deliver(run.pk, ids(), clock=at())

        sent = json.dumps(api.requests[0].json["attachment"])
        assert sent.count("JVBERi0xLjcK") == sent.count("a.pdf") == 1


# --- what is pinned ----------------------------------------------------------------------------


def sent_by(run: Run) -> list[bytes]:
    return [storing.read(row.blob) for row in RunAttachment.objects.in_order(run.pk)]


def test_a_file_that_is_replaced_later_changes_nothing_that_is_scheduled(disk: Path) -> None:
    file = make_file("a.pdf", PDF)
    campaign = campaign_to(1, file)
    run = make_run(campaign, now=NOW)

    library.replace(file, io.BytesIO(OTHER))

    assert sent_by(run) == [PDF]
    assert CampaignAttachment.objects.get().blob == MediaBlob.objects.first()


def test_a_campaign_that_is_scheduled_again_leaves_its_runs_as_they_are(disk: Path) -> None:
    file = make_file("a.pdf", PDF)
    campaign = campaign_to(1, file)
    schedule(campaign, now=NOW, cron="* * * * *")
    first = fire.fire(campaign.pk, now=NOW + MINUTE)
    library.replace(file, io.BytesIO(OTHER))

    schedule(campaign, now=NOW + MINUTE, cron="* * * * *")

    second = fire.fire(campaign.pk, now=NOW + 2 * MINUTE)
    assert first
    assert second
    assert sent_by(Run.objects.get(pk=first)) == [PDF]
    assert sent_by(Run.objects.get(pk=second)) == [OTHER]


def test_a_test_message_has_the_files_of_now_until_they_are_pinned(
    disk: Path, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    file = make_file("a.pdf", PDF)
    campaign = campaign_to(1, file)
    send_test(campaign, address="boss@example.org", now=NOW)
    schedule(campaign, now=NOW, at=NOW)
    library.replace(file, io.BytesIO(OTHER))

    send_test(campaign, address="boss@example.org", now=NOW)

    assert [attachments(one.data) for one in smtp.messages] == [{"a.pdf": PDF}] * 2


@pytest.mark.parametrize("copy", ["campaign_attachment_unique", "run_attachment_unique"])
def test_a_file_is_attached_once(disk: Path, copy: str) -> None:
    file = make_file("a.pdf", PDF)
    run = make_run(campaign_to(1, file, file), now=NOW)

    row: models.Model = CampaignAttachment(campaign=run.campaign, file=file)
    if copy.startswith("run"):
        row = RunAttachment(run=run, blob=file.blob, name="b", position=0)

    with pytest.raises(IntegrityError, match=copy), transaction.atomic():
        row.save()


# --- what cannot be sent -----------------------------------------------------------------------


def held_reason(run: Run) -> str:
    run.refresh_from_db()
    assert run.status == RunStatus.HELD
    return run.held_reason


def test_a_run_whose_file_is_gone_from_the_storage_is_held(disk: Path) -> None:
    run = make_run(campaign_to(2, make_file("a.pdf", PDF)), now=NOW)
    storing.remove(MediaBlob.objects.get().key)

    deliver(run.pk, ids(), clock=at())

    assert "the attachment a.pdf cannot be sent" in held_reason(run)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"queued"}


def test_a_run_whose_file_turned_out_to_be_infected_is_held(disk: Path) -> None:
    run = make_run(campaign_to(2, make_file("a.pdf", PDF)), now=NOW)
    MediaBlob.objects.update(scan=ScanState.INFECTED, scan_said="Worm")

    deliver(run.pk, ids(), clock=at())

    assert "the attachment a.pdf holds malware: Worm" in held_reason(run)


def test_a_lost_file_is_mended_by_uploading_it_again_and_nobody_is_left_out(
    disk: Path, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    run = make_run(campaign_to(2, make_file("a.pdf", PDF)), now=NOW)
    storing.remove(MediaBlob.objects.get().key)
    deliver(run.pk, ids(), clock=at())
    assert "the storage has lost it; upload the same file again" in held_reason(run)

    make_file("again.pdf", PDF)
    resume(run.campaign, now=NOW)
    deliver(run.pk, ids(), clock=at())

    assert [attachments(one.data) for one in smtp.messages] == [{"a.pdf": PDF}] * 2
    assert MediaBlob.objects.count() == 1


def test_a_storage_that_does_not_answer_keeps_everybody_queued_and_says_so(
    s3: S3Server, smtp: ScriptedSMTP, settings: Settings
) -> None:
    settings.EMAIL_URL = smtp.url
    run = make_run(campaign_to(2, make_file("a.pdf", PDF)), now=NOW)
    s3.is_down = True
    try:
        with pytest.raises(OSError, match="S3"):
            deliver(run.pk, ids(), clock=at())
    finally:
        s3.is_down = False

    run.refresh_from_db()
    assert run.status == RunStatus.SENDING
    assert set(Delivery.objects.values_list("state", flat=True)) == {"queued"}
    said = waiting.why(run, now=NOW)
    assert said.startswith(
        "Waiting: its attachments cannot be fetched: the storage does not answer"
    )
    assert "see whether it runs, and MEDIA_STORAGE is right (S3: " in said

    deliver(run.pk, ids()[:1], clock=at())
    run.refresh_from_db()
    assert waiting.why(run, now=NOW) == ""


def test_a_server_that_takes_no_such_size_fails_ten_and_keeps_the_others(
    disk: Path, settings: Settings
) -> None:
    run = make_run(campaign_to(30, make_file("a.pdf", PDF * 20)), now=NOW)
    with ScriptedSMTP(size=20_000) as server:
        settings.EMAIL_URL = server.url

        deliver(run.pk, ids(), clock=at())

        assert server.messages == []
        assert not any(line.startswith("MAIL") for line in server.lines)
    assert "the next hop takes 20000 at most" in held_reason(run)
    states = Counter(Delivery.objects.values_list("state", flat=True))
    assert states == {"failed": 10, "retry": 20}

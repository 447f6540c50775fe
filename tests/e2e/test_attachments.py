"""Attachments in a living installation: worker processes, a bucket, a scanner."""

from email import message_from_bytes, policy

from django.core.management import call_command

from campaigns.models import Campaign
from tests.clamd_server import ScriptedClamd
from tests.e2e.steps import Installation, wait_for_end
from tests.factories import make_file, make_list, make_recipients, make_template
from tests.s3_server import S3Server
from tests.smtp_server import ScriptedSMTP
from tracking.models import Delivery

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 400


def test_each_worker_process_fetches_the_files_of_a_run_once(
    installation: Installation, smtp: ScriptedSMTP, s3: S3Server, clamd: ScriptedClamd
) -> None:
    with installation(MEDIA_STORAGE=s3.url, CLAMD=clamd.address) as live:
        make_recipients(100, mailing_list=make_list())
        make_template("News")
        make_file("Docs/plan.pdf", PDF)
        live.worker()
        live.worker(with_beat=True)
        live.wait_until_ready()
        s3.requests.clear()

        call_command(
            "create_campaign", "Spring", "--template", "News", "--list", "Readers",
            "--sender", "News <news@example.org>", "--attach", "Docs/plan.pdf", "--now",
        )  # fmt: skip
        wait_for_end(Campaign.objects.get())

    assert len(smtp.messages) == 100
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sent"}
    assert 1 <= s3.asked("GET") <= 2
    for message in smtp.messages:
        [part] = message_from_bytes(message.data, policy=policy.default).iter_attachments()
        assert part.get_filename() == "plan.pdf"
        assert part.get_payload(decode=True) == PDF

"""Attachments in a living installation: worker processes, a bucket, a scanner."""

from email import message_from_bytes, policy
from pathlib import Path

from campaigns.models import Campaign
from tests.clamd_server import ScriptedClamd
from tests.e2e.steps import Installation, wait_for_end
from tests.e2e.test_main_job import create_campaign, import_list
from tests.factories import make_file
from tests.s3_server import S3Server
from tests.smtp_server import ScriptedSMTP

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 400


def test_each_worker_process_fetches_the_files_of_a_run_once(
    installation: Installation,
    smtp: ScriptedSMTP,
    s3: S3Server,
    clamd: ScriptedClamd,
    tmp_path: Path,
) -> None:
    with installation(MEDIA_STORAGE=s3.url, CLAMD=clamd.address) as live:
        import_list(live, tmp_path, 300)
        make_file("Docs/plan.pdf", PDF)
        live.worker()
        live.worker()
        live.beat()
        live.wait_until_ready()
        s3.requests.clear()

        campaign = create_campaign(live, "--attach", "Docs/plan.pdf", "--now")
        wait_for_end(Campaign.objects.get(pk=campaign))

        status = live.status(campaign)
    assert status["counts"]["sent"] == len(smtp.messages) == 300
    assert 1 <= s3.asked("GET") <= 2
    for message in smtp.messages:
        [part] = message_from_bytes(message.data, policy=policy.default).iter_attachments()
        assert part.get_filename() == "plan.pdf"
        assert part.get_payload(decode=True) == PDF

"""Files of recipients, read and merged by live workers that may be killed."""

import io

from django.utils import timezone

from recipients import consent
from recipients.importing import jobs
from recipients.importing.layout import Layout
from recipients.models import Import, ImportStatus, Recipient, Subscription
from recipients.tasks import PATIENCE, sweep_imports, work_on
from tests.e2e.steps import Installation
from tests.factories import make_list
from tests.live import wait_until

ROWS = 70_000


def test_an_import_whose_worker_is_killed_is_merged_once_by_the_next(
    installation: Installation,
) -> None:
    readers = make_list()
    rows = "".join(f"r{n}@example.org,R{n}\n" for n in range(ROWS))
    begun = jobs.begin(io.BytesIO(f"email,name\n{rows}".encode()), name="x.csv")
    layout = Layout.from_dict(begun.layout)

    with installation() as live:
        worker = live.worker(queues="imports")
        jobs.start(begun, layout=layout, mailing_list=readers, now=timezone.now())
        work_on(begun.pk)
        wait_until(lambda: _is(begun, ImportStatus.CHECKED), "what would happen is known")
        begun.refresh_from_db()
        foretold = begun.findings["new"]
        jobs.go(begun, now=timezone.now())
        work_on(begun.pk)
        wait_until(lambda: Recipient.objects.exists(), "the first slice is merged")
        live.kill(worker)
        merged = Recipient.objects.count()
        # As if its worker had been away for longer than the sweep is patient.
        Import.objects.update(moved_at=timezone.now() - 2 * PATIENCE)
        live.worker(queues="imports")
        sweep_imports()
        wait_until(lambda: _is(begun, ImportStatus.DONE), "the rest is merged")

    begun.refresh_from_db()
    assert 0 < merged < ROWS
    assert (
        foretold == begun.new == Recipient.objects.count() == Subscription.objects.count() == ROWS
    )
    found = consent.verify()
    assert (found.events, found.problems) == (ROWS, [])


def _is(importing: Import, status: ImportStatus) -> bool:
    return Import.objects.filter(pk=importing.pk, status=status).exists()

"""Bytes that nothing names any more are deleted; all others stay, whatever names them."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from campaigns.tasks import retention
from templates_app.media import Refused, library, resolve
from templates_app.media.retention import GRACE, forget_unnamed
from templates_app.models import Kind, MediaBlob, MediaFile, Snippet
from templates_app.services import freeze
from tests.factories import (
    make_campaign,
    make_file,
    make_list,
    make_recipient,
    make_run,
    make_template,
    stored_in,
)
from tests.live import wait_until
from tests.templates_app.media.files import make_image
from tests.threads import in_a_connection_of_its_own, waiting_for_locks

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("disk")]


def later(by: timedelta = GRACE + timedelta(minutes=1)) -> int:
    return forget_unnamed(now=timezone.now() + by)


def unnamed(path: str = "logo.png") -> MediaFile:
    """Make a file whose first bytes nobody calls by its name any more."""
    file = make_file(path, make_image())
    library.replace(file, io.BytesIO(make_image(size=(9, 9))))
    return file


def test_bytes_go_with_their_last_name_after_a_day(disk: Path) -> None:
    first, second = make_file("a.pdf"), make_file("b.pdf")
    library.delete(first)
    assert later() == 0

    library.delete(second)

    assert later(GRACE - timedelta(minutes=1)) == 0
    assert later() == 1
    assert stored_in(disk) == []
    assert not MediaBlob.objects.exists()


def test_replaced_bytes_go_as_well_a_day_after_they_had_a_name(disk: Path) -> None:
    file = make_file("logo.png", make_image())
    MediaBlob.objects.update(named_at=timezone.now() - 30 * GRACE)
    library.replace(file, io.BytesIO(make_image(size=(9, 9))))

    assert later(GRACE - timedelta(minutes=1)) == 0
    assert later() == 1
    assert MediaBlob.objects.get() == MediaFile.objects.get().blob


def test_bytes_that_a_frozen_content_shows_stay_for_ever() -> None:
    make_file("logo.png", make_image())
    template = make_template(html=f"<img src='{resolve('logo.png')}'>{{{{ unsubscribe_url }}}}")
    freeze(template)
    template.source = "{{ unsubscribe_url }}"
    template.save()
    library.delete(MediaFile.objects.get())

    assert later() == 0


def test_bytes_that_a_snippet_shows_by_their_address_stay() -> None:
    file = make_file("logo.png", make_image())
    Snippet.objects.create(name="header", kind=Kind.HTML, source=resolve("logo.png"))
    library.replace(file, io.BytesIO(make_image(size=(9, 9))))

    assert later() == 0


def test_bytes_that_a_run_attached_stay() -> None:
    make_recipient(lists=[make_list()])
    file = make_file("a.pdf")
    make_run(make_campaign(attachments=[file]))
    library.replace(file, io.BytesIO(b"%PDF-1.4\n2"))

    assert later() == 0


@pytest.mark.django_db(transaction=True)
def test_an_upload_waits_for_whoever_deletes_the_same_bytes(disk: Path) -> None:
    library.delete(make_file("a.pdf"))

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            MediaBlob.objects.all().delete()
            uploading = threads.submit(in_a_connection_of_its_own, lambda: make_file("b.pdf"))
            wait_until(waiting_for_locks, "the upload waits")
        with pytest.raises(Refused, match="was being deleted from the library at this moment"):
            uploading.result()

    assert make_file("b.pdf").blob == MediaBlob.objects.get()


@pytest.mark.django_db(transaction=True)
def test_bytes_that_somebody_is_about_to_name_are_left(disk: Path) -> None:
    library.delete(make_file("a.pdf"))

    with ThreadPoolExecutor(1) as threads, transaction.atomic():
        MediaBlob.objects.select_for_update().get()
        count = threads.submit(in_a_connection_of_its_own, later).result()

    assert count == 0
    assert MediaBlob.objects.exists()


def test_the_job_of_each_hour_deletes_them() -> None:
    unnamed()
    MediaBlob.objects.update(named_at=timezone.now() - 2 * GRACE)

    retention()

    assert MediaBlob.objects.count() == 1

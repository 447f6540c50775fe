"""Exports: fetched by who asked for them, as long as they hold."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from recipients import exporting
from recipients.models import Export, ExportStatus
from tests.console import messages, staff, superuser, text
from tests.factories import make_list, make_recipient

pytestmark = pytest.mark.django_db

EXPORTS = "/exports/"
AT_CONSOLE = "/admin/recipients/export/add/"


def exported(browser: Client) -> Export:
    """Have an export asked for and written."""
    browser.post(AT_CONSOLE, {"mailing_list": make_list().pk, "format": "csv"})
    export = Export.objects.get()
    exporting.write(export.pk, clock=timezone.now)
    export.refresh_from_db()
    return export


def test_an_export_is_fetched_by_who_asked_for_it_as_long_as_it_holds() -> None:
    make_recipient(lists=[make_list()])
    browser = superuser()
    export = exported(browser)
    colleague = staff("recipients.export_recipient")

    fetched = browser.get(f"{EXPORTS}{export.pk}/file/")
    assert b"ada@example.org" in b"".join(fetched)
    assert fetched["Content-Disposition"].startswith("attachment")
    assert "List Readers" in text(colleague.get(EXPORTS))
    assert colleague.get(f"{EXPORTS}{export.pk}/file/").status_code == 404
    Export.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    late = browser.get(f"{EXPORTS}{export.pk}/file/", follow=True)
    assert messages(late)[-1].startswith("There is no file any more")


def test_who_may_see_recipients_may_not_take_them_out() -> None:
    browser = staff("recipients.view_recipient", "recipients.view_export")

    assert [browser.get(path).status_code for path in (EXPORTS, AT_CONSOLE)] == [403, 403]


def test_a_list_and_a_segment_are_not_exported_together() -> None:
    from_both = superuser().post(
        AT_CONSOLE, {"mailing_list": make_list().pk, "segment": "1", "format": "csv"}
    )

    assert from_both.status_code == 200
    assert not Export.objects.filter(status=ExportStatus.WAITING).exists()

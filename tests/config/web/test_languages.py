"""Every page of staff's in each language that we have beside English."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Model
from django.urls import reverse

from campaigns.models import Transport
from recipients.models import Field, Import, ImportStatus, MailingList, Suppression, Tag
from tests.campaigns.webhooks.steps import make_endpoint
from tests.config.test_web import STAFF, URLS
from tests.console import superuser
from tests.factories import (
    make_campaign,
    make_delivery,
    make_file,
    make_form,
    make_past_run,
    make_recipients,
    make_segment,
)

LANGUAGES = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
ANSWERED = {200, 302, 405}  # the page, or the one that it is a part of, or that a form leads to
# Of those who have no second factor, of a key or a file that is not made, or only held for a while.
NOT_THERE = {
    "account_reauthenticate",
    "accounts:key_revoke",
    "campaigns:run_report_map",
    "campaigns:template_frame",
    "campaigns:template_picture",
    "mfa_deactivate_totp",
    "mfa_download_recovery_codes",
    "mfa_edit_webauthn",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
    "recipients:export_file",
    "recipients:field_edit",
}
# What a page is about, by the address of all such: of others there is nothing to open.
ABOUT: dict[str, type[Model]] = {
    "fields": Field,
    "imports": Import,
    "suppression": Suppression,
    "tags": Tag,
    "transports": Transport,
}


def something_of_everything() -> dict[str, Model]:
    """Return one of each thing that has a page, by the beginning of its address."""
    file = make_file()
    [reader] = make_recipients(1, mailing_list=MailingList.objects.create(name="Readers"))
    campaign = make_campaign()
    run = make_past_run(campaign, sent=1)
    Import.objects.create(file_name="a.csv", size=1, status=ImportStatus.DONE)
    Suppression.objects.create(key="eve@example.org", reason="manual")
    Tag.objects.create(name="vip")
    Transport.objects.create(name="Relay", encrypted_url="")
    return {
        "campaigns": campaign,
        "ledger": make_delivery(run, reader),
        "forms": (form := make_form()),
        "lists": form.mailing_list,
        "media": file,
        "recipients": reader,
        "runs": run,
        "segments": make_segment(),
        "senders": campaign.sender,
        "templates": campaign.template,
        "users": User.objects.get(),
        "webhooks": make_endpoint(),
    } | {name: kind._default_manager.get() for name, kind in ABOUT.items()}


def address(name: str, there: dict[str, Model]) -> str:
    kind = str(URLS[name].pattern).partition("/")[0]
    about = there[kind].pk if kind in there else 987654321
    given: dict[str, Any] = dict.fromkeys(URLS[name].pattern.converters, 1) | {
        "pk": about,
        "list_pk": there["lists"].pk,
        "form_pk": there["forms"].pk,
    }
    return reverse(name, kwargs={each: given[each] for each in URLS[name].pattern.converters})


@pytest.mark.django_db
@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_there_in_each_language(language: str) -> None:
    client, there = superuser(), something_of_everything()

    answers = {
        name: client.get(address(name, there), headers={"accept-language": language})
        for name in STAFF
    }

    pages = {name: _text(answer) for name, answer in answers.items() if "<html" in _text(answer)}
    spoken = {name: re.findall(r'<html lang="(\w+)"', page) for name, page in pages.items()}
    missing = {name for name, answer in answers.items() if answer.status_code not in ANSWERED}
    assert {name: each for name, each in spoken.items() if each != [language]} == {}
    assert missing <= NOT_THERE


def _text(answer: Any) -> str:
    return "" if answer.streaming else answer.content.decode(errors="replace")

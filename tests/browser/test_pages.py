"""Each page of staff's, in each state, as people see it.

All are opened once for all of these tests: those with something on them in Vietnamese, whose words
are longer, and empty ones and refused forms in English.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeAlias
from urllib.parse import urlsplit

import pytest
from django.urls import resolve
from playwright.sync_api import Browser

from config.accounts.models import Profile
from config.web.access import PAGES
from tests.browser import looking
from tests.browser.conftest import Visit, administrator, new_context, sign_in, watched
from tests.browser.stage import EMPTY, FORMS, NO_MATCH, everything

# As the key does that sends a form, whatever the browser thinks of what is in it.
_SEND = """() => {
  const form = document.querySelector('main form[method=post]:has(.field)');
  form.noValidate = true;
  form.requestSubmit(form.querySelector('button:not(.quiet, .sr-only, [type=button])'));
}"""
# By what was asked, and of which page: what was wrong.
Found: TypeAlias = dict[str, dict[str, list[str]]]

# Parts of pages, files, and what there is only with a password, a second factor or by a form.
NOT_OPENED = {
    "account_change_password",
    "account_reauthenticate",
    "accounts:audit_file",
    "campaigns:campaign_check_job",
    "campaigns:campaign_count",
    "campaigns:campaign_standing",
    "campaigns:campaign_times",
    "campaigns:dashboard_now",
    "campaigns:delivery_export",
    "campaigns:run_now",
    "campaigns:run_report_map",
    "campaigns:sender_check",
    "campaigns:sender_found",
    "campaigns:template_blank_live",
    "campaigns:template_blank_preview",
    "campaigns:template_frame",
    "campaigns:template_live",
    "campaigns:template_picture",
    "campaigns:template_pictures",
    "campaigns:webhook_replay",
    "campaigns:webhook_test",
    "console_password_change",
    "health_now",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_deactivate_totp",
    "mfa_download_recovery_codes",
    "mfa_edit_webauthn",
    "mfa_generate_recovery_codes",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
    "recipients:export_file",
    "recipients:import_now",
    "recipients:import_rejected",
    "recipients:recipient_bulk",
    "recipients:recipient_leave",
    "templates_app:media_download",
    "templates_app:template_export",
}


class Walk:
    """Somebody who opens one page after the other, and what they find."""

    def __init__(self, visit: Visit, *, language: str = "en") -> None:
        self.visit, self.page, self.language = visit, visit.page, language
        self.found: Found = defaultdict(dict)
        self.opened: set[str] = set()

    def look_at(self, addresses: Iterable[str], *, state: str = "") -> None:
        for address in addresses:
            self.visit.open(address)
            self.opened.add(resolve(urlsplit(self.page.url).path).view_name)
            self._look(address, state)

    def refused(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            self.visit.open(address)
            with self.page.expect_navigation() as sent:
                self.page.evaluate(_SEND)
            self._note("refusal", f"{address} (refused)", self._refusal(sent.value.status))
            self._look(address, " (refused)")

    def _look(self, address: str, state: str) -> None:
        place = f"{address}{state}"
        spoken = self.page.get_attribute("html", "lang")
        self._note("language", place, [] if spoken == self.language else [f"speaks {spoken}"])
        for what, wrong in looking.at_a_desk(self.page, with_menu=address == "/").items():
            self._note(what, place, wrong)
        self._note("narrow", place, looking.on_a_telephone(self.page))
        self._note("print", place, looking.on_paper(self.page))
        self._note("spacing", place, looking.spaced_out(self.page))

    def _refusal(self, status: int) -> list[str]:
        is_read = "document.activeElement.matches('.errors')"
        return [
            *([] if status == 422 else [f"answered {status}"]),
            *([] if self.page.title().startswith("Error") else [self.page.title()]),
            *([] if self.page.evaluate(is_read) else ["its errors are not read first"]),
        ]

    def _note(self, what: str, place: str, wrong: list[str]) -> None:
        if wrong:
            self.found[what][place] = wrong


@pytest.fixture(scope="module")
def walk(db: None, browser: Browser, site: str) -> Walk:
    root = administrator()
    with new_context(browser, reduced_motion="reduce", viewport=looking.DESK) as context:
        context.add_init_script(looking.SHIFTS)
        sign_in(context, root, site)
        walk = Walk(watched(context.new_page(), site))
        walk.look_at(EMPTY, state=" (empty)")
        addresses = everything(root)
        walk.look_at(NO_MATCH)
        walk.refused(FORMS)
        Profile.objects.update_or_create(user=root, defaults={"language": "vi"})
        sign_in(context, root, site)
        walk.language = "vi"
        walk.look_at(addresses)
    return walk


def test_every_page_is_opened(walk: Walk) -> None:
    assert set(PAGES) - walk.opened == NOT_OPENED


def test_pages_are_for_everybody(walk: Walk) -> None:
    assert walk.found["axe"] == {}
    assert walk.found["headings"] == {}


def test_no_page_moves_while_it_is_loaded_nor_for_who_asks_for_less_motion(walk: Walk) -> None:
    assert walk.found["shift"] == {}
    assert walk.found["motion"] == {}


def test_what_has_the_focus_is_marked_and_nothing_lies_upon_it(walk: Walk) -> None:
    assert walk.found["focus"] == {}


def test_pages_fit_a_small_telephone_and_large_text(walk: Walk) -> None:
    assert walk.found["narrow"] == {}
    assert walk.found["spacing"] == {}


def test_on_paper_is_what_was_asked_for_and_nothing_to_press(walk: Walk) -> None:
    assert walk.found["print"] == {}


def test_in_vietnamese_no_number_that_a_machine_reads_is_grouped(walk: Walk) -> None:
    assert walk.found["language"] == {}
    assert walk.found["numbers"] == {}


def test_a_form_that_was_refused_is_read_from_its_errors_on(walk: Walk) -> None:
    assert walk.found["refusal"] == {}


def test_nothing_is_asked_of_others_and_nothing_goes_wrong(walk: Walk) -> None:
    # What is refused is an error to a browser; and what a template holds runs no script that
    # counts how it moves, either.
    wanted = ("422", "/-/frame/")

    assert [each for each in walk.visit.wrong if not any(word in each for word in wanted)] == []

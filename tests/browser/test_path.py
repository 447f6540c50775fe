"""From a name to the departure, with the keyboard alone, with and without JavaScript."""

from campaigns.models import Campaign, CampaignStatus, Run, RunStatus
from tests.browser.conftest import Visit
from tests.browser.keyboard import press, tab_to, type_into
from tests.factories import (
    make_campaign,
    make_list,
    make_recipients,
    make_run,
    make_sender,
    make_template,
)


def test_a_campaign_is_made_checked_and_sent_without_a_mouse(either: Visit) -> None:
    make_recipients(3, mailing_list=make_list())
    make_sender()
    make_template()
    page = either.page
    either.open("/campaigns/")

    press(page, "link", "New campaign")
    type_into(page, "Name", "Spring")
    press(page, "button", "Save and continue")
    tab_to(page, "checkbox", "Readers")
    page.keyboard.press("Space")
    press(page, "button", "Save and continue")
    tab_to(page, "radio", "Not yet")
    page.keyboard.press("ArrowUp")
    press(page, "button", "Save and continue")
    press(page, "link", "Continue")
    assert "3 people will receive it" in page.inner_text("main")
    press(page, "button", "Send to 3 people")

    assert Campaign.objects.get().status == CampaignStatus.SCHEDULED
    assert "Departing" in page.inner_text("main")
    press(page, "link", "Take back")
    press(page, "button", "Take it back")
    assert Campaign.objects.get().status == CampaignStatus.DRAFT


def status_of(run: Run) -> str:
    return Run.objects.values_list("status", flat=True).get(pk=run.pk)


def test_a_run_is_paused_resumed_and_stopped_for_good_without_a_mouse(either: Visit) -> None:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    run = make_run(make_campaign("Spring", lists=[readers]))
    page = either.page
    either.open(f"/runs/{run.pk}/")

    press(page, "link", "Pause")
    press(page, "button", "Pause")
    assert status_of(run) == RunStatus.PAUSED
    press(page, "link", "Resume")
    press(page, "button", "Resume")
    assert status_of(run) == RunStatus.SENDING
    press(page, "link", "Stop for good")
    assert status_of(run) == RunStatus.SENDING
    press(page, "button", "Stop the campaign")

    assert status_of(run) == RunStatus.CANCELLED
    assert "Recipients who will not be mailed: 3" in page.inner_text("main")


def test_what_is_ticked_is_counted_and_nothing_moves_the_focus(visit: Visit) -> None:
    make_recipients(3, mailing_list=make_list())
    make_recipients(2, mailing_list=make_list("Others"), prefix="o")
    make_sender()
    make_template()
    page = visit.page
    visit.open("/campaigns/new/")
    page.get_by_label("Name").fill("Spring")
    page.get_by_role("button", name="Save and continue").click()

    tab_to(page, "checkbox", "Others")
    page.keyboard.press("Space")

    page.get_by_text("Not saved yet.").wait_for()
    assert "would receive it" in page.inner_text("#sum")
    assert page.evaluate("document.activeElement.type") == "checkbox"

"""Templates are written and composed in a real browser."""

from playwright.sync_api import expect

from templates_app.models import EmailTemplate, TemplateDraft
from tests.browser.conftest import Visit
from tests.browser.keyboard import press, tab_to, type_into
from tests.browser.stage import make_mjml


def test_the_message_stands_beside_the_source_as_it_is_typed(visit: Visit) -> None:
    template, page = make_mjml(), visit.page
    visit.open(f"/templates/{template.pk}/edit/")
    message = page.frame_locator("#live-frame")
    editor = page.get_by_role("textbox", name="Source")

    expect(message.get_by_text("Hello")).to_be_visible()
    page.get_by_role("textbox", name="Subject").fill("Newer")
    expect(page.locator("#draft-state")).to_contain_text("as draft 1")
    editor.press("Control+End")
    editor.press_sequentially("{% if %}")
    expect(page.locator("#live [data-line]")).to_be_visible()
    page.locator("#live [data-line]").click()

    expect(editor).to_be_focused()
    expect(message.get_by_text("Hello")).to_be_visible()
    assert "{% if %}" in TemplateDraft.objects.get().typed["source"]
    editor.press("Tab")
    expect(page.get_by_role("textbox", name="Text part")).to_be_focused()
    visit.picture("template-source")


def test_a_template_is_composed_without_a_mouse(either: Visit) -> None:
    page = either.page
    either.open("/templates/new/")

    type_into(page, "Name", "News")
    press(page, "button", "Create Blocks")
    tab_to(page, "button", "Button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Words on it (block 3)")).to_be_focused()
    page.keyboard.type("Read on")
    type_into(page, "Where it leads (block 3)", "https://example.org/")
    tab_to(page, "button", "Move up 3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Words on it (block 2)")).to_have_value("Read on")
    either.picture("template-blocks")
    tab_to(page, "button", "Save")
    with page.expect_navigation():
        page.keyboard.press("Enter")

    expect(page.get_by_text("News is saved as version 2.")).to_be_visible()
    source = EmailTemplate.objects.get().source
    assert source.index("Read on") < source.index("What there is to say.")

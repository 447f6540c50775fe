"""Hands that know the keyboard alone."""

from playwright.sync_api import Page

MOST_STOPS = 200  # of the tab key on one page


def tab_to(page: Page, role: str, name: str) -> None:
    """Go on with the tab key until something of that role and name has the focus."""
    wanted = page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]
    for _ in range(MOST_STOPS):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the tab key does not come to {role} {name!r}")


def press(page: Page, role: str, name: str) -> None:
    tab_to(page, role, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def type_into(page: Page, name: str, text: str) -> None:
    tab_to(page, "textbox", name)
    page.keyboard.type(text)

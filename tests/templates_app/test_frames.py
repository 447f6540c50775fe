import pytest

from templates_app.frames import framed, inbox_line

DARK = (
    "<style>@media (prefers-color-scheme: dark) and (min-width: 1px) { p { color: red } }</style>"
)


def test_the_policy_stands_before_all_that_the_author_wrote() -> None:
    page = framed("<!doctype html>\n<html><head><img src=x></head></html>")

    assert page.startswith('<!doctype html><meta http-equiv="Content-Security-Policy"')
    assert framed("<p>Hi</p>").startswith('<meta http-equiv="Content-Security-Policy"')


def test_a_link_that_is_followed_leads_out_of_the_frame_which_its_sandbox_forbids() -> None:
    page = framed("<base href='https://evil.example/' target='_self'><a href='x'>Look</a>")

    assert page.index('<base target="_blank">') < page.index("<base href=")


@pytest.mark.parametrize("is_dark", [True, False])
def test_colours_are_those_of_the_chosen_scheme_whatever_the_looker_prefers(is_dark: bool) -> None:
    light = DARK.replace("dark", "light")

    page = framed(DARK + light, is_dark=is_dark)

    assert "prefers-color-scheme" not in page
    first, second = page.split("@media ")[1:]
    assert first.startswith("(min-width: 0px) and" if is_dark else "(max-width: 0px) and")
    assert second.startswith("(max-width: 0px) and" if is_dark else "(min-width: 0px) and")


def test_a_message_that_declares_both_schemes_is_drawn_on_the_chosen_one() -> None:
    both = '<meta name="color-scheme" content="light dark"><style>:root{color-scheme: light dark}'

    page = framed(both, is_dark=True)

    assert '<meta name="color-scheme" content="dark"><style>:root{color-scheme: dark}' in page


def test_an_inbox_shows_the_preheader_and_not_what_fills_it() -> None:
    html = (
        "<head><title>No</title><style>p{}</style></head><div style='display:none'>First&#847;"
        "&zwnj;&nbsp;</div><!-- no --><p>Then &amp; more</p>"
    )

    assert inbox_line(html) == "First Then & more"
    assert len(inbox_line("word " * 100)) == 140

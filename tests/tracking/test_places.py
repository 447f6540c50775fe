"""Which links of a message are counted, what becomes of them, and where they may lead."""

import pytest

from templates_app.compiling import Library, compile_draft
from templates_app.drafts import Draft, Written
from templates_app.models import Kind
from tracking.places import (
    Measured,
    Unfit,
    home_of,
    location,
    measured_html,
    numbered_places,
    personal_location,
    places,
)

FULL = Measured("https://g.example/o/{{ o }}", "https://g.example/c/{{ c }}/", is_for_one=True)
ANONYMOUS = Measured("https://g.example/o/T", "https://g.example/c/T/", is_for_one=False)
PIXEL = (
    '<img src="https://g.example/o/{{ o }}" width="1" height="1" alt="" '
    'style="display:block;width:1px;height:1px">'
)


def targets(html: str) -> list[str]:
    return [place.target for place in numbered_places(html)]


def rewritten(html: str, measured: Measured = FULL) -> str:
    """Return HTML as it is sent, with the numbers that its links have by themselves."""
    numbers: dict[str, list[int]] = {}
    for number, place in enumerate(numbered_places(html)):
        numbers.setdefault(place.target, []).append(number)
    return measured_html(html, numbers, measured)


@pytest.mark.parametrize(
    ("href", "target"),
    [
        ('"https://a.example/b"', "https://a.example/b"),
        ("'http://a.example'", "http://a.example"),
        ("https://a.example/b", "https://a.example/b"),
        ('" HTTPS://A.example/b "', "HTTPS://A.example/b"),
        ('"https://a.example?q=1&amp;r=2#x"', "https://a.example?q=1&r=2#x"),
        ('"https://a.example:8443/"', "https://a.example:8443/"),
        ('"https://münchen.example/straße"', "https://münchen.example/straße"),
        ('"https://a.example/{{ city }}"', "https://a.example/{{ city }}"),
        (
            """"https://a.example/?c={{ city | default("x & 'y'") }}&amp;d\"""",
            """https://a.example/?c={{ city | default("x & 'y'") }}&d""",
        ),
        ('"https://a.example/{% if a < b %}c{% endif %}"',) * 2,
    ],
)
def test_a_link_to_a_page_of_the_web_is_counted(href: str, target: str) -> None:
    assert targets(f"<p><a href={href}>x</a>") == [target.strip('"')]


@pytest.mark.parametrize(
    "href",
    [
        "{{ unsubscribe_url }}",
        "{{ preferences_url }}",
        "{{ view_url }}",
        "https://a.example/?back={{ unsubscribe_url | urlencode }}",
        "mailto:a@b.example",
        "tel:+4912",
        "sms:+4912",
        "#top",
        "",
        "/relative",
        "//a.example/b",
        "ftp://a.example/",
        "javascript:alert(1)",
        "https:a.example",
        "https:///a.example",
        r"https:\\a.example/",
        r"https://a.example\@b.example/",
        "https://user@a.example/",
        "https://user:secret@a.example/",
        "https://{{ host }}/",
        "https://{{ host }}.a.example/",
        "https://a.example{{ path }}",
        "https://a.example:{{ port }}/",
        "https://a.example:99999/",
        "https://a{{ '/' }}.example/",
        "{{ address }}",
        "{% if a %}https://a.example/{% else %}https://b.example/{% endif %}",
        "https://a.example/&#10;b",
        "https://a b.example/",
        "https://{% raw %}a.example{% endraw %}/",
    ],
)
def test_another_link_stays_as_it_is(href: str) -> None:
    html = f'<a href="{href}">x</a>'

    assert places(html) == []
    assert rewritten(html) == PIXEL + html


@pytest.mark.parametrize(
    "html",
    [
        "{% for p in products %}<a href='https://a.example/{{ p.slug }}'>x</a>{% endfor %}",
        "{% for p in products %}<a href='https://a.example/{{ loop.index }}'>x</a>{% endfor %}",
        "{% set city = town %}<a href='https://a.example/{{ city }}'>x</a>",
        "<!-- <a href='https://a.example/'>x</a> -->",
        "<style>a[href='https://a.example/'] {}</style>",
        "{% raw %}<a href='https://a.example/'>x</a>{% endraw %}",
        "{# <a href='https://a.example/'>x</a> #}",
        "<img src='https://a.example/'>",
        "<link href='https://a.example/'>",
    ],
)
def test_what_is_no_link_or_is_not_known_at_the_click_is_not_counted(html: str) -> None:
    assert places(html) == []
    assert html in rewritten(html)


def test_a_link_in_a_loop_that_is_the_same_each_time_is_counted() -> None:
    html = "{% for p in products %}<a href='https://a.example/'>{{ p }}</a>{% endfor %}"

    assert targets(html) == ["https://a.example/"]


def test_each_place_has_its_own_number_and_nothing_else_is_touched() -> None:
    html = (
        '<p title="{{ a | default("<a href=\'https://no.example/\'>") }}">'
        "<a class=x href='https://a.example/1'>One</a> <a href=https://a.example/2>Two</a>"
        '<a href="{{ unsubscribe_url }}">Leave</a> <a href="https://a.example/1">Again</a>'
        '<map><area href="https://a.example/3" alt="Three"></map>'
    )

    assert rewritten(html) == PIXEL + html.replace(
        "'https://a.example/1'", "'https://g.example/c/{{ c }}/0'"
    ).replace("=https://a.example/2", '="https://g.example/c/{{ c }}/1"').replace(
        '"https://a.example/1"', '"https://g.example/c/{{ c }}/2"'
    ).replace('"https://a.example/3"', '"https://g.example/c/{{ c }}/3"')


def test_a_place_without_a_number_stays_as_it_is() -> None:
    html = '<a href="https://a.example/">1</a><a href="https://a.example/">2</a>'

    found = measured_html(html, {"https://a.example/": [7]}, FULL)

    assert found == PIXEL + html.replace("https://a.example/", "https://g.example/c/{{ c }}/7", 1)


def test_an_anonymous_message_has_the_same_addresses_for_all() -> None:
    html = '<a href="https://a.example/">1</a><a href="https://a.example/{{ city }}">2</a>'

    found = rewritten(html, ANONYMOUS)

    assert 'src="https://g.example/o/T"' in found
    assert found.endswith(
        '<a href="https://g.example/c/T/0">1</a><a href="https://a.example/{{ city }}">2</a>'
    )


def test_a_button_for_outlook_counts_as_the_one_for_others() -> None:
    html = (
        '<a href="https://a.example/">Earlier</a>'
        '<!--[if mso]><v:roundrect href="https://a.example/"><center>Go</center><![endif]-->'
        '<!--[if !mso]><!--><a href="https://a.example/">Go</a><!--<![endif]-->'
        '<!--[if mso]><a href="https://a.example/outlook">Only here</a><![endif]-->'
    )

    assert targets(html) == [
        "https://a.example/",
        "https://a.example/",
        "https://a.example/outlook",
    ]
    assert rewritten(html) == PIXEL + (
        '<a href="https://g.example/c/{{ c }}/0">Earlier</a>'
        '<!--[if mso]><v:roundrect href="https://g.example/c/{{ c }}/1"><center>Go</center>'
        '<![endif]--><!--[if !mso]><!--><a href="https://g.example/c/{{ c }}/1">Go</a>'
        '<!--<![endif]--><!--[if mso]><a href="https://g.example/c/{{ c }}/2">Only here</a>'
        "<![endif]-->"
    )


@pytest.mark.parametrize(
    ("html", "label"),
    [
        ("<a href='https://a.example/'> Read\n <b>all</b> &amp; more </a>", "Read all & more"),
        ("<a href='https://a.example/'><img src=x alt='The tide'></a>", "The tide"),
        ("<a href='https://a.example/'><img src=x></a>", ""),
        ("<a href='https://a.example/'>For {{ first_name }}</a>", "For {{ first_name }}"),
        ("<a href='https://a.example/'>One<a href='#'>Two</a>", "One"),
        (f"<a href='https://a.example/'>{'long ' * 99}</a>", ("long " * 99)[:200]),
        ("<area href='https://a.example/' alt='A {{ b }}'>", "A {{ b }}"),
    ],
)
def test_a_link_is_known_by_what_a_reader_sees_of_it(html: str, label: str) -> None:
    assert [place.label for place in places(html)] == [label]


HIDDEN = '<div style="display:none;max-height:0">Soon <div>more</div></div>'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "<p>Hello"),
        ("", "Hello <div style='display:none'>x</div>"),
        (HIDDEN, "<p>Hello"),
        (f"{HIDDEN}\n{HIDDEN}", "<table>"),
        ("<!doctype html><html><head><title>x</title></head><body class='a > b'>", "<p>Hello"),
        (f"<html><body> {HIDDEN}", " <p>Hello</p></body></html>"),
        ("<html><head><meta charset=utf-8></head>", "<p>Hello"),
        ("<!doctype html>", "<p>Hello"),
        ("<body>", "{% if a %}<div style='display:none'>x</div>{% endif %}<p>Hello"),
        ("<body>", "<p><![if !mso]>Hello<![endif]>"),
        ("<body>", ""),
    ],
)
def test_the_pixel_stands_where_the_body_begins_behind_the_preheader(
    before: str, after: str
) -> None:
    assert rewritten(before + after) == before + PIXEL + after


def test_without_html_there_is_nothing_to_measure() -> None:
    assert rewritten("") == ""


MJML = (
    "<mjml><mj-body><mj-section><mj-column>"
    "<mj-button href='https://a.example/?q=1&amp;r=2'>Shop</mj-button>"
    "</mj-column></mj-section></mj-body></mjml>"
)


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (Kind.MARKDOWN, "Hello\n\n[Shop](https://a.example/?q=1&r=2)"),
        (Kind.HTML, "<html><body><p><a href='https://a.example/?q=1&r=2'>Shop</a></body></html>"),
        (
            Kind.MJML,
            MJML,
        ),
    ],
)
def test_links_are_found_in_what_each_kind_compiles_to(kind: Kind, source: str) -> None:
    written = Written(language="", subject="News", preheader="Soon", source=source, text="")
    draft = Draft(kind=kind, written=(written,), layout="", link_parameters="utm_source=news")
    [content] = compile_draft(draft, library=Library()).contents

    found = rewritten(content.html)

    assert targets(content.html) == ["https://a.example/?q=1&r=2&utm_source=news"]
    assert found.count("https://g.example/c/{{ c }}/0") == 1
    assert "a.example" not in found
    assert found.index(PIXEL) > found.index("Soon")


@pytest.mark.parametrize(
    ("address", "header"),
    [
        ("https://a.example", "https://a.example"),
        ("HTTP://A.Example/B", "http://a.example/B"),
        ("https://a.example/b c?d=e%20f&g=%2B#h", "https://a.example/b%20c?d=e%20f&g=%2B#h"),
        ("https://münchen.example/straße?ä=ö#ü",
         "https://xn--mnchen-3ya.example/stra%C3%9Fe?%C3%A4=%C3%B6#%C3%BC"),
        ('https://a.example/"<>', "https://a.example/%22%3C%3E"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://a.example/?", "https://a.example/?"),
        ("https://a.example/@b//c", "https://a.example/@b//c"),
    ],
)  # fmt: skip
def test_an_address_becomes_what_a_header_can_have(address: str, header: str) -> None:
    assert location(address) == header


@pytest.mark.parametrize(
    "address",
    [
        "",
        "//evil.example",
        "https:evil.example",
        "https:///evil.example",
        r"https:\\evil.example",
        r"https://a.example\@evil.example",
        r"\\evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://a@evil.example/",
        "https://:@evil.example/",
        "https://a.example/\r\nSet-Cookie: a=b",
        "https://a.example/\tb",
        "https://a.example/\x00",
        "https://a.example:x/",
        "https://a.example:99999/",
        "https://a%2eexample/",
        "https://[::1/",
        "https://a.exam\ufe13ple/",
        f"https://{'ä' * 99}.example/",
    ],
)
def test_nobody_is_led_to_what_is_not_the_address_of_a_page(address: str) -> None:
    with pytest.raises(Unfit):
        location(address)


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("https://a.example/{{ v }}", "https://a.example/Ada%20&%20Bo"),
        ("https://a.example/?n={{ v | urlencode }}&m=1", "https://a.example/?n=Ada%20%26%20Bo&m=1"),
        ("https://a.example/{% if v %}in{% else %}out{% endif %}", "https://a.example/in"),
        ("https://a.example/{{ none | default('<x>') }}", "https://a.example/%3Cx%3E"),
        ("https://a.example/{{ born | date('long') }}", "https://a.example/1.%20Februar%201990"),
        ("https://a.example?{{ v | e }}", "https://a.example?Ada%20&%20Bo"),
        ("https://MÜNCHEN.example/{{ v }}", "https://xn--mnchen-3ya.example/Ada%20&%20Bo"),
    ],
)
def test_a_personal_link_leads_where_the_message_would_have_led(target: str, leads_to: str) -> None:
    values = {"v": "Ada & Bo", "born": "1990-02-01"}

    assert personal_location(target, values, language="de") == leads_to


@pytest.mark.parametrize(
    "value",
    [
        "@evil.example/",
        "\\@evil.example",
        "a\r\nb",
        "a\x00",
        "//evil.example",
        "../../x",
        "\t",
        ":1",
    ],
)
@pytest.mark.parametrize("target", ["https://a.example/{{ v }}", "https://a.example?{{ v }}"])
def test_no_value_of_a_recipient_leads_to_another_host(target: str, value: str) -> None:
    try:
        found = personal_location(target, {"v": value}, language="")
    except Unfit:
        return
    assert found.startswith(("https://a.example/", "https://a.example?"))
    assert found.isascii()
    assert not set(found) & set("\r\n\t\\ ")


def test_the_front_page_of_a_personal_link_is_known_without_its_recipient() -> None:
    assert home_of("https://a.example:8443/x/{{ v }}?a") == "https://a.example:8443/"

import pytest

from campaigns.preflight import hosts, markup
from campaigns.preflight.content import (
    CLIPPED,
    Content,
    Facts,
    check_content,
    check_sender,
    size_findings,
)
from campaigns.preflight.findings import Finding, Severity, for_trial
from recipients.translatable import Translatable
from templates_app.compiling import Library, compile_draft
from templates_app.gallery import STARTERS, Starter, bundle_of

WAY_OUT = '<a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ sender_address }}'
WORDS = "<p>" + "The godwits have left Alaska for the shores of the south this week. " * 3 + "</p>"
FACTS = Facts(
    sender_name="The Shore",
    sender_address="news@shore.org",
    postal_address="1 Shoal Road, Miranda 2473",
    site_url="https://news.shore.org",
)


def content(
    html: str = "", *, subject: str = "They have left", text: str | None = None, own_text: str = ""
) -> Content:
    html = WORDS + html + WAY_OUT
    text = "Unsubscribe: {{ unsubscribe_url }}" if text is None else text
    return Content("", subject, html, own_text or text, source=html, own_text=own_text)


def found(html: str = "", *, facts: Facts = FACTS, **written: str) -> list[Finding]:
    return check_content(content(html, **written), facts)


def names(findings: list[Finding]) -> list[str]:
    return [each.name for each in findings]


def test_a_simple_newsletter_has_nothing_that_is_found() -> None:
    assert found() == []
    assert check_sender(FACTS) == []


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("x" * 100, None),
        ("x" * 101, "subject-long"),
        ("Hello {{ first_name | default('a very long word that is no part of it') }}" * 2, None),
        ("Re: your order", "subject-fake-reply"),
        ("FWD: news", "subject-fake-reply"),
        ("AW: Neues", "subject-fake-reply"),
        ("Regarding the news", None),
        ("BUY IT NOW", "subject-capitals"),
        ("NASA", None),
        ("Look!!!", "subject-signs"),
        (" ", "subject-empty"),
    ],
)
def test_a_subject_is_judged(subject: str, name: str | None) -> None:
    assert names(found(subject=subject)) == ([name] if name else [])


@pytest.mark.parametrize(
    ("size", "name"),
    [
        (90 * 1024, None),
        (90 * 1024 + 1, "size-large"),
        (CLIPPED, "size-large"),
        (CLIPPED + 1, "size-clipped"),
    ],
)
def test_what_gmail_clips_is_an_error_and_what_is_near_it_a_warning(
    size: int, name: str | None
) -> None:
    assert names(list(size_findings(size))) == ([name] if name else [])


@pytest.mark.parametrize(
    ("href", "name"),
    [
        ("https://shore.org/a?b=c&d=e", None),
        ("mailto:news@shore.org", None),
        ("tel:+64", None),
        ("#top", None),
        ("{{ product_url }}", None),
        ("https://shore.org/{{ city | urlencode }}", None),
        ("https://{{ shop }}.shore.org/", None),
        ("http://shore.org/", "link-insecure"),
        ("javascript:alert(1)", "link-script"),
        ("JaVa\tScript:alert(1)", "link-script"),
        (" data:text/html,x", "link-script"),
        ("https://192.0.2.1/", "link-bare"),
        ("https://0x7f000001/", "link-bare"),
        ("https://2130706433/", "link-bare"),
        ("https://[2001:db8::1]/", "link-bare"),
        ("https://shore.org:8443/", "link-bare"),
        ("https://bit.ly/3x", "link-shortened"),
        ("https://shore.org@evil.org/", "link-user"),
        ("https://xn--80ak6aa92e.com/", "link-lookalike"),
        ("https://p\u0430ypal.com/", "link-lookalike"),
        ("https://bücher.de/", None),
        ("/products", "link-broken"),
        ("www.shore.org", "link-broken"),
        ("https://shore.org:port/", "link-broken"),
        ("", "link-broken"),
    ],
)
def test_a_link_is_judged_by_where_it_leads(href: str, name: str | None) -> None:
    assert names(found(f'<a href="{href}">More</a>')) == ([name] if name else [])


def test_a_link_that_shows_another_domain_than_it_leads_to_is_named() -> None:
    [finding] = found('<a href="https://evil.org/">www.bank.org</a>')

    assert finding.name == "link-mismatch"
    assert names(found('<a href="https://www.bank.org/a">bank.org</a>')) == []


def test_a_finding_names_the_line_of_what_the_author_wrote() -> None:
    written = '<p>One</p>\n<p>Two</p>\n<a href="http://shore.org/?a=1&amp;b=2">Three</a>'
    compiled = f"<html>{written.replace(chr(10), '')}{WORDS}{WAY_OUT}</html>"
    text = "{{ unsubscribe_url }}"

    [finding] = check_content(Content("de", "News", compiled, text, source=written), FACTS)

    assert (finding.part, finding.line, finding.language) == ("source", 3, "de")
    assert str(finding).startswith("source, line 3 (de): the link http://shore.org/")


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ('<img src="https://shore.org/a.png" alt="A godwit">', None),
        ('<img src="https://shore.org/a.png" alt="">', None),
        ('<img src="https://shore.org/a.png">', "image-alt"),
        ('<img src="http://shore.org/a.png" alt="">', "image-insecure"),
        ('<img src="a.png" alt="">', "image-relative"),
        ('<img src="data:image/png;base64,x" alt="">', "image-data"),
        ('<img src="{{ picture }}" alt="">', None),
    ],
)
def test_an_image_is_judged(image: str, name: str | None) -> None:
    assert names(found(image)) == ([name] if name else [])


def test_of_many_findings_of_a_kind_some_are_shown_and_that_there_are_more() -> None:
    findings = found('<img src="https://shore.org/a.png">' * 50)

    assert len(findings) == 11
    assert findings[-1].message == "there are more of these"


@pytest.mark.parametrize(
    ("html", "text", "expected"),
    [
        ("<p>Hello</p>", "Hello", {"no-unsubscribe-link", "no-unsubscribe-link-in-text"}),
        (WAY_OUT, "Hello", {"no-unsubscribe-link-in-text"}),
        ("", "Hello", {"no-unsubscribe-link"}),
        ("", "{{ unsubscribe_url }}", set()),
        ('<a href="{{ preferences_url }}">Choose</a>', "{{ preferences_url }}", set()),
        ("<p>unsubscribe_url</p>", "unsubscribe_url",
         {"no-unsubscribe-link", "no-unsubscribe-link-in-text"}),
        ('<div style="display:none"><a href="{{ unsubscribe_url }}">x</a></div>',
         "{{ unsubscribe_url }}", {"no-unsubscribe-link"}),
        # As MJML writes each cell, against gaps; what it holds has a size of its own.
        ('<p style="font-size:0px"><a style="font-size:9px" href="{{ unsubscribe_url }}">x</a></p>',
         "{{ unsubscribe_url }}", set()),
        ('<p style="font-size:0.9em"><a href="{{ unsubscribe_url }}">x</a></p>',
         "{{ unsubscribe_url }}", set()),
        ('<p style="font-size:.0px"><a href="{{ unsubscribe_url }}">x</a></p>',
         "{{ unsubscribe_url }}", {"no-unsubscribe-link"}),
        ('<p style="font-size:0">x</p><a href="{{ unsubscribe_url }}">x</a>',
         "{{ unsubscribe_url }}", set()),
        ('<a href="{% raw %}{{ unsubscribe_url }}{% endraw %}">x</a>', "{# unsubscribe_url #}",
         {"no-unsubscribe-link", "no-unsubscribe-link-in-text"}),
        ('{# <a href="{{ unsubscribe_url }}"> #}', "{{ unsubscribe_url }}",
         {"no-unsubscribe-link"}),
    ],
)  # fmt: skip
def test_a_message_without_a_way_out_is_an_error(html: str, text: str, expected: set[str]) -> None:
    findings = check_content(Content("", "News", html, text), FACTS)

    assert {each.name for each in findings if "unsubscribe" in each.name} == expected


def test_an_urgent_message_without_a_way_out_is_a_warning() -> None:
    urgent = Facts("Shop", "shop@shore.org", postal_address="1 Shoal Road", is_urgent=True)

    findings = check_content(Content("", "Receipt", "", "Paid. 1 Shoal Road"), urgent)

    assert [(each.name, each.severity) for each in findings] == [
        ("no-unsubscribe-link", Severity.WARNING)
    ]


@pytest.mark.parametrize(
    ("html", "postal_address", "is_there"),
    [
        ("{{ sender_address }}", "1 Shoal Road", True),
        ("{{ sender_address }}", "", False),
        ("<p>1 Shoal Road,<br>Miranda&nbsp;2473</p>", "1 Shoal Road, Miranda 2473", True),
        ("<p>Hello</p>", "1 Shoal Road", False),
        ("<p>Hello</p>", "", False),
    ],
)
def test_a_postal_address_is_looked_for_in_the_words(
    html: str, postal_address: str, is_there: bool
) -> None:
    facts = Facts("The Shore", "news@shore.org", postal_address=postal_address)

    findings = check_content(Content("", "News", html, "-"), facts)

    assert ("no-postal-address" not in names(findings)) == is_there


def test_a_text_part_that_is_missing_or_says_something_else_is_a_warning() -> None:
    assert "text-missing" in names(found(text=""))
    other = "Entirely different words about trains. {{ unsubscribe_url }}"
    assert names(found(own_text=other)) == ["text-differs"]
    same = "The godwits have left Alaska for the shores of the south. {{ unsubscribe_url }}"
    assert names(found(own_text=same)) == []


@pytest.mark.parametrize("html", ["<script>x</script>", "<form></form>", '<p onclick="x">Hi</p>'])
def test_what_mail_readers_take_out_is_a_warning(html: str) -> None:
    assert names(found(html)) == ["html-active"]


def test_a_message_of_images_alone_is_a_warning() -> None:
    html = f'<img src="https://shore.org/a.png" alt="Sale">{WAY_OUT}'

    findings = check_content(Content("", "News", html, "{{ unsubscribe_url }}"), FACTS)

    assert names(findings) == ["image-only"]


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("The Shore", "news@gmail.com", "sender-freemail"),
        ("Re: The Shore", "news@shore.org", "sender-name"),
        ("✔ The Shore", "news@shore.org", "sender-name"),
        ("ceo@bank.org", "news@shore.org", "sender-name"),
        ("The Shore", "news@xn--80ak6aa92e.org", "sender-lookalike"),
    ],
)
def test_a_mailbox_that_receivers_distrust_is_named(name: str, address: str, expected: str) -> None:
    facts = Facts(name, address, site_url=f"https://news.{address.partition('@')[2]}")

    assert names(check_sender(facts)) == [expected]


def test_a_site_without_https_or_of_another_domain_is_named() -> None:
    facts = Facts("The Shore", "news@shore.org", site_url="http://localhost:8000")

    assert names(check_sender(facts)) == ["site-insecure", "site-elsewhere"]


@pytest.mark.parametrize("chosen", STARTERS, ids=lambda each: each.slug)
def test_a_template_of_the_gallery_has_nothing_that_is_found(chosen: Starter) -> None:
    bundle = bundle_of(chosen, name="News")
    library = Library(bundle.snippets, bundle.layouts)
    [each] = compile_draft(bundle.draft, library=library).contents

    findings = check_content(Content("", each.subject, each.html, each.text), FACTS)

    assert findings == []


def test_tags_of_the_template_do_not_break_the_reading_of_html() -> None:
    html = '{% if a < b %}<a href="{{ x | default("a>b") }}">Go {{ y }}</a>{% endif %}'

    [link] = markup.read(html).links

    assert (link.href, link.words) == ('{{ x | default("a>b") }}', "Go {{ y }}")


@pytest.mark.parametrize(
    "piece", ["{{", "{% raw %}{{", "a.", "!", "<div style='display:none'>", "<p></b>", "<b><i></b>"]
)
def test_hostile_content_is_judged_in_no_time(piece: str) -> None:
    html = piece * (50_000 // len(piece))

    check_content(
        Content("", "News", f"<a href='https://x.org'>{html}", html, own_text=html), FACTS
    )


def test_for_a_reserved_domain_all_is_advice_but_what_spoils_the_message() -> None:
    warning = Finding(Severity.WARNING, "no-postal-address", Translatable("x"))
    error = Finding(Severity.ERROR, "link-script", Translatable("x"))

    assert [each.severity for each in for_trial([warning, error])] == ["advice", "error"]


@pytest.mark.parametrize(
    ("domain", "is_it"),
    [
        ("example.org", True),
        ("news.example.com", True),
        ("shore.example", True),
        ("a.test", True),
        ("notexample.org", False),
        ("example.org.evil.com", False),
    ],
)
def test_reserved_domains_are_known(domain: str, is_it: bool) -> None:
    assert hosts.is_reserved(domain) == is_it


@pytest.mark.parametrize("host", ["日本語ひらがな.jp", "한국hanguk.kr", "пример.рф", "münchen.de"])
def test_scripts_that_people_write_together_are_taken(host: str) -> None:
    assert hosts.why_confusable(host) is None

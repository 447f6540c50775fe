"""What has no place in mail, from authors who may not write raw HTML."""

from typing import Any

import pytest

from templates_app.models import Kind
from templates_app.rendering import RenderError, compile_content
from tests.templates_app.compiling.test_compiling import MJML, compiled, content, problems

BAD = (
    "<script", "onclick", "onload", "onerror", "javascript:", "vbscript:", "data:", "<iframe",
    "<form", "<input", "http-equiv", "<base", "<link", "@import", "expression", "<object", "<svg",
    "<math", "<embed", "<meta http", "behavior", "<frame", "srcdoc",
)  # fmt: skip
ATTACKS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example></SCRIPT>",
    '<p onclick="x()">a</p>',
    "<img src=x onerror=alert(1)>",
    "<iframe src='https://evil.example' srcdoc='<script>x</script>'></iframe>",
    "<form action='https://evil.example'><input name=password></form>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href=" &#106;ava&#9;script:alert(1)">x</a>',
    '<a href="java{{ x }}script:alert(1)">x</a>',
    '<a href="{% if x %}https://{% endif %}javascript:alert(1)">x</a>',
    '<img src="data:image/svg+xml;base64,AAAA">',
    '<table background="vbscript:x"><tr><td>x</td></tr></table>',
    '<meta http-equiv="refresh" content="0;url=https://evil.example">',
    '<base href="https://evil.example/">',
    '<link rel="stylesheet" href="file:///etc/passwd">',
    "<style>@import url(https://evil.example/a.css); p { color: red }</style><p>x</p>",
    "<style>p { behavior: url(x.htc) }</style>",
    r'<p style="width: expr\65ssion(alert(1))">x</p>',
    '<p style="background: url(javascript:x)">x</p>',
    '<p style="background: url(java{% if x %}{% endif %}script:x)">x</p>',
    "<style>@imp{% if x %}{% endif %}ort url(https://evil.example/a.css);</style><p>x</p>",
    "<!--[if mso]><script>x</script><![endif]-->",
    '<!--[if mso]><v:rect href="javascript:x"></v:rect><![endif]-->',
    "<!--[if gte mso 9]><p onclick='x'>y</p><![endif]-->",
    "<!--><script>alert(1)</script>-->",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><script>x</script></mtext></math>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
    "<object data=x></object><embed src=x>",
    "<body onload=x><p>x</p></body>",
    "{% raw %}<script>alert(1)</script>{% endraw %}",
    "<textarea><script>x</script></textarea><xmp><script>y</script></xmp>",
    "<p/onclick=x>y</p>",
    "<input type=checkbox class=x>",
    "<!--[if mso]><script>x</script>-->",
    "<!--[if mso]><style>p { behavior: url(x.htc) }</style><![endif]-->",
    '<a href="{% if x %}a/{% endif %}javascript:alert(1)">x</a>',
    '<img src="https://a.example/b" srcset="https://a.example/c 1x, data:image/svg+xml;a 2x">',
    "<noscript><style></noscript></style><img src=x onerror=alert(1)>",
    "<frameset><frame src='https://evil.example'></frameset>",
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("kind", [Kind.HTML, Kind.MARKDOWN, Kind.MJML])
def test_what_runs_or_calls_home_is_left_out_and_the_author_is_told(
    attack: str, kind: Kind
) -> None:
    source = (
        MJML.format(f"<mj-raw>{attack}</mj-raw>") if kind == Kind.MJML else f"<p>a</p>\n{attack}"
    )

    compilation = compiled(source, kind)

    assert not compilation.problems
    html = compilation.contents[0].html.lower().replace('http-equiv="x-ua', "")
    html = html.replace('http-equiv="content-type"', "")
    assert [word for word in BAD if word in html] == []
    assert compilation.warnings


def test_a_warning_names_what_was_left_out_and_its_line() -> None:
    compilation = compiled('<p>a</p>\n<script src=x></script>\n<p\nonclick="{{ x }}">b</p>')

    assert [str(each) for each in compilation.warnings] == [
        "source, line 2: <script> was left out; mail does not have it",
        'source, line 4: onclick="{{ x }}" of <p> was left out; mail does not have it',
    ]


def test_what_belongs_into_the_head_is_left_out_of_the_body() -> None:
    compilation = compiled('<body><p>a</p><meta name="x" content="y"><title>z</title></body>')

    assert "<p>a</p></body>" in compilation.contents[0].html
    assert compilation.warnings


def test_a_style_of_mjml_is_named_with_its_line_where_something_of_it_was_left_out() -> None:
    head = "<mjml><mj-head>\n<mj-style>{}</mj-style></mj-head><mj-body></mj-body></mjml>"
    plain = "a > b::after { content: '&<\\201C' } /* <i> */"

    fine, bad = (
        compiled(head.format(css), Kind.MJML)
        for css in (plain, "\n@import url(https://a.example/b.css);")
    )

    assert not fine.warnings
    assert plain in fine.contents[0].html
    assert [str(each) for each in bad.warnings] == [
        "source, line 2: styles that load something or run something were left out"
    ]


def test_whoever_may_write_raw_html_keeps_it() -> None:
    source = "<p onclick='x'>a</p><script>b</script>"

    assert content(source, template={"is_raw": True}).html == source


@pytest.mark.parametrize(
    "source",
    [
        '<a title="{% if no %}">{% endif %}" onmouseover="alert(1)">x</a>',
        "{% if no %}<!--{% endif %}<p>x</p>-->",
        "{% if no %}<style>{% endif %}<b>x</b></style>",
        '<p {% if a %}class="x"{% endif %}>y</p>',
        "<{{ tag }}>x",
        "<!--[if mso]><p {{ a }}>y</p><![endif]-->",
        "<plaintext><style>",
        "<a href=\"{{ x | default('javascript:alert(1)') }}\">x</a>",
        "<a href=\"{{ 'java' ~ 'script:alert(1)' }}\">x</a>",
        '{% set u = "java script:x" %}<a href="{{ u }}">x</a>',
    ],
)
def test_tags_that_make_something_else_of_the_html_are_refused(source: str) -> None:
    assert problems(source)


def test_a_field_cannot_leave_an_attribute_without_quotes() -> None:
    for before, after in (("", ""), ("<!--[if mso]>", "<![endif]-->")):
        html = content(f"{before}<a href={{{{ url }}}}>x</a>{after}").html

        assert html == f'{before}<a href="{{{{ url | address }}}}">x</a>{after}'


@pytest.mark.parametrize(
    "source",
    [
        '<a href="{% if a %}https://a.example{% else %}https://b.example{% endif %}">x</a>',
        '<a href="https://{{ url }}" target="_blank" rel="noopener">x</a>',
        '<table role="presentation" bgcolor="#fff"><tr><td valign="top">x</td></tr></table>',
        "<style>@media (prefers-color-scheme: dark) { p { color: #fff } }</style><p>x</p>",
        '<!--[if mso]><v:rect href="https://a.example" style="a:b"><v:fill src="https://b.example"/></v:rect><![endif]-->',
        "<!--[if !mso]><!--><p>x</p><!--<![endif]-->",
        '<img src="cid:logo" alt="a &amp; b" width="10" style="display:block">',
        '<center><font color="red" face="Arial">x</font></center>',
        "<p>1 < 2 & 3</p>",
        r'<p style="width: \ffffff 1px">x</p>',
    ],
)
def test_what_mail_is_made_of_stays_as_it_was_written(source: str) -> None:
    compilation = compiled(source)

    assert compilation.contents[0].html == source
    assert not compilation.warnings


# ---- addresses that recipients' fields hold


@pytest.mark.parametrize("template", [{}, {"is_raw": True}])
@pytest.mark.parametrize(
    ("written", "compiled_to"),
    [
        ("{{ link }}", "{{ link | address }}"),
        ("{{- person.link -}}", "{{- person.link | address -}}"),
        ("{{ link | default('https://a') }}", "{{ (link | default('https://a')) | address }}"),
        ("{{ a ~ b }}", "{{ (a ~ b) | address }}"),
        ("{{ a }}{{ b }}/{{ c }}", "{{ a | address }}{{ b | address }}/{{ c }}"),
        ("java{{ a }}", "java{{ a | address }}"),
        (
            "{% if a %}https://a{% else %}{{ link }}{% endif %}",
            "{% if a %}https://a{% else %}{{ link | address }}{% endif %}",
        ),
        ("https://a/{{ b }}", "https://a/{{ b }}"),
        ("https://a/{% if b %}{{ b }}{% endif %}", "https://a/{% if b %}{{ b }}{% endif %}"),
        ("mailto:{{ email }}", "mailto:{{ email }}"),
        ("{{ unsubscribe_url }}", "{{ unsubscribe_url }}"),
        ("{{view_url}}", "{{view_url}}"),
    ],
)
def test_a_field_that_begins_an_address_is_looked_at_for_each_recipient(
    written: str, compiled_to: str, template: dict[str, Any]
) -> None:
    made = content(f'<a href="{written}">x</a>', template=template)

    assert made.html == f'<a href="{compiled_to}">x</a>'
    assert made.links == (compiled_to,)


def test_all_that_holds_an_address_is_guarded_also_for_outlook() -> None:
    source = (
        '<img src="{{ a }}"><!--[if mso]><v:rect href="{{ b }}"></v:rect><![endif]-->'
        '<form action="{{ c }}"></form><p title="{{ d }}">{{ e }}</p>'
    )

    html = content(source, template={"is_raw": True}).html

    assert [name for name in "abcde" if f"{{{{ {name} | address }}}}" in html] == ["a", "b", "c"]


def test_a_field_may_not_be_the_scheme_of_an_address() -> None:
    raw = {"is_raw": True}

    for address in ("{{ a }}:{{ b }}", "{{ a }}script:x", "{{ a }}://example.com"):
        [problem] = problems(f'<p>\n<a href="{address}">x</a></p>', template=raw)
        assert problem.startswith("source, line 2: an address begins with https://, written out")


@pytest.mark.parametrize(
    "link",
    ["https://a/?b=c:d", "HTTP://a", " mailto:a@b", "tel:+47", "/a:b", "a.example/b", "", "#a:b"],
)
def test_an_address_of_a_page_a_mail_or_a_phone_is_printed(link: str) -> None:
    assert f'href="{link}"' in rendered_link(link)


@pytest.mark.parametrize(
    "link",
    ["javascript:x", "JAVA\tscript:x", "\x01 data:text/html,x", "vbscript:x", ":x", "file:///a"],
)
def test_another_address_fails_the_message_and_is_named(link: str) -> None:
    with pytest.raises(RenderError, match="is no address that a link may have; write https://"):
        rendered_link(link)


def rendered_link(link: str) -> str:
    made = content('<a href="{{ link }}">x</a>', text="t")
    compiled_content = compile_content(subject="S", html=made.html, text="t")
    return compiled_content.render({"link": link}).html

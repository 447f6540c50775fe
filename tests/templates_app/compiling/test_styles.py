"""Fields in styles: what an author meant comes out, and no style that a recipient typed."""

import re

import pytest

from templates_app.models import Kind
from templates_app.rendering import RenderError, compile_content
from tests.templates_app.compiling.test_compiling import MJML, content, problems

WRITTEN = [
    '<p style="color: {{ x }}">a</p>',
    '<p style="{{ x }}">a</p>',
    "<p style=\"background: url('{{ x }}')\">a</p>",
    "<p style=background:url({{x}})>a</p>",
    "<style>@media print { p { color: {{ x }} } }</style><p>a</p>",
    '<style>p { font-family: "{{ x }}" }</style><p>a</p>',
    '<style>.{{ x | default("") }} { color: red }</style><p>a</p>',
    '<!--[if mso]><v:rect style="width: {{ x }}"></v:rect><![endif]-->',
    "<!--[if mso]><style>p { color: {{ x }} }</style><![endif]-->",
]
ATTACKS = [
    "red; background: url(https://evil.example)",
    "red}body{display:none",
    "x') , url('https://evil.example",
    "x&#41;",
    "expression(alert(1))",
    "\\65xpression",
    "@import 'a'",
    "/* ",
    "</style><p>",
    "url(//evil.example)",
    "data:text/css,a",
    "javascript:x",
    "https://a/ b); x: y",
    "https://a\n}",
    "https://a:b/",
    "https://a/?&x:y{}[](')\"\\;*",
    "a:b",
    "var(--x)",
    "<!--",
]
ENDS = re.compile(r"[\s;{}()\[\]'\"\\*<>]|(?<!^https):(?!//)")


@pytest.mark.parametrize("source", WRITTEN)
@pytest.mark.parametrize("is_raw", [False, True])
def test_a_field_prints_a_value_of_a_style_and_never_more(source: str, is_raw: bool) -> None:
    html = content(source, text="t", template={"is_raw": is_raw}).html
    before, _, after = re.sub(r"\{\{.*?\}\}", "\0", html).partition("\0")
    compiled = compile_content(subject="S", html=html, text="t")

    def printed(value: str) -> str:
        try:
            html = compiled.render({"x": value}).html
        except RenderError as error:
            return str(error)
        return html.removeprefix(before).removesuffix(after)

    for value in ("#ff6600", "Open Sans, Arial", "12.5px", "50%", "", "-1", "blå", "x_y~z"):
        assert printed(value) == value
    assert printed("https://a.example:8080/b(1).png?c=d e") == (
        "https://a.example:8080/b%281%29.png?c=d%20e"
    )
    for attack in ATTACKS:
        made = printed(attack).replace("&amp;", "&")
        assert "may not stand in a style; a colour, a" in made or not ENDS.search(made), attack


def test_an_image_of_mjml_is_guarded_as_an_address_and_as_a_style() -> None:
    source = MJML.replace("<mj-section>", '<mj-section background-url="{{{{ x }}}}">').format("")

    html = content(source, Kind.MJML).html

    assert re.findall(r"\{\{.*?\}\}", html) == ["{{ x | address | css }}"] * 4


@pytest.mark.parametrize(
    "css",
    [
        "{{ a }}: red",
        "{{ a }}-color : red",
        "width: {{ a }}(1)",
        "width: {{ 'expression' }}(1)",
        "width: x{{ a }}y&#40;1)",
        "background: url({{ a }}:b)",
        r"width: \{{ a }}",
    ],
)
def test_a_field_may_not_be_a_name_in_a_style(css: str) -> None:
    [problem] = problems(f'<p>\n<a style="{css}">x</a></p>')

    assert problem.startswith("source, line 2: {{ ")
    assert problem.endswith("may not be a name in a style; write the name out, and print a value")
    assert problems(f"<style>@{{{{ a }}}} {{}} p {{ {css.replace('&#40;', '(')} }}</style>")


@pytest.mark.parametrize(
    "css",
    [
        "{% if a %}color: {{ b }}{% else %}color: blue{% endif %}",
        "width: calc({{ a }}px + 1px); height: {{ b | round }}%",
        "color: rgb({{ a }}, {{ b }}, {{ c }})",
        "{% for each in a | split %}margin: {{ each }}; {% endfor %}color: red",
    ],
)
def test_what_authors_compute_in_a_style_may_stay(css: str) -> None:
    html = content(f'<p style="{css}">x</p>').html

    assert re.sub(r"\(?([^{(]*?)\)? \| css \}\}", r"\1 }}", html) == f'<p style="{css}">x</p>'

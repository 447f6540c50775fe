"""Templates: what authors may write, what recipients get, what nobody gets out of the engine."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minijinja import Environment

from recipients.headers import BadHeader, clean_header
from templates_app import grammar
from templates_app.plaintext import html_to_text
from templates_app.rendering import (
    _ENDS_A_HEADER,
    Plain,
    RenderError,
    check_content,
    compile_content,
)

ROOT = Path(__file__).parents[2]
KNOWN = ("first_name", "city", "items")


def render(html: str, /, **context: Plain) -> str:
    return compile_content(subject="s", html=html, text="t").render(context).html


def problems(html: str, *, subject: str = "s", text: str = "t") -> list[str]:
    found = check_content(subject=subject, html=html, text=text, known=KNOWN)
    return [str(problem) for problem in found]


# What authors write


def test_a_template_renders_its_three_parts() -> None:
    compiled = compile_content(
        subject="Hi {{ first_name }}", html="<b>{{ first_name }}</b>", text="Dear {{ first_name }}"
    )

    rendered = compiled.render({"first_name": "Anna"})

    assert (rendered.subject, rendered.html, rendered.text) == (
        "Hi Anna",
        "<b>Anna</b>",
        "Dear Anna",
    )


def test_a_compiled_template_renders_each_recipient_anew() -> None:
    html = "{% for x in items %}{{ x }}{% endfor %}{{ first_name }}"
    compiled = compile_content(subject="s", html=html, text="t")

    rendered = [compiled.render({"first_name": "x" * 30_000, "items": [n]}) for n in range(40)]

    assert [len(each.html) for each in rendered] == [30_001] * 10 + [30_002] * 30


def test_only_the_html_part_is_escaped() -> None:
    compiled = compile_content(subject="{{ a }}", html="{{ a }}", text="{{ a }}")

    rendered = compiled.render({"a": "<b>\"'&"})

    assert rendered.html == "&lt;b&gt;&quot;&#x27;&amp;"
    assert rendered.subject == rendered.text == "<b>\"'&"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ first_name | upper }}", "ANNA"),
        ("{{ missing | default('there') }}", "there"),
        ("{{ blank | default('there') }}", "there"),
        ("{{ nothing | d('there') }}", "there"),
        ("{{ first_name | default('there') }}", "Anna"),
        ("{{ zero | default('there') }}", "0"),
        ("{% if missing %}yes{% else %}no{% endif %}", "no"),
        ("{% if first_name == 'Anna' and not missing %}yes{% endif %}", "yes"),
        ("{% if first_name in ['Anna', 'Bea'] %}yes{% endif %}", "yes"),
        ("{% for x in items %}{{ loop.index }}{{ x.name }} {% endfor %}", "1pen 2ink "),
        ("{% for x in items if x.price > 5 %}{{ x.name }}{% endfor %}", "ink"),
        ("{{ tags | join(', ') }} {{ tags | first }} {{ tags | length }}", "a, b a 2"),
        ("{% set name = first_name | default('you') %}{{ name }}", "Anna"),
        ("{{ first_name ~ '!' }}", "Anna!"),
        ("{{ 'a b&c' | urlencode }}", "a%20b%26c"),
        ("{{ first_name | replace('n', 'm') }}", "Amma"),
        ("{{ born | date('%d.%m.%Y') }}", "01.02.1990"),
        ("{{ 3.14159 | round(2) }}", "3.14"),
        ("{{ items[0]['name'] }} {{ items[1].price }}", "pen 9.5"),
        ("{{ {} }}", None),
        ("{% raw %}{{ kept }}{% endraw %}{# gone #}", "{{ kept }}"),
        ("{{ '}}' }}{{ \"%}\" }}", "}}%}"),
        ("{% if 6 is divisibleby(zero) %}yes{% else %}no{% endif %}", "no"),
        ("{% if 6 is divisibleby(3) and 7.5 is divisibleby(2.5) %}yes{% endif %}", "yes"),
        ("{% if first_name is divisibleby(2) %}yes{% else %}no{% endif %}", "no"),
        ("{{ 'a&b' | e | upper | escape }}", "A&amp;B"),
        ("{{ '/a/' | trim('/') }}{{ 5 | upper }}{{ 'éCOLE' | capitalize }}", "a5École"),
    ],
)
def test_what_an_author_writes_comes_out(source: str, shown: str | None) -> None:
    context: dict[str, Plain] = {
        "first_name": "Anna",
        "blank": "",
        "nothing": None,
        "zero": 0,
        "tags": ["a", "b"],
        "items": [{"name": "pen", "price": 2}, {"name": "ink", "price": 9.5}],
        "born": "1990-02-01",
    }

    if shown is None:
        with pytest.raises(RenderError):
            render(source, **context)
    else:
        assert render(source, **context) == shown


@pytest.mark.parametrize("context", [{}, {"first_name": None}])
def test_a_field_without_a_value_is_an_error_with_name_and_line(context: dict[str, Plain]) -> None:
    with pytest.raises(RenderError) as caught:
        render("<p>\n{{ city }}\n{{ first_name }}", city="Rome", **context)

    assert (caught.value.part, caught.value.line) == ("html", 3)
    assert caught.value.reason == (
        "the field 'first_name' has no value; "
        "write {{ first_name | default('there') }} if it may be missing"
    )


@pytest.mark.parametrize(
    "source",
    [
        "{{ a | first }}",
        "{{ a | length }}",
        "{{ a | round }}",
        "{{ a + 1 }}",
        "{{ -a }}",
        "{{ a | date }}",
        "{{ a | address }}",
        "{{ (a | trim) | css }}",
        "{{ b | default('') }}{{ a | upper }}",
    ],
)
def test_a_field_without_a_value_is_named_whatever_is_done_with_it(source: str) -> None:
    with pytest.raises(RenderError, match="line 2: the field 'a' has no value"):
        render("\n" + source)


def test_the_field_that_is_named_is_the_one_that_has_no_way_out() -> None:
    with pytest.raises(RenderError, match="'city' has no value"):
        render("{{ first_name | default('there') }} of {{ city }}")


@pytest.mark.parametrize(
    "name",
    [
        "urlencode",
        "join",
        "replace('a', 'b')",
        "date",
        "upper",
        "e",
        "trim",
        "address",
        "plural(2)",
    ],
)
def test_a_filter_does_not_print_a_missing_value_as_none(name: str) -> None:
    with pytest.raises(RenderError, match="no value"):
        render(f"{{{{ missing | {name} }}}}")


@pytest.mark.parametrize("name", ["replace", "replace('a')", "join(1, 2, 3)", "date('%Y', 2)"])
def test_a_filter_with_wrong_arguments_is_an_error_in_words(name: str) -> None:
    with pytest.raises(RenderError, match="too few or too many arguments"):
        render(f"{{{{ 'a' | {name} }}}}")


# Checks before it is saved


def test_a_good_template_has_no_problems() -> None:
    html = """
        Hello {{ first_name | default("there") }}, {{ email }} of {{ list_name }}
        {% for item in items %}{{ item.name }} {{ loop.index }}{% endfor %}
        {% if nickname %}{{ nickname }}{% endif %}
        {% if title is defined and title != "" %}{{ title }}{% endif %}
        {{ pet if pet else "no pet" }} {{ car or "no car" }}
        {% set place = city | upper %}{{ place }}
        <a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ campaign_name }} {{ sender_name }}
    """

    assert problems(html, text="") == []


def test_an_unknown_field_is_named_with_line_and_suggestion() -> None:
    [problem] = problems("<p>\n\n  {{ frist_name }}")

    assert problem == (
        "html, line 3: unknown field 'frist_name': did you mean 'first_name'? "
        "write {{ frist_name | default('there') }} if it may be missing"
    )


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{{ xyz }}{{ xyz | upper }}", ["xyz"]),
        ("{{ xyz }}\n{{ xyz }}", ["xyz", "xyz"]),
        ("{% if xyz %}{{ xyz }}{% endif %}{{ xyz }}", ["xyz"]),
        ("{% if xyz == 'a' %}{% endif %}", ["xyz"]),
        ("{% for a in items %}{{ a }}{% endfor %}{{ a }}", ["a"]),
        ("{% for a in xyz %}{% endfor %}", ["xyz"]),
        ("{% if first_name %}{% set q = 1 %}{% endif %}{{ q }}", []),
        ("{% for a in items %}{% set q = 1 %}{% endfor %}{{ q }}", ["q"]),
        ("{{ loop.index }}", ["loop"]),
        ("{{ first_name | replace('x', xyz) }}", ["xyz"]),
        ("{{ range }}{{ debug }}{{ self }}", ["range", "debug", "self"]),
        ("{{ xyz.a | default('b') }}", ["xyz"]),
        ("{% raw %}{{ xyz }}{% endraw %}{# {{ xyz }} #}", []),
    ],
)
def test_a_field_is_unknown_where_nothing_takes_care_of_it(source: str, names: list[str]) -> None:
    found = [problem.split("'")[1] for problem in problems(source)]

    assert found == names


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("<p>\n{% if %}", 2),
        ("\n\n{{ first_name", 3),
        ("x\n{% for x in items %}", 2),
        ("\n{{ first_name first_name }}", 2),
        ("\n\n\n{% nonsense %}", 4),
    ],
)
def test_a_fault_of_syntax_is_named_with_its_line(source: str, line: int) -> None:
    [problem] = check_content(subject="s", html=source, text="t", known=KNOWN)

    assert (problem.part, problem.line) == ("html", line)
    with pytest.raises(RenderError) as caught:
        compile_content(subject="s", html=source, text="t")
    assert caught.value.line == line


def test_each_part_is_checked() -> None:
    found = check_content(subject="{{ a }}", html="{{ b }}", text="\n{{ c }}", known=())

    assert [(each.part, each.line) for each in found] == [
        ("subject", 1),
        ("html", 1),
        ("text", 2),
    ]


def test_a_text_part_made_from_the_html_does_not_repeat_its_problems() -> None:
    assert len(problems("<p>{{ xyz }}</p>", text="")) == 1
    assert len(problems("<p>{% if %}</p>", text="")) == 1


def test_html_of_which_no_text_part_can_be_made_is_a_problem() -> None:
    html = '<img alt="{% if first_name %}" src="x"><p title="{% endif %}">'

    [problem] = problems(html, text="")

    assert problem.startswith("text")


def test_an_empty_subject_is_a_problem() -> None:
    assert problems("x", subject="  ") == ["subject: it is empty"]


def test_a_long_template_without_a_loop_has_steps_enough() -> None:
    assert render("{{ a ~ a ~ a }}" * 5_000, a="x") == "x" * 15_000


@pytest.mark.parametrize(("size", "fits"), [(512 * 1024, True), (512 * 1024 + 1, False)])
def test_a_source_has_512_kib_at_most(size: int, fits: bool) -> None:
    assert (problems("x" * size) == []) is fits


def test_names_are_read_as_the_engine_reads_them() -> None:
    sources = [
        "{{ a }}{{- b -}}{{+ c }}",
        '{{ \'{{ x }}\' ~ "}}" ~ a }}{{ "\\"}}" ~ b }}',
        "{%- if a -%}{%+ elif b +%}{% else %}{{ c.d[e] }}{% endif %}",
        "{# {{ x }} {% if #}{{ a }}{#- -#}",
        "{% raw -%} {{ x }} {% endif %} {%- endraw %}{{ a }}",
        "{{ a | default(b) | replace('x', c) | round(precision=2) }}",
        "{{ a is divisibleby(b) }}{{ c is not none }}",
        "{% for i in a if i.b %}{{ i }}{{ loop.index }}{% else %}{{ c }}{% endfor %}",
        "{ { a } } {{ naïve }} {{ a\n.b\n| upper }} {{'a'}} {{ 1.5 }} {{ -b }}",
    ]
    for source in sources:
        mine = {name.text for name in grammar.outline(source).names}

        assert mine == Environment().undeclared_variables_in_str(source), source


# The text part


def test_an_absent_text_part_is_made_from_the_html() -> None:
    compiled = compile_content(subject="s", html="<h1>Hi {{ a }}</h1><p>there</p>", text="")

    rendered = compiled.render({"a": "<you>"})

    assert rendered.html == "<h1>Hi &lt;you&gt;</h1><p>there</p>"
    assert rendered.text == "Hi <you>\n\nthere"


def test_text_alone_has_no_html() -> None:
    rendered = compile_content(subject="s", html="", text="Hi").render({})

    assert (rendered.html, rendered.text) == ("", "Hi")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One\n  two</p><p>three</p>", "One two\n\nthree"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("<ul>\n<li>one</li>\n<li><p>two</p></li></ul>", "- one\n- two"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ('<a href="https://x.example/?a=1&amp;b=2">Shop</a>', "Shop <https://x.example/?a=1&b=2>"),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example"),
        (
            '<a href="https://x.example"><img src="i.png" alt="Shop"></a>',
            "Shop <https://x.example>",
        ),
        ('<a href="https://x.example"><img src="i.png"></a>', "https://x.example"),
        ('<a href="#top">Top</a>', "Top"),
        ("Fish &amp; chips &euro;5", "Fish & chips €5"),
        ("<style>p { color: red }</style><script>x</script><title>t</title>a", "a"),
        ('a<div style="color:red; DISPLAY : none">hidden<div>too</div></div>b', "ab"),
        ('<img style="display:none" alt="x">a<span hidden>b</span>c', "ac"),
        ("a<!-- comment -->b", "ab"),
        ("<!--[if mso]><p>Outlook</p><![endif]-->a", "a"),
        ('<a href="{{ unsubscribe_url }}">Stop</a>', "Stop <{{ unsubscribe_url }}>"),
        ('<a href="/?q={{ a | default("x y") }}">Go</a>', 'Go </?q={{ a | default("x y") }}>'),
        ("{% if a < b %}<b>x</b>{% endif %}", "{% if a < b %}x{% endif %}"),
        ("<style>{% if a %}x{{ b }}</style>y<!-- {% endif %} -->", "{% if a %}y{% endif %}"),
        (
            "<ul>{% for x in items %}\n<li>{{ x }}</li>\n{% endfor %}</ul>",
            "{% for x in items %}- {{ x }}\n{% endfor %}",
        ),
        (
            "<ul>{%- for x in items -%}<li>{{- x -}}</li>{%- endfor -%}</ul><p>a {{- b }}</p>",
            "{%- for x in items -%}- {{ x }}\n{% endfor %}\na {{- b }}",
        ),
        ("<p>{%- if a -%}</p><p>b</p>{%- endif -%}c", "{%- if a %}\nb\n\n{% endif -%}c"),
        ("{% raw %}{{ <b> }}{% endraw %}", "{% raw %}{{ <b> }}{% endraw %}"),
        ("&#123;&#123; a }}", "{ { a }}"),
        ("\ue0007\ue001a", "7a"),
        ("", ""),
    ],
)
def test_the_text_part_says_the_same_as_the_html(html: str, text: str) -> None:
    assert html_to_text(html) == text


@given(st.text("<>/&;=\"' \n{}%#!-abp", max_size=60))
def test_any_html_becomes_text(html: str) -> None:
    assert isinstance(html_to_text(html), str)


def test_a_link_keeps_its_slashes_and_a_value_cannot_leave_its_attribute() -> None:
    compiled = compile_content(subject="s", html='<a href="{{ x }}">{{ x }}</a>', text="t")

    link = compiled.render({"x": "https://example.org/a?b=1&c=2"}).html
    attack = compiled.render({"x": '"><script>/</script>&#x2f;'}).html

    assert link.startswith('<a href="https://example.org/a?b=1&amp;c=2">')
    assert "<script" not in attack
    assert attack.count('"') == 2
    assert attack.endswith("&lt;/script&gt;&amp;#x2f;</a>")


@pytest.mark.parametrize("subject", ["News\nBcc: x@example.org", "News \u202ecod.exe", "a\x0bb"])
def test_a_subject_that_no_header_takes_is_a_problem(subject: str) -> None:
    [problem] = check_content(subject=subject, html="<p>x</p>", text="", known=())

    assert problem.part == "subject"
    assert "may not stand in a subject; remove it" in problem.message


def test_subjects_are_refused_by_the_rule_of_headers() -> None:
    for character in map(chr, range(0x10000)):
        try:
            clean_header(f"a{character}b")
        except BadHeader:
            fits = False
        else:
            fits = True
        assert (_ENDS_A_HEADER.search(f"a{character}b") is None) == fits, ascii(character)

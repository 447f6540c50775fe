"""What nobody gets out of the engine: objects, memory, time, the process itself."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from templates_app.rendering import (
    NotPlain,
    Plain,
    RenderError,
    check_content,
    compile_content,
    plain,
)

ROOT = Path(__file__).parents[2]


def render(html: str, /, **context: Plain) -> str:
    return compile_content(subject="s", html=html, text="t").render(context).html


# Objects


class Dangerous(dict[str, str]):
    """Stands for a model: reading, calling or printing it is a failure."""

    def delete(self) -> None:
        raise AssertionError("a template called a method")

    def __html__(self) -> str:
        raise AssertionError("a template asked for HTML")


class Text(str):
    __slots__ = ()

    def __html__(self) -> str:
        return "<script>"


@pytest.mark.parametrize(
    "value",
    [
        Dangerous(),
        Text("x"),
        [Dangerous()],
        {"a": {"b": [Text("x")]}},
        {1: "x"},
        {Text("a"): "x"},
        object(),
        print,
        (1, 2),
        b"x",
        2**63,
        [[[[[[1]]]]]],
    ],
)
def test_a_template_is_given_plain_values_only(value: object) -> None:
    with pytest.raises(NotPlain):
        plain(value)
    with pytest.raises(NotPlain):
        compile_content(subject="s", html="x", text="t").render({"a": value})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "source",
    [
        "{{ items.append(1) }}",
        "{{ items['append'](1) }}",
        "{% do items.append(1) %}",
        "{% set f = items.append %}{{ f(1) }}",
        "{{ record.items() }}",
        "{{ (record).clear() }}",
        "{{ [1][0].x() }}",
        "{{ 'a'.upper() }}",
        "{{ 'a' ('b') }}",
        "{{ range(9) }}",
        "{{ debug() }}",
        "{{ namespace() }}",
        "{{ dict(a=1) }}",
        "{{ cycler(1) }}",
        "{{ lipsum() }}",
        "{{ loop(items) }}",
        "{{ first_name | safe }}",
        "{{ first_name | attr('x') }}",
        "{{ items | map('upper') }}",
        "{{ '%99999999d' | format(1) }}",
        "{{ first_name | indent(9999) }}",
        "{{ first_name | center(9999) }}",
        "{{ first_name | tojson }}",
        "{{ first_name is safe }}",
        "{% include 'html' %}",
        "{% import 'html' as x %}",
        "{% from 'html' import x %}",
        "{% extends 'html' %}",
        "{% block x %}{% endblock %}",
        "{% macro x() %}{% endmacro %}",
        "{% call x() %}{% endcall %}",
        "{% filter upper %}x{% endfilter %}",
        "{% autoescape false %}{{ first_name }}{% endautoescape %}",
        "{% with a = 1 %}{% endwith %}",
        "{% set a %}x{% endset %}",
        "{% set a, b = items %}",
        "{% set a.b = 1 %}",
        "{% set a = first_name ~ first_name %}",
        "{% set a = items + items %}",
        "{{ 'x' * 1000000000 }}",
        "{{ 10 ** 10 }}",
        "{{ [items, items] }}",
        "{{ [[1], [1]] }}",
        "{{ (items, items) }}",
        "{{ items, items }}",
        "{% for x in items, items %}{% endfor %}",
        "{% for x in items recursive %}{{ loop(x) }}{% endfor %}",
        "{{ loop.__call__(items) }}",
        "{{ self.html() }}",
        "{{ caller() }}",
        "{{ varargs() }}",
        "{{ ''['__class__'].__mro__[1].__subclasses__() }}",
        "{{ first_name.format_map(items) }}",
        "{{ '{0.__class__}'.format(items) }}",
        "{{ first_name|attr('__class__') }}",
        "{{ items|selectattr('x') }}",
        "{{ items|groupby('x') }}",
        "{{ items|batch(9) }}",
        "{{ items|slice(9) }}",
        "{{ items|sort }}",
        "{{ items|list }}",
        "{{ first_name|string|safe }}",
        "{{ first_name|pprint }}",
        "{{ first_name|ljust(300000000) }}",
        "{{ first_name|wordwrap(1) }}",
        "{{ items|sum }}",
        "{{ items|random }}",
        "{{ first_name|striptags }}",
        "{{ first_name|x.y }}",
        "{% import '/etc/passwd' as x %}",
        "{% include ['a', 'b'] ignore missing %}",
        "{% load static %}",
        "{% debug %}",
        "{% print first_name %}",
        "{% continue %}",
        "{% assign a = 1 %}",
        "{% liquid x %}",
        "{{ {**items} }}",
        "{% set items[0] = 1 %}",
        "{% set a %}{% endset %}",
        "{{ (1)(2) }}",
        "{{ 'a' * 1_000_000_000 }}",
        "{{ 2 ** 2 ** 2 }}",
        "{{ {'a': items} }}",
        "{{ " + " ~ ".join(["first_name"] * 52) + " }}",
        "{% for x in items %}" + "x" * 33_000 + "{% endfor %}",
    ],
)
def test_what_could_reach_an_object_or_fill_the_memory_is_refused(source: str) -> None:
    with pytest.raises(RenderError) as caught:
        compile_content(subject="s", html=source, text="t")

    assert caught.value.line == 1
    assert check_content(subject="s", html=source, text="t", known=("items", "first_name"))


@pytest.mark.parametrize(
    "source",
    [
        "{{ record.items }}",
        "{{ record.keys }}",
        "{{ record.__class__ }}",
        "{{ record._fields }}",
        "{{ items.append }}",
        "{{ items.__class__ }}",
        "{{ first_name.__class__ }}",
        "{{ first_name.upper }}",
        "{{ record['__class__'] }}",
        "{{ items['__len__'] }}",
        "{{ range }}",
        "{{ debug }}",
        "{{ record['_fields'] }}",
        "{{ items['0'] }}",
        "{{ items.0.x }}",
        "{{ (first_name | split).__class__ }}",
        "{{ (first_name | split).count }}",
        "{{ (first_name | split)[7] }}",
        "{{ first_name.__globals__ }}",
        "{{ self }}",
        "{{ loop }}",
        "{{ caller }}",
        "{{ settings.SECRET_KEY }}",
        "{{ request.user }}",
        "{{ messages.storages.0.signer.key }}",
        "{{ env }}",
    ],
)
def test_values_have_no_attributes_but_their_keys(source: str) -> None:
    with pytest.raises(RenderError, match="no value"):
        render(source, record={"a": 1}, items=[1], first_name="Anna")


@pytest.mark.parametrize("filters", ["", "| truncate(999)", "| upper", "| urlencode", "~ ''"])
def test_a_record_is_written_by_its_keys_wherever_it_stands(filters: str) -> None:
    shown = render(f"{{{{ items {filters} }}}}", items=[1, {"key": {"inner": 2}}])

    assert "key" in shown.lower()
    assert "object" not in shown.lower()


LOOP = "{% for a in items %}{% for b in items %}{% for c in items %}x{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (LOOP + "{% endfor %}", "too many steps"),
        ("{% for a in items %}{{ bio }}{% endfor %}", "too large"),
        ("{{ bio }}" * 101, "too large"),
        ("{% for a in items %}" + "x" * 30_000 + "{% endfor %}", "too large"),
        ("{{ bio | replace('x', bio) }}", "too large"),
        ("{{ bio | replace('', bio) }}", "too large"),
        ("{{ items | join(bio) }}", "too large"),
        ("{{ bio | urlencode }}", "too large"),
        ("{% for a in items %}{% set b = bio | replace('y', a) %}{% endfor %}", "too large"),
        ("{% for a in items %}{% set b = items | join %}{% endfor %}", "too large"),
        ("{{ '2025-01-01' | date('%d' ~ bio) }}", "too large"),
        ("{{ 1 // 0 }}", "calculate"),
        ("{{ bio | split('') }}", "needs a separator"),
        ("{{ bio | split('x') | length }}", "more than 1,000 parts"),
        ("{% for a in items %}{% set b = bio | split %}{% endfor %}", "too large"),
        ("{% for a in items %}{% set b = bio | truncate(9) %}{% endfor %}", "too large"),
        ("{{ bio | truncate(9, bio) }}", "truncate needs"),
        ("{{ 'abc' | truncate(99999999999999999999) | truncate(2.5) }}", "truncate needs"),
        ("{{ '2025-01-01' | date('%99999999d') }}", "is no form"),
        ("{{ '2025-01-01' | date('%E%') }}", "is no form"),
        ("{{ '2025-01-01' | date('%s%\\0') }}", "is no form"),
        ("{{ '2025-01-01' | date('yyyyyyyyyy' ~ bio) }}", "too large"),
        ("{{ '2025-01-01' | date('MMMMMMMMMM') }}", "is no form"),
        ("{{ '2025-01-01' | date('{0.__class__}') }}", "is no form"),
        ("{{ '2025-01-01' | date('VVVV') }}", "is no form"),
        ("{{ '2025-01-01T15:00' | date('h b') }}", "is no form"),
        ("{{ '9999-99-99' | date }}", "no date"),
        ("{{ '2025-01-01' | time }}", "no time of day"),
        ("{{ '1e999999999' | number }}", "no number"),
        ("{{ '9' | replace('9', '99999999999999999999') | money('EUR') }}", "no number"),
        ("{{ 1e15 | number }}", "no number"),
        ("{{ 'nan' | float | number }}", "no number"),
        ("{{ 'inf' | float | percent }}", "no number"),
        ("{{ 99999999999999999999999999999999 | number }}", "no number"),
        ("{{ true | number }}", "no number"),
        ("{{ '٣' | number }}", "no number"),
        ("{{ 1 | number(999999999) }}", "0 to 6 decimals"),
        ("{{ 1 | number(-1) }}", "0 to 6 decimals"),
        ("{{ 1 | money('EURO') }}", "no currency"),
        ("{{ 1 | money('../..') }}", "no currency"),
        ("{{ 1 | plural }}", "write plural"),
        ("{{ 1 | plural('a', 'b', 'c') }}", "write plural"),
        ("{{ 1 | plural(one='a') }}", "write plural"),
        ("{{ 1 | plural('a', __class__='b') }}", "write plural"),
        ("{{ 'x' | plural('a', 'b') }}", "no number"),
        ("{{ bio | date }}", "is no date like 2026-12-04"),
        *(
            (f"{{% for a in items %}}{{% set b = bio | {name} %}}{{% endfor %}}", "too large")
            for name in ("capitalize", "e", "escape", "lower", "title", "trim", "upper")
        ),
        ("{{ (bio ~ bio) | upper }}", "too large"),
    ],
)
def test_a_result_has_a_limit_of_steps_and_of_size(source: str, reason: str) -> None:
    with pytest.raises(RenderError, match=reason):
        render(source, bio="x" * 40_000, items=list(range(1_000)))


@pytest.mark.parametrize(("joined", "turns"), [(5, 900), (50, 15)])
def test_the_more_texts_a_tag_joins_the_fewer_steps_there_are(joined: int, turns: int) -> None:
    texts = " ~ ".join(["bio"] * joined)
    source = f"{{% for a in items %}}{{% if ({texts}) == 'x' %}}{{% endif %}}{{% endfor %}}"

    assert render(source, bio="x", items=list(range(turns))) == ""
    with pytest.raises(RenderError, match="too many steps"):
        render(source, bio="x", items=list(range(turns * 4)))


DEEP = {
    "joined": ("{{ a", "|e", " }}", 248),
    "not": ("{{ ", "not ", "a }}", 497),
    "minus": ("{{ ", "-", "1 }}", 497),
    "and": ("{{ a", " and a", " }}", 248),
    "attributes": ("{{ a", ".b", "|d }}", 247),
    "elif": ("{% if a %}", "{% elif a %}", "{% endif %}", 98),
}


@pytest.mark.parametrize("shape", DEEP)
@pytest.mark.parametrize("more", [0, 1, 10_000])
def test_what_is_nested_too_deep_is_refused_before_the_engine_reads_it(
    shape: str, more: int
) -> None:
    before, repeated, after, most = DEEP[shape]
    source = before + repeated * (most + more) + after

    found = check_content(subject="s", html=source, text="t", known=("a",))

    assert ["more than" in problem.message for problem in found] == [True] * (more > 0)


@pytest.mark.parametrize("statement", ["if a", "for b in a"])
@pytest.mark.parametrize(("levels", "fits"), [(99, True), (100, False), (9_000, False)])
def test_blocks_stand_inside_one_another_a_hundred_deep_at_most(
    statement: str, levels: int, fits: bool
) -> None:
    source = f"{{% {statement} %}}" * levels + f"{{% end{statement.split()[0]} %}}" * levels

    found = check_content(subject="s", html=source, text="t", known=("a",))

    assert (found == []) is fits


BOMBS = """
import resource
from django.conf import settings
from templates_app.rendering import RenderError, compile_content

settings.configure(USE_I18N=False)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000,) * 2)
for source in [
    "{% for a in items %}{{ bio }}{% endfor %}",
    "{{ bio }}" * 2_000,
    "{% for a in items %}{% for b in items %}" + "x" * 15_000 + "{% endfor %}{% endfor %}",
    "{{ bio | replace('', bio) }}",
    "{{ items | join(bio) }}",
]:
    try:
        compiled = compile_content(subject="s", html=source, text="t")
        compiled.render({"bio": "'" * 40_000, "items": list(range(1_000))})
    except RenderError as error:
        print(error.reason)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep RLIMIT_AS")
def test_a_bomb_is_stopped_before_it_takes_100_megabytes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BOMBS], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert done.stderr == ""
    too_large = "the result is too large\n"
    too_long = "it takes too many steps; loop over fewer items\n"
    assert done.stdout == 2 * too_large + too_long + 2 * too_large


@pytest.mark.parametrize(("size", "fits"), [(64 * 1024, True), (64 * 1024 + 1, False)])
def test_the_fields_of_a_recipient_have_64_kib_at_most(size: int, fits: bool) -> None:
    if fits:
        assert len(render("{{ bio }}", bio="x" * size)) == size
    else:
        for bio in ("x" * size, ["x" * size], {"x": "x" * size}):
            with pytest.raises(RenderError, match="fields: more than 65,536 characters"):
                render("{{ bio }}", bio=bio)  # type: ignore[arg-type]


ATOMS = ["a", "items", "m.k", "m['n']", "items[0]", '"}}"', "'%}'", "1", "2.5", "['x', 1]", "none"]
FILTERS = ["upper", "default('z')", "join(a)", "replace('', big)", "first", "urlencode", "e", "int"]
OPERATORS = ["~", "+", "-", "/", "%", "==", "<", "and", "or", "in", "*"]
TESTS = ["divisibleby(0)", "divisibleby(a)", "even", "startingwith(a)", "not number", "in items"]
expressions = st.recursive(
    st.sampled_from([*ATOMS, "big", "missing", "loop.index"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(FILTERS)).map(" | ".join)
        | st.tuples(inner, st.sampled_from(OPERATORS), inner).map(" ".join)
        | st.tuples(inner, st.sampled_from(TESTS)).map(" is ".join)
        | inner.map("({})".format)
        | inner.map("[{}]".format)
        | st.tuples(inner, inner, inner).map(lambda x: "{} if {} else {}".format(*x))
    ),
    max_leaves=6,
)
templates = st.recursive(
    st.sampled_from(["text", "\n", "{# {{ #}", "{% raw %}{{ z }}{% endraw %}"])
    | expressions.map("{{{{ {} }}}}".format)
    | expressions.map("{{% set a = {} %}}".format),
    lambda inner: (
        st.lists(inner, min_size=2, max_size=4).map("".join)
        | st.tuples(expressions, inner).map(lambda x: "{{% if {} %}}{}{{% endif %}}".format(*x))
        | st.tuples(expressions, inner).map(
            lambda x: "{{% for a in {} %}}{}{{% endfor %}}".format(*x)
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(templates)
def test_any_template_is_refused_or_renders_within_its_limits_or_fails_in_words(
    source: str,
) -> None:
    context: dict[str, Plain] = {
        "a": "<é",
        "items": ["u", {"k": "v"}],
        "m": {"k": 1, "n": [1, "x"]},
        "big": "%" * 20_000,
    }
    try:
        rendered = compile_content(subject="s", html=source, text="").render(context)
    except RenderError as error:
        text = str(error)
    else:
        text = rendered.html + rendered.text

    assert len(text) <= 2 * 512 * 1024
    assert " object at 0x" not in text


def test_half_a_character_is_a_problem_with_its_line() -> None:
    [problem] = check_content(subject="s", html="a\n\ud800", text="t", known=())

    assert str(problem) == "html, line 2: half a character, U+D800; remove it"


# What is read again from each place where something begins takes minutes for a megabyte.
GARBAGE = """
import resource
import django
django.setup()
from templates_app.compiling import Library, compile_draft
from templates_app.drafts import Draft, Written
from templates_app.models import Kind
from templates_app.plaintext import html_to_text
from templates_app.rendering import check_content

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
pieces = [
    "{{ ", "{% ", "{# ", "{% raw %}", "{% endraw %}", "{{ '", "{% elif a %}", "}} %} ", "<", "<a ",
    "<a b='", "<!--", "<!", "&#", "<div>", "<style>", "x{{x%d}}\\n", "\\0{{\\ud800", "media:x ",
]
longs = ["{{ a" + " ~ a" * 15_000, "{{" + " " * 60_000 + "}}", "{{ " + "1" * 60_000 + " }}"]
for piece in [*(piece * (60_000 // len(piece)) for piece in pieces), *longs]:
    check_content(subject=piece, html=piece, text="x", known=("field",))
    html_to_text(piece)
    for kind in (Kind.HTML, Kind.MARKDOWN, Kind.MJML):
        source = piece[:6_000]
        compile_draft(Draft(kind, (Written("s", source),)), library=Library(), known=("field",))
print("well")
"""


def test_garbage_neither_hangs_nor_ends_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GARBAGE], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr

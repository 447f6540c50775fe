"""What nobody gets out of the engine: objects, memory, time, the process itself."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates_app.languages import locale_of
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
        "{{ {'a': items} }}",
        "{{ " + " ~ ".join(["first_name"] * 52) + " }}",
        "{% for x in items %}" + "x" * 33_000 + "{% endfor %}",
    ],
)
def test_what_could_reach_an_object_or_fill_the_memory_is_refused(source: str) -> None:
    with pytest.raises(RenderError) as caught:
        compile_content(subject="s", html=source, text="t")

    assert caught.value.line == 1
    assert problems(source)


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
    ],
)
def test_values_have_no_attributes_but_their_keys(source: str) -> None:
    with pytest.raises(RenderError, match="no value"):
        render(source, record={"a": 1}, items=[1], first_name="Anna")


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
        ("{{ bio | date }}", "is no date like 2026-12-04"),
    ],
)
def test_a_result_has_a_limit_of_steps_and_of_size(source: str, reason: str) -> None:
    with pytest.raises(RenderError, match=reason):
        render(source, bio="x" * 40_000, items=list(range(1_000)))


BOMBS = """
import resource
from templates_app.rendering import RenderError, compile_content

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
        with pytest.raises(RenderError, match="fields: more than 65,536 characters"):
            render("{{ bio }}", bio="x" * size)


ATOMS = ["a", "items", "m.k", "m['n']", "items[0]", '"}}"', "'%}'", "1", "2.5", "['x', 1]", "none"]
FILTERS = ["upper", "default('z')", "join(a)", "replace('', big)", "first", "urlencode", "e", "int"]
OPERATORS = ["~", "+", "-", "/", "%", "==", "<", "and", "or", "in", "*"]
expressions = st.recursive(
    st.sampled_from([*ATOMS, "big", "missing", "loop.index"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(FILTERS)).map(" | ".join)
        | st.tuples(inner, st.sampled_from(OPERATORS), inner).map(" ".join)
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

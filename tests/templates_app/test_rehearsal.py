"""Templates that eat memory or time end a process of their own, and nobody else's."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.utils.translation import override

from config.rig.message import source as newsletter
from templates_app.compiling import CompiledContent
from templates_app.rehearsal import Content, Limits, rehearse
from templates_app.rendering import RenderError, compile_content
from templates_app.services import rehearsed

ROOT = Path(__file__).parents[2]
WRONG = [
    "{{ price | money('EURO') }}",
    "{{ price | number(99) }}",
    "{{ born | date('dd.mm.jjjj') }}",
    "{{ count | plural(one='one') }}",
    "{{ name | truncate('5') }}",
    "{{ name | replace('a') }}",
]


@pytest.mark.parametrize("source", WRONG)
def test_a_filter_that_fails_for_everybody_is_named_before_it_is_saved(source: str) -> None:
    [fault] = rehearse([Content("S", "", f"{source} {{{{ other }}}}")])

    assert fault.part == "text"


NESTED = "{% for a in [1,2,3,4,5,6,7,8] %}" * 8 + "x" + "{% endfor %}" * 8


def test_a_template_that_is_well_leaves_no_fault() -> None:
    loops = "{% for p in products %}{{ p.name }} {{ p.day | date }}{% endfor %}{{ who.name }}"

    assert rehearse([Content("{{ a }}", newsletter(), ""), Content("S", "", loops)]) == []


def test_a_template_that_nobody_could_get_is_named_with_its_fault() -> None:
    faults = rehearse([Content("S", "<p>x</p>", ""), Content("S", "", NESTED)])

    assert [(fault.number, fault.part, fault.line) for fault in faults] == [(1, "text", 1)]
    assert "too many steps" in faults[0].message


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(memory=16 * 1024 * 1024), "too much memory or time"),
        (Limits(processor=1, clock=60.0), "too much memory or time"),
        (Limits(clock=0.001), "too long"),
    ],
    ids=["memory", "processor", "clock"],
)
def test_a_process_that_goes_beyond_a_limit_is_ended_and_said(
    limits: Limits, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    heavy = Content("S", newsletter() + "{{ a | replace('W', 'xxxxxxxx') }}" * 1_000, "")

    faults = rehearse([heavy] * 25, limits=limits)

    assert reason in faults[-1].message
    # The operator can see whether it was the template.
    assert ("the rehearsal of a template ended with" in caplog.text) is (limits.clock > 1)


STRICTER = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (900_000_000, 900_000_000))
resource.setrlimit(resource.RLIMIT_CPU, (9, 9))
from templates_app.rehearsal import Content, Limits, rehearse
print(rehearse([Content("S", "<p>{{ a }}</p>", "")], limits=Limits(processor=10)))
"""


def test_where_the_system_allows_less_than_the_limits_templates_are_tried_with_that() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STRICTER], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout == "[]\n"


BOMBS = [
    "{{ 'x' * 1000000000 }}",
    "{% set a = 'x' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    NESTED,
    "{{ a | replace('', a) | replace('', a) | replace('', a) | replace('', a) }}",
    "{% for i in [1,2,3,4,5,6,7,8,9] %}" * 4 + "{{ a | replace('W', a) }}" + "{% endfor %}" * 4,
    "{% for i in items %}{{ items | join(a) | replace('a', a) }}{% endfor %}",
    "{{ a ~ a ~ a ~ a ~ a ~ a ~ a | upper | lower | title }}",
    "{% set ns = namespace() %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% include 'self' %}",
    "{% extends 'x' %}",
    "{{ range(100000000) | join('x') }}",
    "{{ a.__class__.__mro__ }}",
    "{{ [[1,1],[1,1]] | map('list') }}",
    "{% for a in [1,2] recursive %}{{ loop([a,a]) }}{% endfor %}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ a | center(1000000000) }}",
    "{{ a | indent(1000000000) }}",
    "{{ d | date('%Y' * 100000) }}",
    "{{ 9 ** 9 ** 9 }}",
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_bomb_reaches_this_process_or_fills_its_own(bomb: str) -> None:
    try:
        compile_content(subject="S", html=bomb, text="x")
    except RenderError:
        return

    faults = rehearse([Content("S", bomb, "x")], limits=Limits(memory=256 * 1024 * 1024))

    assert not any("memory" in fault.message for fault in faults)


def test_a_fault_is_said_in_the_language_of_who_is_told() -> None:
    content = (CompiledContent("", "S", "", "{{ 5000 | number(12345) }}"),)

    with override("vi"):
        [in_vietnamese] = rehearsed(content)
    with override("en"):
        [in_english] = rehearsed(content)

    assert "một số có từ 0 đến 6 chữ số thập phân" in in_vietnamese.message
    assert "a number has 0 to 6 decimals" in in_english.message

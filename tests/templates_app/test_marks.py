from hypothesis import given
from hypothesis import strategies as st
from minijinja import Environment

from templates_app.marks import Marks
from templates_app.rendering import compile_content

LONG = "Text that stands between two tags of the template"
VALUES = {"a": "Anna", "b": "", "items": ["x", "y"]}

spaces = st.text(alphabet=" \n\t", max_size=3)
texts = st.builds(
    lambda before, text, after: before + text + after,
    spaces,
    st.sampled_from(["", "short", LONG, f"{LONG}\n{LONG}", "{ } % #", "\u00e9" * 30, "\x1f" * 30]),
    spaces,
)
open_sign, close_sign = st.sampled_from(["", "-"]), st.sampled_from(["", "-"])


def _tag(form: str) -> st.SearchStrategy[str]:
    kind, inner = form[:1], form[1:]
    ends = {"{": "}", "%": "%", "#": "#"}
    return st.builds(
        lambda left, right: f"{{{kind}{left} {inner} {right}{ends[kind]}}}", open_sign, close_sign
    )


leaves = st.one_of(texts, _tag("{a"), _tag("{b"), _tag("#a word"), _tag("%set c = a"))


def _enclosed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    between = st.lists(inner, max_size=4).map("".join)
    return st.one_of(
        st.tuples(_tag("%if a"), between, _tag("%else"), between, _tag("%endif")).map("".join),
        st.tuples(_tag("%if b"), between, _tag("%endif")).map("".join),
        st.tuples(_tag("%for i in items"), between, _tag("%endfor")).map("".join),
        st.tuples(_tag("%raw"), st.just(f"{LONG} {{{{ a }}}} "), _tag("%endraw")).map("".join),
    )


sources = st.lists(st.recursive(leaves, _enclosed, max_leaves=12), max_size=6).map("".join)


@given(sources)
def test_with_marks_a_template_says_what_it_says_without(source: str) -> None:
    marks = Marks(source)
    engine = Environment(templates={"plain": source, "marked": marks.source})

    pieces = marks.pieces(engine.render_template("marked", **VALUES))

    assert "".join(pieces) == engine.render_template("plain", **VALUES)
    assert "" not in pieces


def test_what_all_recipients_get_is_the_same_object_each_time() -> None:
    compiled = compile_content(subject="s", html=f"<p>{LONG} {{{{ a }}}}, {LONG}.</p>", text="")

    anna, berta = (compiled.render({"a": name}) for name in ("Anna", "Berta"))

    assert anna.html_pieces[1] == "Anna"
    assert berta.html_pieces[1] == "Berta"
    assert anna.html_pieces[0] is berta.html_pieces[0]
    assert anna.html_pieces[2] is berta.html_pieces[2]
    assert anna.html == f"<p>{LONG} Anna, {LONG}.</p>"


def test_a_field_that_looks_like_a_mark_is_text() -> None:
    compiled = compile_content(subject="s", html=f"{LONG} {{{{ a }}}} {LONG}", text="t")

    rendered = compiled.render({"a": "\x1f0123456789abcdef\x1f0\x1f0123456789abcdef\x1f"})

    assert rendered.html.count(LONG) == 2
    assert "\x1f0123456789abcdef\x1f0\x1f" in rendered.html


def test_a_mark_cannot_be_known_before() -> None:
    assert (
        Marks("{{ a }} and twenty characters").source
        != Marks("{{ a }} and twenty characters").source
    )

from dataclasses import replace

from templates_app.comparing import compare
from templates_app.drafts import Draft, Written
from templates_app.models import Kind


def draft(*written: Written, **options: str) -> Draft:
    return Draft(Kind.HTML, written, **options)  # type: ignore[arg-type]


def shown(old: Draft, new: Draft) -> list[str]:
    """One line for each line of a comparison, with what changed in it in brackets."""
    signs = {"same": " ", "removed": "-", "added": "+", "skipped": "…"}
    return [
        f"{change.part} {change.language}{signs[line.kind]}{line.before or ''}:{line.after or ''} "
        + "".join(f"[{word.text}]" if word.is_changed else word.text for word in line.words)
        for change in compare(old, new)
        for line in change.lines
    ]


def test_nothing_is_listed_where_nothing_changed() -> None:
    assert compare(draft(Written("S", "x")), draft(Written("S", "x"))) == []


def test_the_words_that_changed_are_marked_in_their_lines() -> None:
    old = draft(Written("Our news", "<p>Hi</p>\n<p>We open at nine.</p>"))
    new = draft(Written("Our news", "<p>Hi</p>\n<p>We open at ten.</p>\n<p>Bye</p>"))

    assert shown(old, new) == [
        "source  1:1 <p>Hi</p>",
        "source -2: <p>We open at [nine].</p>",
        "source +:2 <p>We open at [ten].</p>",
        "source +:3 [<p>Bye</p>]",
    ]


def test_lines_far_from_a_change_are_left_out() -> None:
    lines = [str(number) for number in range(20)]
    old = draft(Written("S", "\n".join(lines)))
    new = draft(Written("S", "\n".join([*lines[:10], "new", *lines[11:]])))

    assert shown(old, new)[0] == "source …1: "
    assert shown(old, new)[4:6] == ["source -11: [10]", "source +:11 [new]"]
    assert shown(old, new)[-1] == "source …15: "


def test_settings_and_languages_that_came_and_went_are_listed() -> None:
    old = draft(Written("S", "x"), Written("Alt", "y", language="de"), link_parameters="a=1")
    new = draft(Written("S", "x"), Written("Neuf", "z", language="fr"), link_parameters="a=2")
    new = replace(new, is_raw=True)

    assert shown(old, new) == [
        "link_parameters -1: a=[1]",
        "link_parameters +:1 a=[2]",
        "is_raw -1: [no]",
        "is_raw +:1 [yes]",
        "subject de-1: [Alt]",
        "source de-1: [y]",
        "subject fr+:1 [Neuf]",
        "source fr+:1 [z]",
    ]


def test_words_are_compared_until_it_would_take_too_long_to_wait_for() -> None:
    line = " ".join(f"w{number}" for number in range(90))
    one, other = (Written("S", f"{line} {end}\n" * 80) for end in ("old", "new"))

    [change] = compare(draft(one), draft(other))

    removed = [line for line in change.lines if line.kind == "removed"]
    assert len(removed) == 80
    assert len(removed[0].words) > 1
    assert [word.is_changed for word in removed[-1].words] == [True]

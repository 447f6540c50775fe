"""Marks in place of the tags of a template, in one compilation."""

from templates_app.compiling.protection import Protection


def test_a_text_is_read_once_in_a_compilation_however_many_ask_for_it() -> None:
    protection = Protection("x")

    first = protection.tokens("<p>a</p>")

    assert protection.tokens("".join(["<p>", "a</p>"])) is first
    assert Protection("x").tokens("<p>a</p>") is not first

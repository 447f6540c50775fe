"""What authors write, from source to what is rendered."""

import re
from dataclasses import replace
from typing import Any

import pytest

from config.rig.message import source as newsletter
from templates_app.compiling import (
    Compilation,
    CompiledContent,
    Library,
    Piece,
    Unusable,
    compile_draft,
)
from templates_app.compiling.media import named
from templates_app.drafts import Draft, Written
from templates_app.marks import Marks
from templates_app.models import Kind
from templates_app.rendering import compile_content

MJML = (
    "<mjml><mj-body>\n<mj-section>\n<mj-column>\n{}\n</mj-column>\n</mj-section>\n</mj-body></mjml>"
)


def compiled(
    source: str,
    kind: Kind = Kind.HTML,
    *,
    library: Library | None = None,
    known: list[str] | None = None,
    template: dict[str, Any] | None = None,
    **written: str,
) -> Compilation:
    words = Written(**{"subject": "S", "source": source, **written})
    draft = Draft(kind, (words,), **(template or {}))
    return compile_draft(draft, library=library or Library(), known=known)


def content(source: str, kind: Kind = Kind.HTML, **options: Any) -> CompiledContent:
    compilation = compiled(source, kind, **options)
    assert not compilation.problems
    return compilation.contents[0]


def problems(source: str, kind: Kind = Kind.HTML, **options: Any) -> list[str]:
    return [str(problem) for problem in compiled(source, kind, **options).problems]


def snippets(**sources: tuple[Kind, str]) -> Library:
    return Library({name: Piece(kind, text) for name, (kind, text) in sources.items()})


# ---- keeping what was written


def test_html_that_needs_nothing_is_what_the_author_wrote_and_no_slower_to_send() -> None:
    written = newsletter()

    made = content(written)

    assert made.html == written
    assert Marks(made.html).source.count("\x1f") == Marks(written).source.count("\x1f")
    assert made.links[-1] == "{{ unsubscribe_url }}"


@pytest.mark.parametrize("kind", list(Kind))
def test_the_same_input_gives_the_same_bytes(kind: Kind) -> None:
    source = MJML.format("<mj-text>{{ a }}</mj-text>") if kind == Kind.MJML else "Hi {{ a }}"

    assert content(source, kind) == content(source, kind)


def test_tags_come_through_attributes_tables_comments_and_styles_as_they_were() -> None:
    source = (
        "<style>td { color: red }</style><style>.x { color: {{ color }} }</style>"
        '<table>{% for p in products %}<tr><td class="{{ p.kind }}">'
        '<a href="https://shop.example/{{ p.id | urlencode }}?q={% if a < b and c %}1{% endif %}">'
        '{{ p.name | default("x > y") }}</a></td></tr>{% endfor %}</table>'
        "<!-- {{ note }} --><!--[if mso]><p>{{ outlook }}</p><![endif]-->"
    )

    html = content(source).html

    for tag in (
        "{% for p in products %}<tr><td",
        'class="{{ p.kind }}"',
        "</tr>{% endfor %}</tbody></table>",
        '/{{ p.id | urlencode }}?q={% if a < b and c %}1{% endif %}"',
        '>{{ p.name | default("x > y") }}</a>',
        "<!-- {{ note }} -->",
        "<p>{{ outlook }}</p>",
        ".x { color: {{ color | css }} }",
    ):
        assert tag in html


def test_nobody_can_write_a_mark() -> None:
    forged = "zq0123456789abcdefi0z"

    html = content(f"<p>{forged} &#122;q{{{{ a }}}}<!--{forged}--></p>").html

    assert html == f"<p>{forged} &#122;q{{{{ a }}}}<!--{forged}--></p>"


# ---- MJML


def test_mjml_becomes_a_message_with_its_loops_where_they_were() -> None:
    source = MJML.format(
        "{% for p in products %}<mj-text><p>{{ p.name }}<br>&</p></mj-text>{% endfor %}\n"
        '<mj-button href="{{ url }}">Go</mj-button>'
    )

    html = content(source, Kind.MJML).html

    message = compile_content(subject="S", html=html, text="t")
    rendered = message.render(
        {"products": [{"name": "Kite"}, {"name": "Boat"}], "url": "https://a.example"}
    ).html
    assert "<tbody>{% for p in products %}<tr>" in html
    assert rendered.index("Kite") < rendered.index("Boat") < rendered.index('"https://a.example"')
    assert "<!--[if mso | IE]>" in rendered
    assert "@media only screen" in rendered


def test_conditions_between_sections_and_in_the_head_of_mjml_are_kept() -> None:
    source = (
        "<mjml><mj-head><mj-title>{{ a }}</mj-title>{% if b %}<mj-preview>B</mj-preview>{% endif %}"
        '<mj-style inline="inline">.big { font-size: 30px }</mj-style>'
        "<mj-style>.low > a { color: {{ color }} }</mj-style></mj-head>"
        '<mj-body>{% if vip %}<mj-section css-class="big"></mj-section>{% endif %}</mj-body></mjml>'
    )

    html = content(source, Kind.MJML).html

    assert "<title>{{ a }}</title>" in html
    assert ".low > a { color: {{ color | css }} }" in html
    assert 'style="font-size: 30px;' in html
    assert html.index("{% if vip %}") < html.index('class="big"') < html.rindex("{% endif %}")


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        ("<mj-txt>x</mj-txt>", "line 4: there is no <mj-txt>; did you mean <mj-text>?"),
        ("<mj-text>x", "line 4: <mj-text> is not closed; write </mj-text>"),
        ("x", "line 4: text may not stand in <mj-column>; put it into <mj-text>"),
        ("<div>x</div>", "line 4: <div> may not stand in <mj-column>; put it into <mj-text>"),
        ("</mj-text>", "line 4: </mj-text> closes nothing; remove it"),
        ("\n<mj-include path='/etc/passwd' />", "line 5: write {% include 'name' %}"),
        ("<mj-text>{% if a %}</mj-text>{% endif %}", "line 4: {% if a %} does not end where"),
        ("<mj-image width='{% if a %}1px{% endif %}'/>", "line 4: {% if a %} may not stand here"),
    ],
)
def test_a_fault_of_mjml_is_on_the_authors_line(inner: str, reason: str) -> None:
    assert problems(MJML.format(inner), Kind.MJML)[0].startswith(f"source, {reason}")


# ---- Markdown


def test_markdown_becomes_a_letter_that_is_responsive_and_knows_the_dark() -> None:
    html = content(
        "# Hi {{ name }}\n\n{% for p in products %}\n- **{{ p.name }}**\n{% endfor %}\n"
        "\n[Buy]({{ url }})\n",
        Kind.MARKDOWN,
    ).html

    assert ">Hi {{ name }}</h1>" in html
    assert "{% for p in products %}\n<ul" in html
    assert "</ul>\n{% endfor %}" in html
    assert '<a href="{{ url | address }}"' in html
    assert "prefers-color-scheme: dark" in html
    assert "max-width: 600px" in html


@pytest.mark.parametrize(
    "layout",
    [
        Piece(Kind.HTML, "<body><div>{{ content }}</div>{{ email }}</body>"),
        Piece(Kind.MJML, MJML.format("<mj-text>{{ content }}</mj-text>")),
    ],
)
def test_markdown_stands_in_the_layout_that_was_chosen(layout: Piece) -> None:
    library = Library(layouts={"Ours": layout})

    made = content(
        "Hi *{{ name }}*",
        Kind.MARKDOWN,
        library=library,
        template={"layout": "Ours"},
        known=["name"],
    )

    assert "<p>Hi <em>{{ name }}</em></p>" in made.html
    assert made.text.startswith("Hi {{ name }}")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("<body></body>", "layout 'Ours', line 1: a layout has one {{ content }}"),
        ("{{ content }}{{ content }}", "layout 'Ours', line 1: a layout has one {{ content }}"),
        ("{{ content }}\n{{ nobody }}", "layout 'Ours', line 2: unknown field 'nobody'"),
        ("{{ content }}\n{% if %}", "layout 'Ours', line 2: "),
    ],
)
def test_a_layout_with_a_fault_is_named(source: str, reason: str) -> None:
    library = Library(layouts={"Ours": Piece(Kind.HTML, source)})

    found = problems("x", Kind.MARKDOWN, library=library, template={"layout": "Ours"}, known=[])

    assert found[0].startswith(reason)


def test_a_layout_that_is_gone_is_a_problem() -> None:
    assert problems("x", Kind.MARKDOWN, template={"layout": "Gone"}) == [
        "layout: there is no layout 'Gone'; choose another one"
    ]


# ---- snippets


def test_snippets_stand_where_they_are_named_also_in_each_other() -> None:
    library = snippets(
        footer=(Kind.HTML, '<p>{% include "address" %}</p>\n'), address=(Kind.HTML, "Nome")
    )

    assert content('<b>{% include "footer" %}</b>', library=library).html == "<b><p>Nome</p></b>"
    assert (
        "<p>Nome</p>"
        in content(
            MJML.format("<mj-text>{% include 'footer' %}</mj-text>"), Kind.MJML, library=library
        ).html
    )
    assert ">Nome</p>" in content('{% include "footer" %}', Kind.MARKDOWN, library=library).html


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('a\n{% include "footr" %}', "source, line 2: there is no snippet 'footr'; did you mean"),
        ("{% include name %}", 'source, line 1: write the name of one snippet: {% include "footer'),
        ('{% include "loop" %}', "snippet 'loop', line 1: snippet 'loop' includes itself"),
        ('{% include "words" %}', "source, line 1: snippet 'words' is plain text, which does not"),
        ('{% include "d0" %}', "snippet 'd4', line 1: snippets stand in snippets more than 5 deep"),
        ('a\n{% include "bad" %}\nb', "snippet 'bad', line 2: unknown field 'nobdy'"),
        ('a\n{% include "footer" %}\n{{ nobdy }}', "source, line 3: unknown field 'nobdy'"),
    ],
)
def test_a_fault_of_a_snippet_names_it_and_its_line(source: str, reason: str) -> None:
    deep = {f"d{n}": (Kind.HTML, f'{{% include "d{n + 1}" %}}') for n in range(6)}
    library = snippets(
        footer=(Kind.HTML, "x\ny\nz"),
        loop=(Kind.HTML, '{% include "loop" %}'),
        words=(Kind.TEXT, "x"),
        bad=(Kind.HTML, "x\n{{ nobdy }}\ny"),
        d6=(Kind.HTML, "x"),
        **deep,
    )

    assert problems(source, library=library, known=["nobody"])[0].startswith(reason)


def test_snippets_that_grow_without_bound_are_refused() -> None:
    bomb = {f"b{n}": (Kind.HTML, f'{{% include "b{n + 1}" %}}' * 50) for n in range(4)}
    library = snippets(b4=(Kind.HTML, "x" * 5_000), **bomb)

    assert (
        "with its snippets it has more than" in problems('{% include "b0" %}', library=library)[0]
    )


# ---- links, media, preheader, language


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.example", "https://a.example?utm_source=n&amp;utm_medium=email"),
        (
            "HTTPS://a.example/?b=1#c",
            "HTTPS://a.example/?b=1&amp;utm_source=n&amp;utm_medium=email#c",
        ),
        ("https://a.example/?utm_source=x", "https://a.example/?utm_source=x&amp;utm_medium=email"),
        (
            "https://a.example/{{ id }}?x={{ y }}",
            "https://a.example/{{ id }}?x={{ y }}&amp;utm_source=n&amp;utm_medium=email",
        ),
        ("https://a.example/{% if a %}?b{% endif %}", "https://a.example/{% if a %}?b{% endif %}"),
        ("{{ unsubscribe_url }}", "{{ unsubscribe_url }}"),
        ("mailto:a@b.example", "mailto:a@b.example"),
        ("tel:+123", "tel:+123"),
        ("#top", "#top"),
    ],
)
def test_link_parameters_are_added_to_pages_alone(address: str, expected: str) -> None:
    made = content(
        f'<a href="{address}">x</a>',
        template={"link_parameters": "utm_source=n&utm_medium=email"},
    )

    assert made.html == f'<a href="{expected}">x</a>'
    assert made.links == (() if address == "#top" else (expected,))


def test_link_parameters_may_have_tags_which_are_checked() -> None:
    parameters = "utm_campaign={{ campaign_name | urlencode }}"

    made = content("<a href='https://a.example'>x</a>", template={"link_parameters": parameters})

    assert f"https://a.example?{parameters}" in made.html
    assert problems("x", template={"link_parameters": "a={{ nobody }}"}, known=[])[0].startswith(
        "link_parameters, line 1: unknown field 'nobody'"
    )


def test_links_that_outlook_alone_reads_get_the_parameters_too() -> None:
    source = (
        '<!--[if mso]><v:roundrect href="https://a.example/#b"><v:fill src="https://c.example/d">'
        '</v:fill></v:roundrect><a href="https://e.example">x</a><![endif]-->'
        '<!-- <a href="https://f.example"> --><link href="https://g.example">'
    )

    html = content(source, template={"link_parameters": "u=n", "is_raw": True}).html

    assert re.findall(r'(?:href|src)="https://([^"]*)', html) == [
        "a.example/?u=n#b",
        "c.example/d",
        "e.example?u=n",
        "f.example",
        "g.example",
    ]


def test_links_are_listed_once_and_in_their_order() -> None:
    made = content('<a href="https://b.example">1</a><a href="https://a.example">2</a>' * 2)

    assert made.links == ("https://b.example", "https://a.example")


FILE = "https://m.example/t/a%20(b).png"


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (Kind.HTML, "<img src=media:a%20(b).png alt=x>"),
        (Kind.HTML, "<img src=' MEDIA:a (b).png '>"),
        (Kind.HTML, '<img srcset="media:a%20(b).png 1x, Media:a%20(b).png 2x" src="https://a">'),
        (Kind.HTML, '<table background="media:a (b).png"><tr><td>x</td></tr></table>'),
        (Kind.HTML, """<p style="background: url('media:a (b).png')">x</p>"""),
        (Kind.HTML, '<p style="background: url(&quot;media:a (b).png&quot;)">x</p>'),
        (Kind.HTML, '<p style="background:URL( media:a%20%28b%29.png )">x</p>'),
        (Kind.HTML, '<style>@media print { p { background: url("media:a (b).png") } }</style>'),
        (Kind.HTML, '<!--[if mso]><v:fill src="media:a (b).png" /><![endif]-->'),
        (Kind.HTML, "<a href='media:a&#32;(b).png'>x</a>"),
        (Kind.MARKDOWN, "![x](<media:a (b).png>)"),
        (Kind.MARKDOWN, "![x](media:a%20(b).png)"),
        (Kind.MARKDOWN, "![x][y]\n\n[y]: media:a%20(b).png"),
        (Kind.MARKDOWN, '<img src="media:a (b).png">'),
        (Kind.MJML, MJML.format('<mj-image src="media:a (b).png" />')),
        (Kind.MJML, MJML.format("<mj-text><img src=media:a%20(b).png></mj-text>")),
        (
            Kind.MJML,
            (
                '<mjml><mj-body><mj-section background-url="media:a (b).png"><mj-column><mj-text>x'
                "</mj-text></mj-column></mj-section></mj-body></mjml>"
            ),
        ),
        (
            Kind.MJML,
            (
                "<mjml><mj-head><mj-style>@media print { p { background: url(media:a%20%28b%29.png)"
                " } }</mj-style></mj-head><mj-body><mj-section></mj-section></mj-body></mjml>"
            ),
        ),
    ],
)
def test_a_file_is_found_wherever_it_is_named(kind: Kind, source: str) -> None:
    html = content(source, kind, library=Library(media={"a (b).png": FILE}.get)).html

    assert "https://m.example/t/a%20" in html
    assert "media:" not in html.lower()

    [missing] = problems(source, kind)
    assert re.match("source, line [1-5]: there is no file 'a \\(b\\).png' in", missing)


def test_a_file_that_may_not_be_sent_says_why_also_in_a_layout() -> None:
    def refuse(path: str) -> None:
        raise Unusable(f"{path} has a virus in it")

    layout = Library(layouts={"L": Piece(Kind.HTML, "{{ content }}\n<img src=media:a>")})
    library = replace(layout, media=refuse)

    said = problems("Hi", Kind.MARKDOWN, library=library, template={"layout": "L"})

    assert said == ["layout 'L', line 2: a has a virus in it"]


def test_words_that_look_like_a_file_are_words() -> None:
    source = (
        '<p title="media: x">He said "media: no" (Media:never), url(media:x)</p>'
        '<!-- <img src="media:gone.png"> <style>p { background: url(media:x) }</style> -->'
    )

    assert content(source).html == source
    assert named(source) == []


def test_files_of_the_library_get_their_public_address() -> None:
    library = Library(media={"Logos/a b.png": "https://m.example/t/a%20b.png"}.get)

    html = content('<img src="media:Logos/a b.png" alt="">', library=library).html
    letter = content("![x](media:Logos/a%20b.png)", Kind.MARKDOWN, library=library).html

    assert html == '<img src="https://m.example/t/a%20b.png" alt="">'
    assert 'src="https://m.example/t/a%20b.png"' in letter
    assert problems('<p>\n<img src="media:no.png"></p>', library=library) == [
        (
            "source, line 2: there is no file 'no.png' in the media library; "
            "upload it, or correct the path"
        )
    ]


def test_a_preheader_is_hidden_at_the_beginning_of_the_body_and_not_in_the_text() -> None:
    made = content("<body><p>Hi</p></body>", preheader="{{ a }} & <b>")

    assert made.html.startswith('<body><div style="display:none;')
    assert "{{ a }} &amp; &lt;b&gt;&#847;&zwnj;&nbsp;" in made.html
    assert made.text == "Hi"
    twice = content("<body>Hi<!x></body>", preheader="a", template={"is_raw": True})
    assert twice.html.startswith('<body><div style="display:none;')
    assert problems("<p>x</p>", preheader="{{ nobody }}", known=[])[0].startswith(
        "preheader, line 1"
    )


@pytest.mark.parametrize(
    ("language", "root"), [("he", '<html lang="he" dir="rtl"'), ("de", '<html lang="de"')]
)
def test_a_message_says_its_language_and_direction(language: str, root: str) -> None:
    assert root in content("Hi", Kind.MARKDOWN, language=language).html
    assert root in content(MJML.format(""), Kind.MJML, language=language).html
    assert content('<html lang="en"><body>x</body></html>', language="de").html.startswith(
        '<html lang="en">'
    )


def test_a_letter_that_is_read_from_the_right_is_laid_out_so() -> None:
    assert (
        '<ul style="margin: 0 0 18px;padding: 0 24px 0 0;">'
        in content("- x", Kind.MARKDOWN, language="he").html
    )


def test_styles_are_written_beside_what_they_apply_to_and_kept_for_media_queries() -> None:
    html = content(
        "<style>p { color: red } @media print { p { color: #000 } }</style><p>x</p>"
    ).html

    assert '<p style="color: red;">x</p>' in html
    assert "@media print { p { color: #000 } }" in html


def test_plain_text_is_sent_as_it_was_written() -> None:
    made = content("Hi {{ a }} <b>\n", Kind.TEXT)

    assert (made.html, made.text) == ("", "Hi {{ a }} <b>\n")


def test_a_problem_says_its_language() -> None:
    texts = (Written("S", "<p>x</p>"), Written("", "{{ nobody }}", language="de"))

    found = compile_draft(Draft(Kind.HTML, texts), library=Library(), known=[]).problems

    assert [str(each) for each in found][:1] == ["subject (de): it is empty"]
    assert str(found[1]).startswith("source, line 1 (de): unknown field 'nobody'")


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("<a " * 50_000, Kind.HTML),
        ("<!--" * 100_000, Kind.HTML),
        ("<div>" * 50_000, Kind.HTML),
        ("<style>a{}/*" + "a{}/*" * 50_000, Kind.HTML),
        ("<i/>" * 60_000, Kind.HTML),
        ("<p" + " a=b" * 50_000 + ">", Kind.HTML),
        ("<!--" * 50_000, Kind.MARKDOWN),
        (MJML.format("<mj-wrapper>" * 50_000), Kind.MJML),
        (MJML.format("<mj-text>" + "<b>" * 50_000 + "</mj-text>"), Kind.MJML),
        (MJML.format("<mj-text><!-- x</mj-text>"), Kind.MJML),
    ],
    ids=lambda value: value[:12],
)
def test_what_would_keep_a_parser_busy_or_break_its_stack_is_refused(
    source: str, kind: Kind
) -> None:
    assert problems(source, kind)


@pytest.mark.parametrize(
    "source",
    [
        "<style>p{}" + "/*" * 50_000 + "</style>x",
        "<style>" + "@x " * 50_000 + "</style>x",
        "<style>p{}</style><table>" + "{{ a }}  \n " * 500 + "</table>",
        "<style>" + "@media{" * 50_000 + "</style>x",
        '<p style="' + r"\61" * 50_000 + '">x</p>',
        '"media:' * 20_000,
        "<!--x>" * 20_000 + "-->",
        "<!--[if mso]>" * 20_000 + "<![endif]-->",
        "<style>" + "url(&quot;media:" * 10_000 + "</style>",
    ],
    ids=lambda value: value[:12],
)
def test_odd_sources_are_read_in_time(source: str) -> None:
    compiled(source)

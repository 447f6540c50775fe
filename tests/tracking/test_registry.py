"""The links of a version: numbered once, over all languages, and the same ever after."""

import pytest

from recipients.models import Field
from templates_app.models import TemplateVariant, TemplateVersion
from templates_app.services import freeze
from tests.factories import make_campaign, make_list, make_recipient, make_run, make_template
from tracking import registry
from tracking.models import Link
from tracking.places import Measured

pytestmark = pytest.mark.django_db

MEASURED = Measured("https://g.example/o/T", "https://g.example/c/T/", is_for_one=True)
HTML = (
    "<a href='https://a.example/?a=1&amp;b=2'>One</a><a href='https://a.example/{{{{ x }}}}'>{}</a>"
    "<a href='{{{{ unsubscribe_url }}}}'>Leave</a>"
)


def in_two_languages() -> TemplateVersion:
    template = make_template(html=HTML.format("Two"))
    source = HTML.format("Zwei")
    TemplateVariant.objects.create(template=template, language="de", subject="N", source=source)
    return freeze(template)


def test_links_are_numbered_over_all_languages() -> None:
    links = registry.links_of(in_two_languages())

    assert [(each.number, each.language, each.target, each.label) for each in links] == [
        (0, "", "https://a.example/?a=1&b=2", "One"),
        (1, "", "https://a.example/{{ x }}", "Two"),
        (2, "de", "https://a.example/?a=1&b=2", "One"),
        (3, "de", "https://a.example/{{ x }}", "Zwei"),
    ]


def test_links_are_written_down_once_and_keep_their_numbers() -> None:
    version = in_two_languages()
    first = registry.links_of(version)
    Link.objects.filter(number=3).delete()  # as if an earlier release had not found it

    again = registry.links_of(version)

    assert [(one.pk, one.number) for one in again] == [(one.pk, one.number) for one in first[:3]]
    german = registry.html_of(version.variants.get(), again, MEASURED)
    assert "https://g.example/c/T/2" in german
    assert "https://a.example/{{ x }}" in german


def test_two_who_write_the_links_at_once_write_the_same() -> None:
    version = in_two_languages()
    Link.objects.bulk_create(registry.links_in(version)[:1])

    Link.objects.bulk_create(registry.links_in(version), ignore_conflicts=True)

    assert [link.number for link in registry.links_of(version)] == [0, 1, 2, 3]


def test_each_language_has_its_own_numbers_in_its_html() -> None:
    version = in_two_languages()
    links = registry.links_of(version)

    fallback, german = (registry.html_of(each, links, MEASURED) for each in version.contents())

    assert "c/T/0'>One" in fallback
    assert "c/T/1'>Two" in fallback
    assert "c/T/2'>One" in german
    assert "c/T/3'>Zwei" in german


def test_links_beyond_what_the_column_can_number_stay_plain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "MOST", 3)
    version = in_two_languages()

    links = registry.links_of(version)

    assert len(links) == 3
    german = registry.html_of(version.variants.get(), links, MEASURED)
    assert german.endswith(f"c/T/2'>One</a>{HTML.format('Zwei').partition('One</a>')[2]}")


def test_the_targets_of_a_run_are_what_a_header_can_have_by_their_numbers() -> None:
    Field.objects.create(name="x")
    make_recipient(lists=[make_list()], fields={"x": "y"})
    html = HTML.format("Two") + "<a href='https://münchen.example/ä b'>Three</a>"
    run = make_run(make_campaign(template=make_template(html=html)))

    assert registry.targets_of_run(run.pk) == [
        "https://a.example/?a=1&b=2",
        registry.PERSONAL,
        "https://xn--mnchen-3ya.example/%C3%A4%20b",
    ]
    assert registry.targets_of_run(run.pk + 1) == []

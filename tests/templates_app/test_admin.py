import pytest
from django.test import Client

from templates_app.models import EmailTemplate, Layout, Snippet
from tests.console import staff, superuser, text
from tests.factories import make_template

pytestmark = pytest.mark.django_db

TEMPLATES = "/templates/"


@pytest.fixture
def console() -> Client:
    return superuser()


def test_snippets_and_layouts_are_saved_and_kept_while_they_are_used(console: Client) -> None:
    pieces = "/admin/templates_app/"
    console.post(f"{pieces}snippet/add/", {"name": "foot", "kind": "html", "source": "<i>x</i>"})
    layout = '{{ content }}{% include "foot" %}'
    console.post(f"{pieces}layout/add/", {"name": "Ours", "kind": "html", "source": layout})
    snippet = Snippet.objects.get()
    path = f"{pieces}snippet/{snippet.pk}/"

    refused = console.post(f"{path}change/", {"name": "foot", "kind": "html", "source": "{% if %}"})
    page = text(console.get(f"{path}change/"))
    deleted = console.post(f"{path}delete/", {"post": "yes"})

    assert "snippet 'foot', line 1" in text(refused)
    assert "layout 'Ours'" in page
    assert deleted.status_code == 403
    assert Snippet.objects.get().source == "<i>x</i>"

    Layout.objects.all().delete()
    console.post(f"{path}delete/", {"post": "yes"})
    assert not Snippet.objects.exists()


def test_a_template_that_no_campaign_uses_is_deleted_with_its_versions(console: Client) -> None:
    template = make_template()

    console.post(f"{TEMPLATES}{template.pk}/delete/", {"post": "yes"})

    assert not EmailTemplate.objects.exists()


def test_who_may_not_write_raw_html_cannot_by_way_of_a_snippet() -> None:
    snippet = Snippet.objects.create(name="footer", kind="html", source="<i>Oslo</i>")
    make_template(html='{% include "footer" %}')
    EmailTemplate.objects.update(is_raw=True)
    path = f"/admin/templates_app/snippet/{snippet.pk}/change/"
    wanted = {"name": "footer", "kind": "html", "source": "<script>x</script>"}
    marketer = staff("templates_app.change_snippet", "templates_app.view_snippet")

    refused = marketer.post(path, wanted)
    snippet.refresh_from_db()
    taken = superuser().post(path, wanted)

    assert "whose HTML is not sanitised" in text(refused)
    assert snippet.source == "<i>Oslo</i>"
    assert taken.status_code == 302

"""People who save templates, and what these use, at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import transaction

from templates_app import pieces
from templates_app.locks import changing_pieces, using_pieces
from templates_app.models import EmailTemplate, Snippet
from templates_app.services import Refused, save_template
from tests.factories import make_template
from tests.live import wait_until
from tests.threads import in_a_connection_of_its_own, waiting_for_locks

pytestmark = pytest.mark.django_db(transaction=True)


def letter(name: str, source: str) -> EmailTemplate:
    return EmailTemplate(name=name, kind="html", subject="S", source=source)


def test_a_name_that_is_taken_while_a_template_is_saved_is_refused() -> None:
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            changing_pieces()
            saving = threads.submit(
                in_a_connection_of_its_own, lambda: save_template(letter("T", "x"), known=())
            )
            wait_until(waiting_for_locks, "the template was looked at, and waits")
            make_template("T")
        with pytest.raises(Refused, match="name: there is a template 'T' already"):
            saving.result()


def test_a_template_is_saved_with_the_snippet_that_is_changed_meanwhile() -> None:
    snippet = Snippet.objects.create(name="footer", kind="html", source="Nome")
    template = letter("T", '{% include "footer" %}')

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            changing_pieces()
            saving = threads.submit(
                in_a_connection_of_its_own, lambda: save_template(template, known=())
            )
            wait_until(waiting_for_locks, "the template was looked at, and waits")
            snippet.source = "Oslo"
            pieces.save(snippet, known=())
        version = saving.result()

    assert version.html == "Oslo"


def test_a_snippet_is_judged_by_the_template_that_is_saved_meanwhile() -> None:
    snippet = Snippet.objects.create(name="footer", kind="html", source="Nome")
    changed = Snippet(pk=snippet.pk, name="footer", kind="html", source="<script>x</script>")

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            using_pieces()
            saving = threads.submit(
                in_a_connection_of_its_own, lambda: pieces.save(changed, known=())
            )
            wait_until(waiting_for_locks, "the snippet waits")
            template = letter("T", '{% include "footer" %}')
            template.is_raw = True
            save_template(template, known=(), may_write_raw=True)
        with pytest.raises(Refused, match="is used by T, whose HTML is not sanitised"):
            saving.result()

    assert Snippet.objects.get().source == "Nome"


def test_saves_of_one_template_at_once_make_versions_of_whole_saves() -> None:
    pk = make_template("T").pk

    def save(number: int) -> Any:
        template = EmailTemplate.objects.get(pk=pk)
        template.subject, template.source = f"S{number}", f"<p>{number}</p>"
        return save_template(template, known=()).html

    with ThreadPoolExecutor(4) as threads:
        saved = list(threads.map(lambda n: in_a_connection_of_its_own(lambda: save(n)), range(8)))

    versions = EmailTemplate.objects.get().versions.exclude(number=1).order_by("number")
    assert saved == [f"<p>{number}</p>" for number in range(8)]
    assert [each.number for each in versions] == list(range(2, 10))
    assert {(each.subject, each.html) for each in versions} == {
        (f"S{number}", f"<p>{number}</p>") for number in range(8)
    }

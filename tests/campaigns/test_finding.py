from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.finding import Finder
from recipients.models import Field, FieldKind, Recipient
from templates_app.branches import Ways
from tests.factories import make_recipient

pytestmark = pytest.mark.django_db

ADA = {
    "city": "Nome",
    "age": 70,
    "born": "1956-02-01",
    "vip": True,
    "likes": "tea, birds",
    "plan": "gold",
}
BEN = {
    "city": "Oslo",
    "age": 0,
    "born": "1999-01-01",
    "vip": False,
    "likes": "wine",
    "plan": "free",
}
KINDS = {"age": FieldKind.NUMBER, "born": FieldKind.DATE, "vip": FieldKind.BOOLEAN}


@pytest.fixture
def _base() -> None:
    for name in ADA:
        kind = FieldKind.CHOICE if name == "plan" else KINDS.get(name, FieldKind.TEXT)
        choices = ["gold", "free"] if name == "plan" else []
        Field.objects.create(name=name, kind=kind, choices=choices)
    make_recipient("ada@example.org", fields=ADA)
    make_recipient("ben@example.org", fields=BEN)
    make_recipient("chi@example.org", fields={"likes": ""})
    Recipient.objects.filter(key="ada@example.org").update(language="de-AT")
    Recipient.objects.exclude(key="ada@example.org").update(language="fil")


def found(html: str, *, languages: Any = ("",), number: int = 0, **options: Any) -> list[str]:
    """Return who is found for the branches by what they ask, without looking at anybody first."""
    ways = Ways(subject="S", html=html, text="-")
    finder = Finder(
        languages, number, among=Recipient.objects.all(), now=timezone.now(), newest=0, **options
    )
    samples = ways.samples(finder.newest(), {}, finder.those_of)
    return [each.who.label.partition("@")[0] if each.who else "-" for each in samples]


@pytest.mark.usefixtures("_base")
def test_readers_of_each_branch_are_found_by_what_it_asks() -> None:
    conditions = {
        "city == 'Nome'": ["Ada", "Ben"],
        "city != 'Nome'": ["Ben", "Ada"],
        "age >= 65": ["Ada", "Ben"],
        "age > 70": ["-", "Ben"],
        "age <= 0": ["Ben", "Ada"],
        "age": ["Ada", "Chi"],
        "not vip": ["Chi", "Ada"],
        "born and born < '1956-02-02'": ["Ada", "-"],
        "born == '1956-02-01'": ["Ada", "Ben"],
        "'tea' in likes | split": ["Ada", "Chi"],
        "plan == 'gold'": ["Ada", "Ben"],
        "plan == 'tin'": ["-", "-"],
        "email == 'ada@example.org'": ["Ada", "Chi"],
        "language == 'fil'": ["Chi", "Ada"],
        "city | upper == 'NOME'": ["-", "-"],
    }

    tried = {
        each: [name.capitalize() for name in found(f"{{% if {each} %}}A{{% endif %}}")]
        for each in conditions
    }

    assert tried == conditions
    assert found("{% for like in likes | split %}{{ like }}{% endfor %}") == ["ben", "chi"]


@pytest.mark.usefixtures("_base")
def test_readers_are_those_of_the_language_whatever_the_branch_asks() -> None:
    html = "{% if likes | upper == 'X' %}A{% endif %}"

    assert found(html, languages=["", "de"], number=1) == ["-", "ada"]
    assert found(html, languages=["", "de"]) == ["-", "chi"]
    assert found(html, languages=["de-AT", "de", "fil"]) == ["-", "ada"]
    assert found(html, languages=["", "fi"], number=1) == ["-", "-"]


@pytest.mark.usefixtures("_base")
def test_the_search_ends_when_its_time_is_over() -> None:
    ways = Ways(subject="S", html="{% if city == 'Nome' %}A{% endif %}", text="-")
    finder = Finder([""], 0, among=Recipient.objects.all(), now=timezone.now(), newest=0, seconds=0)
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        before = cursor.fetchone()
        found("{% if city == 'Nome' %}A{% endif %}")
        cursor.execute("SHOW statement_timeout")
        after = cursor.fetchone()

    samples = ways.samples((), {"city": "Nome"}, finder.those_of)

    assert (finder.is_cut, samples[0].who) == (True, None)
    assert samples[0].values == {"city": "Nome"}
    assert before == after

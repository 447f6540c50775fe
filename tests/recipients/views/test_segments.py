"""The pages of segments, used as somebody does whose browser runs no script."""

import re
from typing import Any

import pytest
from django.test import Client

from recipients.models import Field, Segment, Tag
from tests.console import staff, superuser, text
from tests.factories import make_campaign, make_list, make_recipient
from tests.recipients.segments.asked import every, group, rule

pytestmark = pytest.mark.django_db

ADD = "/segments/new/"


@pytest.fixture
def browser() -> Client:
    return superuser()


def change(segment: Segment) -> str:
    return f"/segments/{segment.pk}/"


class Page:
    """A page that was loaded: what is typed into it, and its buttons."""

    def __init__(self, browser: Client, path: str) -> None:
        self.browser, self.path = browser, path
        self.answer: Any = browser.get(path)

    @property
    def html(self) -> str:
        return str(self.answer.content.decode())

    def controls(self) -> dict[str, list[str]]:
        """Return what its form would send, without a button."""
        form = self.html[self.html.index('class="rules') :]
        sent: dict[str, list[str]] = {}
        pattern = r"<input\b[^>]*>|<textarea\b[^>]*>.*?</textarea>|<select\b.*?</select>"
        for control in re.findall(pattern, form, flags=re.DOTALL):
            name = re.search(r'name="([^"]*)"', control)
            if not name:
                continue
            values = sent.setdefault(name[1], [])
            if control.startswith("<select"):
                values += re.findall(r'value="([^"]*)"[^>]*selected', control)
            elif control.startswith("<textarea"):
                values.append(control[control.index(">") + 1 : control.rindex("<")].strip())
            else:
                found = re.search(r'value="([^"]*)"', control)
                values.append(found[1] if found else "")
        return sent

    def press(self, action: str, **typed: str | list[str]) -> "Page":
        """Type something and press a button; `r_0_value` is the control r-0-value."""
        assert f'value="{action}"' in self.html, action
        data: dict[str, Any] = self.controls() | {"action": action}
        data |= {name.replace("_", "-"): value for name, value in typed.items()}
        self.answer = self.browser.post(self.path, data, follow=True)
        return self


def test_a_segment_is_built_rule_by_rule_without_a_script(browser: Client) -> None:
    news = make_list("News")
    make_recipient("ada@example.org", lists=[news], fields={"city": "Huế", "age": 30})
    make_recipient("bob@example.org", lists=[news], fields={"city": "Huế"})
    Field.objects.create(name="city")
    Field.objects.create(name="age", kind="number")
    page = Page(browser, ADD)
    assert "Nobody yet" in text(page.answer)

    page.press("add-rule r", r_new="list", name="Readers")
    page.press("recount", r_0_value=str(news.pk))
    assert "On the list News. 2 recipients" in text(page.answer)
    page.press("add-group r")
    page.press("add-rule r-1", r_1_new="field:city")
    page.press("add-rule r-1", r_1_0_value="huế", r_1_new="field:age", r_1_match="all")
    page.press("recount", r_1_1_operator="between")
    page.press("save", r_1_1_value=["18", "40"])

    segment = Segment.objects.get()
    assert segment.name == "Readers"
    assert segment.rules == every(
        rule("list", "on", news.pk),
        group("all", rule("field:city", "is", "huế"), rule("field:age", "between", [18, 40])),
    )
    assert "Readers is saved." in text(page.answer)
    assert "1 recipient They are: ada@example.org" in text(page.answer)
    again = Page(browser, change(segment)).press("save")
    assert again.answer.status_code == 200
    segment.refresh_from_db()
    assert segment.rules["rules"][1]["rules"][1]["value"] == [18, 40]


def test_a_small_number_can_be_saved_again(browser: Client) -> None:
    Field.objects.create(name="share", kind="number")
    segment = Segment.objects.create(name="Few", rules=every(rule("field:share", "less", 0.00001)))

    page = Page(browser, change(segment)).press("save")

    assert "Share is less than 0.00001." in text(page.answer)
    assert "Few is saved." in text(page.answer)


def test_removing_a_rule_keeps_what_was_typed_into_the_others(browser: Client) -> None:
    page = Page(browser, ADD)
    for about in ("language", "address", "time_zone"):
        page.press("add-rule r", r_new=about)

    page.press("remove r-0", name="Kept", r_1_value="ada", r_2_value="Europe/Berlin")
    controls = page.controls()
    page.press("remove r-1")

    assert controls["r-0-about"] == ["address"]
    assert (controls["r-0-value"], controls["r-1-value"]) == (["ada"], ["Europe/Berlin"])
    assert controls["name"] == ["Kept"]
    assert "r-1-about" not in page.controls()
    assert re.search(r'name="r-match"[^>]*autofocus|autofocus[^>]*name="r-match"', page.html)


def test_what_is_wrong_stands_at_its_rule_and_nothing_is_saved(browser: Client) -> None:
    page = Page(browser, ADD)
    page.press("add-rule r", r_new="created_at")
    assert "This field is required." not in text(page.answer)

    page.press("save", name="Wrong", r_0_operator="last_days", r_0_value="soon")

    assert 'class="problem">Added is within the last days: write a number of days' in page.html
    assert page.controls()["r-0-value"] == ["soon"]
    assert not Segment.objects.exists()
    page.press("save", name="", r_0_value="3")
    assert "This field is required." in text(page.answer)


def test_it_is_counted_anew_with_each_change_where_scripts_run(browser: Client) -> None:
    segment = Segment.objects.create(name="A", rules=every(rule("address", "contains", "a")))
    page = browser.get(change(segment)).content.decode()
    seen = staff("recipients.view_segment").get(change(segment)).content.decode()

    form = page[page.index('<form method="post" novalidate') : page.index("segment-answer stack")]
    [operator] = re.findall(r'<select name="r-0-operator"[^>]*>', page)

    assert 'hx-post="" hx-trigger="input delay:400ms"' in form[: form.index(">\n")]
    assert 'hx-target="#segment"' in operator
    assert "hx-post" not in seen[seen.index('id="segment"') :].partition("<fieldset")[0]


def test_choices_are_kept_chosen(browser: Client) -> None:
    Field.objects.create(name="plan", kind="choice", choices=["Free", "Pro", "Team"])
    rules = every(
        rule("field:plan", "one_of", ["Free", "Team"]),
        rule("created_at", "on", "2026-12-04"),
        rule("language", "none_of", ["vi", "pt-br"]),
    )
    segment = Segment.objects.create(name="Plans", rules=rules)

    page = Page(browser, change(segment))

    assert page.controls()["r-0-value"] == ["Free", "Team"]
    assert page.controls()["r-1-value"] == ["2026-12-04"]
    assert page.controls()["r-2-value"] == ["vi\npt-br"]
    assert "Language is not vi or pt-br" in text(page.answer)
    page.press("save")
    segment.refresh_from_db()
    assert segment.rules == rules


@pytest.mark.parametrize(
    "data",
    [
        {"action": "remove r-" + "7" * 5000}, {"action": "add-rule r-" + "0" * 5000},
        {"action": "remove r-7"}, {"action": "remove r"}, {"action": "remove r-x"},
        {"action": "add-rule r", "r-new": "moon"}, {"action": "add-rule r-0", "r-new": "language"},
        {"action": "drop r"}, {"r-size": "99999999"}, {"r-size": "-1"},
        {"r-0-about": "<script>", "r-0-operator": "'"}, {"r-match": "maybe"},
    ],
)  # fmt: skip
def test_a_form_that_no_page_has_made_does_no_harm(data: dict[str, str], browser: Client) -> None:
    form = {"name": "X", "r-size": "1", "r-0-about": "language", "r-0-operator": "blank"}

    answer = browser.post(ADD, {**form, **data})

    assert answer.status_code == 200
    assert "<script>&" not in answer.content.decode()
    assert not Segment.objects.exists()


def test_a_segment_whose_tag_is_gone_can_be_mended(browser: Client) -> None:
    tag = Tag.objects.create(name="VIP")
    segment = Segment.objects.create(name="VIPs", rules=every(rule("tag", "has", tag.pk)))
    tag.delete()

    page = Page(browser, change(segment))

    assert "there is no such tag any more" in text(page.answer)
    assert "Nobody, until it is mended" in text(browser.get("/segments/"))
    page.press("remove r-0")
    page.press("add-rule r", r_new="language")
    page.press("save", r_0_value="vi")
    assert "Language is vi" in text(browser.get("/segments/"))


def test_a_segment_that_a_campaign_uses_says_so_and_is_not_deleted(browser: Client) -> None:
    segment = Segment.objects.create(name="Used", rules=every(rule("language", "blank")))
    campaign = make_campaign("Spring")
    campaign.segments.add(segment)
    delete = f"{change(segment)}delete/"

    assert "used by the campaign Spring" in text(browser.get(change(segment)))
    refused = browser.post(delete)
    assert refused.status_code == 422
    assert "Used is used by the campaign Spring" in text(refused)
    campaign.segments.clear()
    assert browser.post(delete).status_code == 302
    assert not Segment.objects.exists()


def test_who_may_only_look_can_change_nothing() -> None:
    segment = Segment.objects.create(name="Seen", rules=every(rule("language", "blank")))
    viewer = staff("recipients.view_segment")

    page = viewer.get(change(segment))

    assert "Language is blank" in text(page)
    assert "Save" not in text(page)
    assert viewer.post(change(segment), {"action": "save", "name": "X"}).status_code == 403
    assert viewer.get(ADD).status_code == 403

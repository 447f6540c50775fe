"""What campaigns came to, as sums: each from what it is a sum of, in a fixed number of queries."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries

from campaigns.models import Campaign, Run
from campaigns.reporting import comparison
from campaigns.reporting.domains import SHOWN, all_domains, domains
from campaigns.reporting.failures import ADVICE, failures
from campaigns.reporting.figures import Reach, figures
from campaigns.reporting.funnel import funnel, losses
from campaigns.reporting.links import links_of_run, links_of_runs
from campaigns.reporting.shares import percent
from campaigns.reporting.timeline import MOST_DAYS, MOST_HOURS, timeline
from templates_app.rendering import compile_content
from tests.factories import make_campaign, make_past_run
from tracking.models import Category, DomainTally, HourTally, Link, LinkTally, ReasonTally

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
NOON = datetime(2026, 12, 4, 12, tzinfo=UTC)
FIRST = {
    "opens_people": 30, "opens_unique": 50, "opens_total": 70, "clicks_people": 9,
    "clicks_unique": 12, "clicks_total": 15, "bounced_hard": 3, "bounced_soft": 2,
    "unsubscribed": 4, "complained": 1,
}  # fmt: skip
SECOND = {"opens_people": 1, "opens_unique": 1, "opens_total": 2, "bounced_soft": 5}


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign()


@pytest.fixture
def runs(campaign: Campaign) -> list[Run]:
    return [
        make_past_run(campaign, at=NOON, sent=100, failed=7, **FIRST),
        make_past_run(campaign, at=NOON + HOUR, sent=10, **SECOND),
    ]


def report(*arguments: object) -> str:
    output = io.StringIO()
    call_command("campaign_report", *map(str, arguments), stdout=output)
    return output.getvalue()


def test_the_report_of_a_campaign_is_the_sum_of_its_runs(
    campaign: Campaign, runs: list[Run]
) -> None:
    make_past_run(make_campaign("Another"), sent=1_000)

    assert json.loads(report(campaign.pk, "--json")) == {
        "sent": 110,
        "failed": 7,
        "bounces": {"hard": 3, "soft": 7},
        "opens": {"people": 31, "unique": 51, "total": 72},
        "clicks": {"people": 9, "unique": 12, "total": 15},
        "unsubscribes": 4,
        "complaints": 1,
    }


def test_the_report_of_one_run_is_that_of_no_other(campaign: Campaign, runs: list[Run]) -> None:
    found = json.loads(report(campaign.pk, "--json", "--run", runs[1].pk))

    assert (found["sent"], found["bounces"]) == (10, {"hard": 0, "soft": 5})


def test_a_campaign_that_was_not_sent_has_a_report_of_nothing(campaign: Campaign) -> None:
    found = json.loads(report(campaign.pk, "--json"))

    assert found["sent"] == 0
    assert found["opens"] == {"people": 0, "unique": 0, "total": 0}


def test_a_run_of_another_campaign_is_refused(campaign: Campaign, runs: list[Run]) -> None:
    another = make_campaign("Another")

    with pytest.raises(CommandError, match=f"campaign {another.pk} has no run {runs[0].pk}"):
        report(another.pk, "--run", runs[0].pk)


def test_a_person_reads_rates_with_their_counts(campaign: Campaign, runs: list[Run]) -> None:
    lines = [" ".join(line.split()) for line in report(campaign.pk).splitlines()]

    assert "10 bounced 9.1 % (3 hard, 7 soft)" in lines
    assert "31 opened 28.2 % (20 by machines alone; 72 opens in all)" in lines


def test_figures_are_one_query(
    campaign: Campaign, runs: list[Run], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        found = figures(campaign.runs.all())

    assert (found.runs, found.audience, found.arrived) == (2, 117, 100)
    assert found.opens == Reach(31, 51, 72)
    assert found.opens.machines == 20


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (0, 0, "–"),  # noqa: RUF001
        (0, 5, "0 %"),
        (1, 1_001, "<0.1 %"),
        (1, 1_000, "0.1 %"),
        (1, 3, "33.3 %"),
        (9_999, 10_000, ">99.9 %"),
        (5, 5, "100.0 %"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(part: int, whole: int, words: str) -> None:
    assert percent(part, whole) == words


def test_the_funnel_goes_from_the_audience_to_those_who_left(
    campaign: Campaign, runs: list[Run]
) -> None:
    found = figures(campaign.runs.all())

    steps = [(step.name, step.count, step.share) for step in (*funnel(found), *losses(found))]

    assert steps == [
        ("Audience", 117, "100.0 %"),
        ("Sent", 110, "94.0 %"),
        ("Not come back", 100, "90.9 %"),
        ("Opened by people", 31, "28.2 %"),
        ("Clicked by people", 9, "8.2 %"),
        ("Bounced", 10, "9.1 %"),
        ("Unsubscribed", 4, "3.6 %"),
        ("Complained", 1, "0.9 %"),
        ("Failed at hand-over", 7, "6.0 %"),
        ("Left out", 0, "0 %"),
    ]


def at_hours(run: Run, *hours: int) -> None:
    for hour in hours:
        HourTally.objects.create(run=run, hour=NOON + hour * HOUR, sent=1, opens_people=2)


def test_hours_are_shown_while_they_are_few_with_those_in_which_nothing_came(
    campaign: Campaign, runs: list[Run]
) -> None:
    at_hours(runs[0], 0, 3, MOST_HOURS - 1)
    at_hours(runs[1], 3)

    found = timeline(campaign.runs.all())

    assert found.is_hourly
    assert [moment.at for moment in found.moments] == [NOON + n * HOUR for n in range(MOST_HOURS)]
    assert [moment.sent for moment in found.moments[:5]] == [1, 0, 0, 2, 0]


def test_days_are_shown_where_hours_would_be_too_many(campaign: Campaign, runs: list[Run]) -> None:
    at_hours(runs[0], 0, 1, MOST_HOURS)

    found = timeline(campaign.runs.all())

    assert not found.is_hourly
    assert not found.is_cut
    assert [moment.opened for moment in found.moments] == [4, 0, 0, 2]
    assert found.moments[0].at == NOON.replace(hour=0)


@pytest.mark.parametrize(("days", "is_cut"), [(MOST_DAYS - 1, False), (MOST_DAYS, True)])
def test_of_many_days_the_last_ones_are_shown(
    campaign: Campaign, runs: list[Run], days: int, is_cut: bool
) -> None:
    at_hours(runs[0], 0, days * 24)

    found = timeline(campaign.runs.all())

    assert (len(found.moments), found.is_cut) == (MOST_DAYS, is_cut)


def test_each_place_of_a_message_has_its_clicks_and_a_campaign_those_of_its_targets(
    campaign: Campaign, runs: list[Run]
) -> None:
    version = runs[0].version
    for number, target in enumerate(("https://a.example/", "https://b.example/")):
        Link.objects.create(version=version, number=number, target=target, label=f"Link {number}")
    LinkTally.objects.create(run=runs[0], number=1, people=5, unique=6, total=7)
    LinkTally.objects.create(run=runs[1], number=1, people=1, unique=1, total=1)

    of_run, of_campaign = links_of_run(runs[0].pk), links_of_runs(campaign.runs.all())

    assert [(link.number, link.people) for link in of_run] == [(0, 0), (1, 5)]
    assert [(link.target, link.people, link.unique, link.total) for link in of_campaign] == [
        ("https://b.example/", 6, 7, 8),
        ("https://a.example/", 0, 0, 0),
    ]


def test_domains_are_those_that_most_was_sent_to(campaign: Campaign, runs: list[Run]) -> None:
    for run, domain, sent in ((0, "a.example", 5), (0, "b.example", 9), (1, "a.example", 6)):
        DomainTally.objects.create(run=runs[run], domain=domain, sent=sent, bounced_soft=1)

    found = domains(campaign.runs.all())
    of_one = domains(campaign.runs.filter(pk=runs[0].pk))

    assert [(row.domain, row.sent, row.bounced) for row in found] == [
        ("a.example", 11, 2),
        ("b.example", 9, 1),
    ]
    assert [row.domain for row in of_one] == ["b.example", "a.example"]


def test_a_domain_that_is_large_in_sum_alone_is_shown_with_all_of_its_sums(
    campaign: Campaign, runs: list[Run]
) -> None:
    for run in runs[:2]:
        large = [(f"{number}.{run.pk}.example", 100) for number in range(SHOWN)]
        small = [(f"{number}.example", 50 + number) for number in range(3)]
        DomainTally.objects.bulk_create(
            DomainTally(run=run, domain=domain, sent=sent, failed=1)
            for domain, sent in [*large, *small]
        )

    found = domains(campaign.runs.all())

    assert found == list(all_domains(campaign.runs.all()))[:SHOWN]
    assert [(row.domain, row.sent, row.failed) for row in found[:3]] == [
        ("2.example", 104, 2),
        ("1.example", 102, 2),
        (f"0.{runs[0].pk}.example", 100, 1),
    ]


def test_failures_come_with_what_to_do_and_departures_with_their_reasons(
    campaign: Campaign, runs: list[Run]
) -> None:
    for kind, reason, count in (
        ("failed", "rate", 2), ("bounced", "mailbox_full", 5), ("bounced", "rate", 1),
        ("unsubscribed", "too_many", 3), ("unsubscribed", "", 4),
    ):  # fmt: skip
        ReasonTally.objects.create(run=runs[0], kind=kind, reason=reason, count=count)

    found, departures = failures(campaign.runs.all())

    assert [(row.label, row.failed, row.bounced) for row in found] == [
        ("mailbox full", 0, 5),
        ("too many messages", 2, 1),
    ]
    assert found[1].advice.remedy == "Set a lower limit for the domain under Limits of domains."
    assert [(why.label, why.count) for why in departures] == [
        ("No reason given", 4),
        ("Too many messages", 3),
    ]


def test_there_is_advice_for_each_category() -> None:
    assert set(ADVICE) == set(Category)


def test_what_a_template_is_to_be_given_can_be_written_into_it() -> None:
    remedy = str(ADVICE[Category.RENDERING].remedy)

    compiled = compile_content(subject="", html="", text=remedy)

    assert "".join(compiled.render({}).text).endswith("in the template: your city.")


def test_campaigns_stand_side_by_side_in_two_queries(
    campaign: Campaign, runs: list[Run], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    another = make_campaign("Another")

    with django_assert_num_queries(2):
        compared = comparison.compare([another.pk, campaign.pk, 0], among=Run.objects.all())

    [sent, bounced, *_] = comparison.lines(compared)
    assert [str(share) for share in bounced.shares] == [
        "– · 0 of 0",  # noqa: RUF001
        "9.1 % · 10 of 110",
    ]
    newest = comparison.newest(5, among=Run.objects.all())
    assert sent.name == "Sent"
    assert [each for each, _ in newest] == [campaign]

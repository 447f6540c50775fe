"""Versions of templates that nobody needs."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection, transaction

from campaigns.models import Campaign, Run
from campaigns.preflight import jobs
from campaigns.retention import forget_versions
from campaigns.services import schedule
from templates_app import retention
from templates_app.models import EmailTemplate, TemplateVersion
from templates_app.services import freeze
from tests.factories import make_campaign, make_list, make_recipients, make_run, make_template

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
YEAR = timedelta(days=365)


def make_versions(template: EmailTemplate, count: int) -> None:
    """Save a template until it has so many versions; all of them as old as they may get."""
    for number in range(template.versions.count(), count):
        EmailTemplate.objects.filter(pk=template.pk).update(subject=f"News {number}")
        freeze(template)
    TemplateVersion.objects.update(created_at=NOW - YEAR)


def numbers(template: EmailTemplate) -> list[int]:
    return list(template.versions.order_by("number").values_list("number", flat=True))


def forget(*, later: timedelta = timedelta(seconds=1)) -> int:
    return forget_versions(now=NOW + later, older_than=YEAR)


@pytest.mark.django_db
def test_what_is_old_goes_but_for_the_newest_and_not_a_second_early() -> None:
    template = make_template()
    make_versions(template, 3)

    assert forget(later=timedelta()) == 0
    assert forget() == 2
    assert numbers(template) == [3]


@pytest.mark.django_db
def test_without_a_number_of_days_all_are_kept() -> None:
    make_versions(make_template(), 3)

    assert forget_versions(now=NOW + 9 * YEAR, older_than=timedelta()) == 0


@pytest.mark.django_db
def test_what_was_sent_is_going_to_be_or_was_looked_at_stays() -> None:
    template = make_template()
    make_recipients(1, mailing_list=make_list())
    make_versions(template, 1)
    sent = make_run(make_campaign("Sent", template=template), now=NOW)
    make_versions(template, 2)
    looked_at = jobs.start(make_campaign("Draft", template=template), by="mai", now=NOW)
    make_versions(template, 3)
    due = NOW + YEAR
    scheduled = schedule(make_campaign("Due", template=template), now=NOW, at=due)
    make_versions(template, 5)

    assert forget() == 1

    assert numbers(template) == [1, 2, 3, 5]
    assert Run.objects.get(pk=sent.pk).version.number == 1
    assert (looked_at.version.number, scheduled.version and scheduled.version.number) == (2, 3)


@pytest.mark.django_db
def test_all_templates_have_their_turn_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    templates = [make_template(f"T{number}") for number in range(5)]
    for template in templates:
        make_versions(template, 2)

    assert forget() == 5
    assert [numbers(template) for template in templates] == [[2]] * 5


@pytest.mark.django_db(transaction=True)
def test_who_schedules_a_campaign_is_not_waited_for_and_keeps_the_version() -> None:
    template = make_template()
    campaign = make_campaign(template=template)
    make_versions(template, 2)
    first = template.versions.get(number=1)

    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT FROM templates_app_emailtemplate FOR UPDATE")
        other.execute("UPDATE campaigns_campaign SET version_id = %s", [first.pk])
        meanwhile = forget()
    afterwards = forget()

    campaign.refresh_from_db()
    assert (meanwhile, afterwards) == (0, 0)
    assert campaign.version == first


@pytest.mark.django_db(transaction=True)
def test_what_was_taken_up_after_it_was_chosen_stays() -> None:
    template = make_template()
    campaign = make_campaign(template=template)
    make_versions(template, 2)
    first = template.versions.get(number=1)
    chosen = retention._templates(retention._idle(NOW, []))
    Campaign.objects.filter(pk=campaign.pk).update(version=first)

    with transaction.atomic():
        needed = [Campaign.objects.filter(version__isnull=False).values("version")]
        forgotten = retention._forget(chosen, before=NOW, but=needed)

    assert forgotten == 0
    assert numbers(template) == [1, 2]

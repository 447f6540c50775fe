from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from pytest_django import Settings

from campaigns import services, tasks
from campaigns.attachments import choose
from campaigns.fetching import Fetcher
from campaigns.models import (
    AcceptedWarning,
    Campaign,
    CampaignStatus,
    Preflight,
    PreflightStatus,
    PreflightStep,
    Priority,
    Route,
    Sender,
    Transport,
)
from campaigns.preflight import dry_run, jobs, verdict
from campaigns.preflight.findings import Finding
from campaigns.preflight.senders import World
from campaigns.preflight.verdict import Verdict
from campaigns.sending.claim import Claimed
from campaigns.sending.mailing import Mailing
from campaigns.services import Refused, set_transport_url
from recipients.models import Field, MailingList, Recipient, Segment, SubscriptionState
from templates_app.media.storing import storage
from templates_app.models import EmailTemplate, Kind, MediaBlob, Snippet
from tests.factories import (
    make_campaign,
    make_file,
    make_list,
    make_recipient,
    make_recipients,
    make_run,
    make_segment,
    make_sender,
    make_template,
)
from tracking.models import Delivery
from tracking.tokens import NOBODY

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
WAY_OUT = '<a href="{{ unsubscribe_url }}">Leave</a>'
pytestmark = pytest.mark.django_db

OFFLINE = World(resolver=lambda: None, fetcher=lambda: Fetcher(resolve=_nowhere), spamd="")


def _nowhere(_host: str, _port: int) -> list[str]:
    raise OSError("no network")


def make_real(html: str = f"<p>Hello</p>{WAY_OUT}", **more: Any) -> Campaign:
    """Make a campaign of a sender at a domain that could be somebody's."""
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    sender = make_sender("The Shore <news@shore.org>")
    template = make_template(html=html)
    return make_campaign(lists=[readers], sender=sender, template=template, **more)


def finish(campaign: Campaign, *, world: World = OFFLINE, size: int = 5_000) -> Preflight:
    preflight = jobs.start(campaign, by="ada", now=NOW, size=size)
    while jobs.work(preflight.pk, clock=lambda: NOW, seconds=60, world=world):
        pass
    preflight.refresh_from_db()
    return preflight


def judge(campaign: Campaign) -> Verdict:
    return verdict.judge(campaign, jobs.version_of(campaign), now=NOW)


def of(found: Verdict, name: str) -> list[Finding]:
    return [each for each in found.findings if each.name == name]


# --- the dry run ------------------------------------------------------------------------------


def test_fields_without_a_value_are_counted_over_the_whole_audience() -> None:
    campaign = make_real(f"<p>{{{{ first_name }}}} of {{{{ city }}}}</p>{WAY_OUT}")
    readers = make_list()
    ids = [
        make_recipient(f"x{n}@example.org", lists=[readers], fields={"first_name": "X"}).pk
        for n in range(12)
    ]
    Recipient.objects.filter(address__startswith="r").update(
        fields={"first_name": " ", "city": "Suva"}
    )
    Field.objects.get_or_create(name="city")

    finish(campaign, size=4)

    found = judge(campaign)
    [failed] = of(found, "merge-field")
    [empty] = of(found, "empty-field")
    assert failed.severity == "error"
    assert failed.message.startswith("12 of 15 recipients would get no message: source, line 1:")
    assert "'city' has no value" in failed.message
    assert set(failed.recipients) < set(ids)
    assert len(failed.recipients) == 10
    assert (empty.severity, len(empty.recipients)) == ("warning", 3)
    assert empty.message == "3 of 15 recipients have an empty field 'first_name'"


MJML = """<mjml><mj-body><mj-section><mj-column><mj-text>
Hello {{ first_name }}
</mj-text><mj-text>
{{ city }}, and again:
{{ city }} {% include "foot" %}
</mj-text></mj-column></mj-section></mj-body></mjml>"""


def test_what_fails_is_named_where_the_author_wrote_it() -> None:
    snippet = "<hr>\n<a href='{{ unsubscribe_url }}'>Leave</a> {{ points | date }}"
    Snippet.objects.create(name="foot", kind=Kind.HTML, source=snippet)
    for name in ("first_name", "city", "points", "link"):
        Field.objects.get_or_create(name=name)
    whole = {"first_name": "X", "city": "Suva", "points": "2026-01-01", "link": "https://x.org"}
    readers = make_list()
    for number, (name, value) in enumerate(
        [("city", None), ("points", None), ("points", "soon"), ("link", None)]
    ):
        address = f"x{number}@example.org"
        make_recipient(address, lists=[readers], fields={**whole, name: value})
    Recipient.objects.filter(address="x3@example.org").update(language="vi")
    template = make_template()
    template.kind, template.source = Kind.MJML, MJML
    template.save()
    text = f"<a\nhref='{{{{ link }}}}'>x</a>{WAY_OUT}"
    vietnamese = f"<mjml><mj-body><mj-raw>\n{text}</mj-raw></mj-body></mjml>"
    template.variants.create(language="vi", subject="{{ city }}", source=vietnamese)
    sender = make_sender("The Shore <news@shore.org>")
    campaign = make_campaign(lists=[readers], sender=sender, template=template)

    finish(campaign)

    said = [
        each.message.partition("no message: ")[2] for each in of(judge(campaign), "merge-field")
    ]
    assert sorted(each.partition(";")[0] for each in said) == [
        "snippet 'foot', line 2: 'soon' is no date like 2026-12-04 or 2026-12-04T15:30",
        "snippet 'foot', line 2: the field 'points' has no value",
        "source, line 3 (vi): the field 'link' has no value",
        "source, lines 4 and 5: the field 'city' has no value",
    ]


def test_a_message_that_is_larger_than_a_transport_takes_with_its_files_is_an_error() -> None:
    file = make_file("Plan.pdf", b"%PDF-1.7\n" + b"x" * 800_000 + b"\n%%EOF\n")
    campaign = make_real(attachments=[file])
    transport = Transport.objects.create(name="Small", message_mb=2)
    Route.objects.create(sender=campaign.sender, transport=transport)
    set_transport_url(transport, url="smtp://127.0.0.1")

    largest = dry_run.tally_of(finish(campaign)).largest[0]
    fits = of(judge(campaign), "size-refused")
    Transport.objects.update(message_mb=1)
    [refused] = of(judge(campaign), "size-refused")

    assert 1_080_000 < largest < 1_120_000
    assert fits == []
    assert refused.severity == "error"
    assert "a message would have 1.1 MB as it is sent, and the transport Small takes 1 MB" in str(
        refused
    )
    choose(campaign, [])
    assert judge(campaign).preflight is None


def test_files_that_cannot_be_fetched_are_a_warning_and_damaged_ones_an_error() -> None:
    campaign = make_real(attachments=[make_file(data=b"%PDF-1.7 away\n%%EOF\n")])
    stored = Path(storage().path(MediaBlob.objects.get().key))
    stored.unlink()
    stored.mkdir()

    finish(campaign)
    away = judge(campaign)
    stored.rmdir()
    stored.write_bytes(b"other bytes")
    finish(campaign)
    damaged = judge(campaign)

    [said] = of(away, "check-failed")
    assert said.severity == "warning"
    assert "the files that are attached cannot be fetched now" in said.message
    [said] = of(damaged, "not-composed")
    assert "the attachment Plan.pdf cannot be sent" in said.message


def test_nobody_is_tried_who_would_not_receive_the_campaign() -> None:
    campaign = make_real()
    readers = make_list()
    make_recipient("gone@example.org", lists=[readers], state=SubscriptionState.UNSUBSCRIBED)
    make_recipient("other@example.org", lists=[make_list("Others")])

    preflight = finish(campaign, size=1)

    assert dry_run.tally_of(preflight).recipients == 3
    assert Delivery.objects.count() == 0
    assert preflight.status == PreflightStatus.DONE


def test_the_size_is_that_of_the_message_with_pixel_and_links() -> None:
    campaign = make_real(f"<p>{'x' * 100_000}</p>{60 * '<a href=https://a.io>x</a>'}{WAY_OUT}")

    measured = dry_run.tally_of(finish(campaign)).largest_html[0]
    found = of(judge(campaign), "size-clipped")
    MailingList.objects.update(tracking="off")
    plain = dry_run.tally_of(finish(campaign)).largest_html[0]

    # /c/, a token of 32 characters and a number take the place of each address.
    assert measured - plain > 60 * len("/c//") + 60 * 32
    assert {each.recipients == () for each in found} == {True, False}
    assert not of(judge(campaign), "size-clipped")


def test_the_largest_message_and_the_languages_are_told() -> None:
    campaign = make_real(f"<p>{{{{ story | default('') }}}}</p>{WAY_OUT}")
    large = make_recipient("x@example.org", lists=[make_list()], fields={"story": "é" * 60_000})
    Recipient.objects.filter(pk=large.pk).update(language="vi")

    preflight = finish(campaign, size=2)

    tally = dry_run.tally_of(preflight)
    assert tally.languages == {"": 3, "vi": 1}
    assert tally.largest[1] == tally.largest_html[1] == large.pk
    assert 120_000 < tally.largest_html[0] < 121_000
    [finding] = of(judge(campaign), "size-clipped")
    assert (finding.severity, finding.recipients) == ("error", (large.pk,))


def test_no_address_stands_in_what_is_stored() -> None:
    campaign = make_real("<p>{{ missing_of_all | replace('a', email) }}</p>" + WAY_OUT)
    Recipient.objects.update(fields={})

    preflight = finish(campaign)

    assert "@" not in str(dry_run.tally_of(preflight).as_dict())


def test_slices_share_all_recipients_out() -> None:
    made = make_recipients(10, mailing_list=make_list())
    ids = [each.pk for each in made]
    made[4].delete()

    slices = dry_run.slices(size=3)

    of_each = [sum(after < pk <= upto for pk in ids if pk != ids[4]) for after, upto in slices]
    assert of_each == [3, 3, 3, 0]


def test_a_segment_that_cannot_be_read_is_told_once() -> None:
    make_recipients(5, mailing_list=make_list())
    campaign = make_campaign(segments=[make_segment()])
    Segment.objects.update(rules={"match": "all", "rules": [{"about": "field:gone"}]})

    finish(campaign, size=2)

    assert len(of(judge(campaign), "not-composed")) == 1


# --- the work ---------------------------------------------------------------------------------


def test_a_step_is_one_workers_until_its_lease_ends() -> None:
    preflight = jobs.start(make_real(), by="ada", now=NOW)

    claimed = [jobs.claim(preflight.pk, now=NOW) for _ in range(5)]
    again = jobs.claim(preflight.pk, now=NOW + jobs.LEASE)
    dead = PreflightStep.objects.get(kind="audience")

    assert [step.kind for step in claimed if step] == [
        "authentication", "message", "links", "audience",
    ]  # fmt: skip
    assert claimed[-1] is None
    assert again is not None
    assert again.attempts == 2
    assert dead.leased_until == NOW + timedelta(minutes=1)


def test_what_two_workers_found_in_one_step_counts_once() -> None:
    campaign = make_real()
    preflight = jobs.start(campaign, by="ada", now=NOW)
    slow = jobs.claim(preflight.pk, now=NOW)
    finish_after = NOW + jobs.LEASE
    jobs.work(preflight.pk, clock=lambda: finish_after, seconds=60, world=OFFLINE)
    assert slow is not None

    jobs.record(slow, jobs._made(slow, OFFLINE, clock=lambda: NOW), now=LATER)

    slow.refresh_from_db()
    preflight.refresh_from_db()
    assert slow.done_at == finish_after
    assert (preflight.status, preflight.finished_at) == (PreflightStatus.DONE, finish_after)
    assert len(of(judge(campaign), "dns-offline")) == 1


def test_a_campaign_that_is_deleted_in_the_midst_of_a_step_is_no_fault() -> None:
    campaign = make_real()
    preflight = jobs.start(campaign, by="ada", now=NOW)
    steps = [jobs.claim(preflight.pk, now=NOW) for _ in range(4)]
    campaign.delete()

    for step in steps:
        assert step is not None
        jobs.record(step, jobs._made(step, OFFLINE, clock=lambda: NOW), now=NOW)

    assert not jobs.work(preflight.pk, clock=lambda: NOW, seconds=60, world=OFFLINE)


def test_a_step_that_ends_its_worker_each_time_is_left_out_with_a_warning() -> None:
    campaign = make_real()
    preflight = jobs.start(campaign, by="ada", now=NOW)
    PreflightStep.objects.filter(kind="links").update(attempts=3)

    while jobs.work(preflight.pk, clock=lambda: NOW, seconds=60, world=OFFLINE):
        pass

    [finding] = of(judge(campaign), "check-failed")
    assert finding.severity == "warning"
    assert "Links" in finding.message


def test_stopped_it_makes_no_more_steps_and_another_one_stops_it_too() -> None:
    campaign = make_real()
    first = jobs.start(campaign, by="ada", now=NOW)
    second = jobs.start(campaign, by="ada", now=NOW)
    jobs.stop(second, now=NOW)

    with pytest.raises(jobs.Refused, match="not under way"):
        jobs.stop(second, now=NOW)

    first.refresh_from_db()
    assert first.status == PreflightStatus.STOPPED
    assert jobs.claim(second.pk, now=NOW) is None


def test_those_before_are_forgotten_when_no_worker_can_be_at_them() -> None:
    campaign = make_real()
    old = jobs.start(campaign, by="ada", now=NOW)
    jobs.stop(old, now=NOW)

    young = jobs.start(campaign, by="ada", now=NOW + jobs.LEASE)
    newest = jobs.start(campaign, by="ada", now=NOW + jobs.LEASE + timedelta(seconds=1))

    assert list(Preflight.objects.order_by("pk")) == [young, newest]


def test_lost_messages_are_sent_again_by_the_sweep(broker: redis.Redis) -> None:
    preflight = jobs.start(make_real(), by="ada", now=datetime.now(UTC))
    tasks.sweep_preflights()  # it finds the new sender as well
    broker.delete("imports")

    tasks.sweep_preflights()
    early = broker.llen("imports")
    Preflight.objects.update(moved_at=datetime.now(UTC) - tasks.PREFLIGHT_PATIENCE)
    tasks.sweep_preflights()

    assert (early, broker.llen("imports")) == (0, 4)
    assert preflight.steps.count() == 4


def test_a_campaign_that_has_ended_is_not_looked_at() -> None:
    campaign = make_real()
    Campaign.objects.update(status=CampaignStatus.CANCELLED)

    with pytest.raises(jobs.Refused, match="has been cancelled already"):
        jobs.start(campaign, by="ada", now=NOW)


def test_constraints_hold() -> None:
    campaign = make_real()
    preflight = jobs.start(campaign, by="ada", now=NOW)
    jobs.note_accepted(campaign, "x", ["a"], by="ada", now=NOW)
    accepted, step = AcceptedWarning.objects.get(), preflight.steps.all()[0]

    changes: dict[str, Callable[[], object]] = {
        "preflight_status_known": lambda: Preflight.objects.update(status="x", finished_at=NOW),
        "preflight_finished_has_time": lambda: Preflight.objects.update(finished_at=NOW),
        "preflight_one_running": lambda: _copy(preflight),
        "preflight_step_unique": lambda: _copy(step),
        "preflight_step_kind_known": lambda: PreflightStep.objects.update(kind="x"),
        "accepted_warning_unique": lambda: _copy(accepted),
    }
    for name, change in changes.items():
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            change()


def _copy(row: Any) -> None:
    row = type(row).objects.get(pk=row.pk)
    row.pk = None
    row.save()


# --- errors block, warnings ask ---------------------------------------------------------------


def test_an_error_blocks_scheduling() -> None:
    campaign = make_real("<p>No way out</p>")

    with pytest.raises(Refused, match=r"no link leads to .* \(no-unsubscribe-link\)"):
        services.schedule(campaign, now=NOW, at=LATER, accepted=["no-unsubscribe-link"])

    campaign.refresh_from_db()
    assert campaign.status == CampaignStatus.DRAFT


def test_a_warning_asks_and_who_accepts_it_by_name_is_kept(settings: Settings) -> None:
    settings.SITE_URL = "https://news.shore.org"
    campaign = make_real()

    with pytest.raises(Refused, match=r"accept by name: no-postal-address$"):
        services.schedule(campaign, now=NOW, at=LATER)
    services.schedule(campaign, now=NOW, at=LATER, accepted=["no-postal-address"], by="ada")

    accepted = AcceptedWarning.objects.get()
    assert (accepted.name, accepted.accepted_by, accepted.accepted_at) == (
        "no-postal-address", "ada", NOW,
    )  # fmt: skip


def test_what_was_accepted_holds_until_the_content_changes(settings: Settings) -> None:
    settings.SITE_URL = "https://news.shore.org"
    campaign = make_real()
    jobs.accept(campaign, names=["no-postal-address"], by="ada", now=NOW)

    services.schedule(campaign, now=NOW, at=LATER)
    EmailTemplate.objects.update(subject="Newer")

    with pytest.raises(Refused, match="no-postal-address"):
        services.schedule(campaign, now=NOW, at=LATER)


def test_a_postal_address_of_the_sender_mends_it_and_is_sent(settings: Settings) -> None:
    settings.SITE_URL = "https://news.shore.org"
    campaign = make_real(f"{{{{ sender_address }}}} {WAY_OUT}")
    Sender.objects.update(postal_address="1 Shoal Road, Miranda 2473")
    campaign.sender.refresh_from_db()

    run = make_run(campaign, now=NOW)

    mailing = Mailing(run)
    claimed = Claimed(NOBODY, "r@example.org", {}, attempts=1)
    assert "1 Shoal Road" in mailing.unsigned(claimed, now=NOW)[2].html


def test_a_sender_at_a_reserved_domain_asks_nothing() -> None:
    readers = make_list()
    make_recipients(1, mailing_list=readers)
    campaign = make_campaign(lists=[readers], template=make_template(html="<p>Hello</p>"))

    services.schedule(campaign, now=NOW, at=LATER)

    assert {each.severity for each in judge(campaign).findings} == {"advice"}


def test_what_the_preflight_found_blocks_until_it_is_out_of_date() -> None:
    campaign = make_real(f"<p>{{{{ city }}}}</p>{WAY_OUT}", priority=Priority.TRANSACTIONAL)
    Field.objects.create(name="city")
    accepted = ["no-postal-address", "no-unsubscribe-link-in-text", "site-insecure"]
    finish(campaign)

    with pytest.raises(Refused, match="3 of 3 recipients would get no message"):
        services.schedule(campaign, now=NOW, at=LATER, accepted=accepted)

    campaign.lists.add(make_list("Others"))
    services.schedule(campaign, now=NOW, at=LATER, accepted=accepted)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: EmailTemplate.objects.update(subject="Newer"),
        lambda c: c.excluded_lists.add(make_list("Others")),
        lambda c: Sender.objects.update(reply_to="x@shore.org"),
        lambda c: Campaign.objects.update(priority=Priority.TRANSACTIONAL),
    ],
)
def test_a_preflight_is_of_one_content_audience_and_sender(change: Any) -> None:
    campaign = make_real()
    finish(campaign)
    before = judge(campaign).preflight

    change(campaign)

    assert before is not None
    assert judge(Campaign.objects.get()).preflight is None


@pytest.mark.parametrize(("age", "is_fresh"), [(timedelta(), True), (timedelta(seconds=1), False)])
def test_a_preflight_is_out_of_date_after_a_day(age: timedelta, is_fresh: bool) -> None:
    campaign = make_real()
    finish(campaign)

    found = verdict.judge(campaign, jobs.version_of(campaign), now=NOW + verdict.FRESH + age)

    assert (found.preflight is not None) == is_fresh


def test_a_warning_that_there_is_not_cannot_be_accepted() -> None:
    with pytest.raises(jobs.Refused, match="there is no warning no-such; there is: no-postal"):
        jobs.accept(make_real(), names=["no-such"], by="ada", now=NOW)


# --- the command ------------------------------------------------------------------------------


def test_the_command_prints_what_was_found_and_ends_with_1_on_errors(
    broker: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    template = make_template(html=f"<p>{{{{ city }}}}</p>{WAY_OUT}")
    campaign = make_campaign(lists=[readers], template=template)

    with pytest.raises(CommandError, match="errors that block campaign"):
        call_command("preflight", campaign.pk)

    said = capsys.readouterr().out
    assert "error merge-field: 3 of 3 recipients would get no message" in said
    assert "3 messages were tried" in said


def test_the_command_accepts_by_name_and_prints_json(
    broker: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    readers = make_list()
    make_recipients(1, mailing_list=readers)
    campaign = make_campaign(lists=[readers])

    call_command("preflight", campaign.pk, json=True)
    with pytest.raises(CommandError, match="there is no warning no-such; there is: none"):
        call_command("preflight", campaign.pk, accept=["no-such"])

    assert '"may_be_scheduled": true' in capsys.readouterr().out

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns.management.commands.watch_campaign import progress_line
from campaigns.models import Campaign, Run, Sender
from campaigns.reports import report
from campaigns.sending.claim import claim
from campaigns.sending.outcomes import Rejected
from campaigns.sending.record import Result, record
from campaigns.sending.retry_policy import RetryPolicy
from recipients.models import Recipient, SubscriptionState
from templates_app.models import EmailTemplate
from tests.factories import (
    make_campaign,
    make_list,
    make_recipient,
    make_recipients,
    make_run,
    make_segment,
    make_template,
)
from tracking.models import Delivery

pytestmark = pytest.mark.django_db

SENDER = "News <news@example.org>"
NEXT_YEAR = timezone.now().year + 1


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


@pytest.fixture
def campaign() -> Campaign:
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    return make_campaign(lists=[readers])


@pytest.fixture
def html(tmp_path: Path) -> Path:
    path = tmp_path / "news.html"
    path.write_text("<p>Hello {{ first_name }}</p>\n<p>{{ city }}</p>")
    return path


def import_people(folder: Path) -> str:
    path = folder / "people.csv"
    path.write_text("email,first_name,city\nada@example.org,Ada,Rome\nwrong,X,Y\n")
    return run("import_recipients", str(path), "--list", "Readers", "--json")


def test_an_import_prints_its_counts_and_names_bad_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = json.loads(import_people(tmp_path))

    assert counts == {
        "new": 1, "changed": 0, "unchanged": 0, "duplicates": 0, "invalid": 1, "suppressed": 0,
    }  # fmt: skip
    assert "people.csv: line 3: 'wrong': there is no @" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "name\nAda\n"])
def test_a_file_that_cannot_be_imported_leaves_nothing(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "people.csv"
    if content is not None:
        path.write_text(content)

    with pytest.raises(CommandError, match=r"people\.csv: "):
        run("import_recipients", str(path), "--list", "Readers")
    assert not Recipient.objects.exists()
    assert make_list().pk  # made now: the command left none


@pytest.mark.parametrize("name", ["", "  ", "L" * 201, "a\nb", "a\u202ab"])
def test_a_list_needs_a_name_that_may_stand_in_a_header(tmp_path: Path, name: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text("email\nada@example.org\n")

    with pytest.raises(CommandError, match=r"^list .*: name: "):
        run("import_recipients", str(path), "--list", name)
    assert not Recipient.objects.exists()


def test_a_template_with_an_unknown_field_is_refused_with_the_line(
    tmp_path: Path, html: Path
) -> None:
    import_people(tmp_path)
    html.write_text("<p>Hello</p>\n<p>{{ frist_name }}</p>")

    with pytest.raises(CommandError, match="line 2: unknown field 'frist_name'"):
        run("create_template", "T", "--subject", "S", "--html", str(html))
    assert not EmailTemplate.objects.exists()


def test_a_template_that_comes_before_the_first_import_is_taken_with_a_warning(
    html: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("create_template", "T", "--subject", "S", "--html", str(html))

    assert "first_name, city must be among their columns" in capsys.readouterr().err
    assert EmailTemplate.objects.get().name == "T"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"--html": "missing.html"}, "No such file"),
        ({"--subject": "{{ first_name"}, "subject"),
        ({"--subject": "Hello {{ nobody }}"}, "unknown field 'nobody'"),
    ],
)
def test_a_template_with_a_fault_is_refused(
    tmp_path: Path, html: Path, changes: dict[str, str], reason: str
) -> None:
    import_people(tmp_path)
    options = {"--subject": "S", "--html": str(html)} | changes

    with pytest.raises(CommandError, match=reason):
        run("create_template", "T", *(word for pair in options.items() for word in pair))
    assert not EmailTemplate.objects.exists()


def test_a_name_that_is_taken_is_refused(html: Path) -> None:
    make_template("T")

    with pytest.raises(CommandError, match="there is a template 'T' already"):
        run("create_template", "T", "--subject", "S", "--html", str(html))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"--template": "None"}, "there is no template 'None'"),
        ({"--list": "None"}, "there is no list 'None'"),
        ({"--sender": "nobody"}, "sender 'nobody'"),
        ({"--list": "Empty"}, "nobody can be mailed: nobody is in Empty"),
        ({"--at": "tomorrow"}, "'tomorrow' is no ISO 8601 time"),
        ({"--at": "2020-01-01T09:00"}, "is in the past"),
        ({"--at": ""}, "is no ISO 8601 time"),
        ({"--at": "0001-01-01T00:00+10:00"}, "is in the past"),
        ({"--at": "9999-12-31T23:59-10:00"}, "is more than a hundred years ahead"),
        ({"--timezone": "Europe"}, "'Europe' is no time zone"),
        ({"--sender": f"{'N' * 300} <news@example.org>"}, "display_name: Ensure this value has"),
        ({"--sender": "Nu\u202ens <news@example.org>"}, "sender"),
        ({"--sender": "News <n\u00e9ws@example.org>"}, "must be ASCII"),
        ({"--timezone": "Nowhere"}, "'Nowhere' is no time zone"),
    ],
)
def test_a_campaign_that_cannot_be_is_refused_and_nothing_is_half_saved(
    campaign: Campaign, changes: dict[str, str], reason: str
) -> None:
    campaign.delete()
    Sender.objects.all().delete()
    make_list("Empty")
    options = {
        "--template": "Template of Spring",
        "--list": "Readers",
        "--sender": SENDER,
        "--at": f"{NEXT_YEAR}-01-01T09:00",
    } | changes

    with pytest.raises(CommandError, match=reason):
        run("create_campaign", "X", *(word for pair in options.items() for word in pair))
    assert not Campaign.objects.exists()
    assert not Sender.objects.exists()


@pytest.mark.parametrize(
    ("when", "due"),
    [
        (["--at", f"{NEXT_YEAR}-01-01T09:00:00+01:00"], datetime(NEXT_YEAR, 1, 1, 8, tzinfo=UTC)),
        (
            ["--at", f"{NEXT_YEAR}-01-01T09:00", "--timezone", "Asia/Ho_Chi_Minh"],
            datetime(NEXT_YEAR, 1, 1, 2, tzinfo=UTC),
        ),
        ([], None),
    ],
)
def test_a_campaign_is_created_and_its_id_printed(
    campaign: Campaign, when: list[str], due: datetime | None
) -> None:
    printed = run(
        "create_campaign", "X", "--template", "Template of Spring", "--list", "Readers",
        "--sender", SENDER, *when,
    )  # fmt: skip

    created = Campaign.objects.get(pk=int(printed))
    assert created.next_fire_at == due
    assert created.status == ("scheduled" if due else "draft")


@pytest.mark.parametrize(
    ("options", "priority"), [([], "campaign"), (["--urgent"], "transactional")]
)
def test_a_campaign_is_urgent_where_it_says_so(
    campaign: Campaign, options: list[str], priority: str
) -> None:
    printed = run(
        "create_campaign", "X", "--template", "Template of Spring", "--list", "Readers",
        "--sender", SENDER, *options,
    )  # fmt: skip

    assert Campaign.objects.get(pk=int(printed)).priority == priority


@pytest.mark.parametrize(("options", "word"), [([], "full"), (["--tracking", "off"], "off")])
def test_a_campaign_is_measured_as_it_says(
    campaign: Campaign, options: list[str], word: str
) -> None:
    printed = run(
        "create_campaign", "X", "--template", "Template of Spring", "--list", "Readers",
        "--sender", SENDER, *options,
    )  # fmt: skip

    assert Campaign.objects.get(pk=int(printed)).tracking == word


def test_a_campaign_goes_to_segments_and_not_to_whom_it_excludes(campaign: Campaign) -> None:
    make_segment()
    make_segment("Suva")

    printed = run(
        "create_campaign", "X", "--template", "Template of Spring", "--sender", SENDER,
        "--segment", "Hanoi", "--exclude-list", "Readers", "--exclude-segment", "Suva",
    )  # fmt: skip

    created = Campaign.objects.get(pk=int(printed))
    assert not created.lists.exists()
    assert [created.segments.get().name, created.excluded_segments.get().name] == ["Hanoi", "Suva"]
    assert created.excluded_lists.get() == make_list()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "a campaign needs at least one list or segment"),
        (["--exclude-list", "Readers"], "a campaign needs at least one list or segment"),
        (["--segment", "None"], "there is no segment 'None'"),
        (["--list", "Readers", "--exclude-segment", "None"], "there is no segment 'None'"),
        (["--list", "Readers", "--exclude-list", "None"], "there is no list 'None'"),
    ],
)
def test_an_audience_that_cannot_be_is_refused(
    campaign: Campaign, options: list[str], reason: str
) -> None:
    with pytest.raises(CommandError, match=reason):
        run(
            "create_campaign", "X", "--template", "Template of Spring", "--sender", SENDER, *options
        )  # fmt: skip
    assert Campaign.objects.get() == campaign


def test_an_audience_is_explained_in_words_and_in_json(campaign: Campaign) -> None:
    make_recipient("left@example.org", lists=[make_list()], state=SubscriptionState.UNSUBSCRIBED)
    number = str(campaign.pk)

    assert run("explain_audience", number).split("\n") == [
        "           4  list Readers",
        "           4  in the audience",
        "          -1  unsubscribed",
        "           3  would receive it",
        "",
    ]
    assert run("explain_audience", number, "left@example.org").split("\n") == [
        "left@example.org: Would not receive it: has unsubscribed; in list Readers (unsubscribed).",
        "  included by: list Readers (unsubscribed)",
        "  subscriptions: list Readers (unsubscribed)",
        "",
    ]
    counted = json.loads(run("explain_audience", number, "--json"))
    assert (counted["members"], counted["receiving"], counted["left_out"]["unsubscribed"]) == (
        4, 3, 1,
    )  # fmt: skip
    person = json.loads(run("explain_audience", number, "left@example.org", "--json"))
    assert (person["will_receive"], person["reason"]) == (False, "unsubscribed")
    assert person["runs"] == person["suppressed_by"] == []
    assert person["included_by"] == [{"kind": "list", "name": "Readers", "detail": "unsubscribed"}]


def test_what_is_no_address_cannot_be_explained(campaign: Campaign) -> None:
    with pytest.raises(CommandError, match="there is no @"):
        run("explain_audience", str(campaign.pk), "nobody")


@pytest.mark.parametrize("name", ["", "X" * 201, "Spring\nsale"])
def test_a_campaign_needs_a_name_that_may_stand_in_a_subject(campaign: Campaign, name: str) -> None:
    with pytest.raises(CommandError, match=r"^name: "):
        run(
            "create_campaign", name, "--template", "Template of Spring", "--list", "Readers",
            "--sender", SENDER,
        )  # fmt: skip
    assert Campaign.objects.get() == campaign


@pytest.mark.django_db(transaction=True)
def test_a_campaign_is_resumed_though_the_broker_is_away(
    campaign: Campaign, no_broker: None
) -> None:
    sending = make_run(campaign)
    run("pause_campaign", str(campaign.pk))

    said = run("resume_campaign", str(campaign.pk))

    sending.refresh_from_db()
    assert sending.status == "sending"
    assert said == f"campaign {campaign.pk} goes on\n"


@pytest.mark.parametrize("cron", ["* * * * * *", "* * * *", ""])
def test_a_crontab_expression_has_five_fields(campaign: Campaign, cron: str) -> None:
    with pytest.raises(CommandError, match=r"no crontab expression|say when"):
        run("schedule_campaign", str(campaign.pk), "--cron", cron)


def test_now_and_cron_schedule_too(campaign: Campaign) -> None:
    run("schedule_campaign", str(campaign.pk), "--now")
    now_due = Campaign.objects.due(now=timezone.now()).get()
    run("schedule_campaign", str(campaign.pk), "--cron", "0 9 1 1 *", "--timezone", "Europe/Berlin")

    campaign.refresh_from_db()
    assert now_due == campaign
    assert (campaign.cron, campaign.time_zone) == ("0 9 1 1 *", "Europe/Berlin")
    assert campaign.next_fire_at is not None
    assert (campaign.next_fire_at.month, campaign.next_fire_at.hour) == (1, 8)


@pytest.mark.parametrize(
    "command",
    ["pause_campaign", "resume_campaign", "cancel_campaign", "campaign_status", "watch_campaign",
     "verify_ledger"],
)  # fmt: skip
def test_a_campaign_that_does_not_exist_is_one_clear_line(command: str) -> None:
    with pytest.raises(CommandError, match=r"^there is no campaign 4711$"):
        run(command, "4711")


def test_the_status_of_a_draft_is_all_zeros(campaign: Campaign) -> None:
    status = json.loads(run("campaign_status", str(campaign.pk), "--json"))

    assert status == {
        "id": campaign.pk, "status": "draft", "run": None, "run_status": None,
        "waiting": None, "held_reason": None, "warning": None,
        "counts": {"queued": 0, "sending": 0, "sent": 0, "retry": 0, "failed": 0,
                   "unconfirmed": 0, "skipped": 0, "cancelled": 0},
        "started_at": None, "finished_at": None, "rate": 0.0,
    }  # fmt: skip


def test_the_status_says_why_a_run_is_held(campaign: Campaign) -> None:
    Run.objects.filter(pk=make_run(campaign).pk).hold("the field town is missing")

    status = json.loads(run("campaign_status", str(campaign.pk), "--json"))

    assert (status["run_status"], status["held_reason"]) == ("held", "the field town is missing")
    assert "held: the field town is missing" in run("campaign_status", str(campaign.pk))


def test_the_status_warns_of_a_run_and_says_why_it_was_paused(campaign: Campaign) -> None:
    pk = make_run(campaign).pk
    Run.objects.filter(pk=pk).warn("few read it")
    warned = run("campaign_status", str(campaign.pk))
    Run.objects.filter(pk=pk).pause("nobody reads it")

    paused = run("campaign_status", str(campaign.pk))

    assert "warning: few read it" in warned
    assert "paused: nobody reads it" in paused
    assert "warning" not in paused


def test_the_status_counts_and_rates_the_newest_run(campaign: Campaign) -> None:
    started = timezone.now() - timedelta(seconds=10)
    newest = make_run(campaign, now=started)
    newest.counters.sent, newest.counters.queued = 2, 1
    newest.counters.save()

    found = report(campaign, now=started + timedelta(seconds=10))

    status = found.as_dict()
    assert (status["run"], status["run_status"], status["rate"]) == (newest.pk, "sending", 0.2)
    assert status["started_at"] == started.isoformat(timespec="milliseconds")
    assert "         2  sent\n" in run("campaign_status", str(campaign.pk))
    bar = "#" * 19 + "." * 11
    assert progress_line(found) == f"[{bar}] sending: 1 queued, 2 sent, 12 a minute, 5 s left"


def test_watching_ends_with_the_run(campaign: Campaign) -> None:
    make_run(campaign)
    Run.objects.update(status="completed", finished_at=timezone.now())

    assert "completed: 3 queued" in run("watch_campaign", str(campaign.pk))


def test_watching_a_cancelled_campaign_ends_with_an_error(campaign: Campaign) -> None:
    run("cancel_campaign", str(campaign.pk))

    with pytest.raises(CommandError, match="was cancelled"):
        run("watch_campaign", str(campaign.pk))


def test_the_ledger_is_exported_and_no_cell_is_a_formula(
    campaign: Campaign, tmp_path: Path
) -> None:
    now = timezone.now()
    newest = make_run(campaign, now=now)
    first = Delivery.objects.order_by("pk")[0]
    claimed = claim(newest.pk, [first.pk], now=now, lease_for=timedelta(minutes=1))
    refusal = Rejected(reply_code=550, enhanced_status_code="5.1.1", diagnostic='=HYPERLINK("x")')
    record(
        newest.pk,
        [Result(first.pk, 1, "<id@example.org>", refusal)],
        lease=claimed.lease,
        policy=RetryPolicy([], timedelta()),
        now=now,
    )

    printed = run("export_deliveries", str(campaign.pk), "--csv", str(tmp_path / "out.csv"))

    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8", newline="")))
    assert printed.startswith("3 deliveries")
    assert [row["state"] for row in rows] == ["failed", "queued", "queued"]
    assert rows[0]["address"] == first.address
    assert (rows[0]["reply_code"], rows[0]["enhanced_status_code"]) == ("550", "5.1.1")
    assert rows[0]["diagnostic"] == '\'=HYPERLINK("x")'


def test_an_export_to_a_place_that_is_not_there_is_one_clear_line(
    campaign: Campaign, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="No such file or directory"):
        run("export_deliveries", str(campaign.pk), "--csv", str(tmp_path / "none" / "out.csv"))


def test_verification_prints_what_disagrees_and_fails(campaign: Campaign) -> None:
    make_run(campaign)
    agreed = json.loads(run("verify_ledger", "--json"))
    Delivery.objects.filter(address="r0001@example.org").update(state="failed")

    output = io.StringIO()
    with pytest.raises(CommandError, match="4 disagreements in 1 runs"):
        call_command("verify_ledger", stdout=output)

    assert agreed["disagreements"] == []
    assert "failed: the counter says 0, the ledger has 1 rows" in output.getvalue()

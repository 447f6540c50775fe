"""The questions of `benchmark_reports`: how long each page of a report takes, in a long history."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign, CampaignStatus, Run, RunStatus, Sender
from config.benchmark import console, machine, report
from recipients import consent
from recipients.models import MailingList, Recipient, Tracking
from templates_app.services import create_template, freeze
from tracking import recounting
from tracking.models import Delivery, DeliveryState, Link
from tracking.tallying import sent

RUNS = 20  # of ten campaigns; the first run of all has half of the messages, the second a third
CAMPAIGNS = 10
LINKS = 20
BLOCK = 50_000  # consents
LIST = "Everybody"
HITS_OF_A_READER = 1.2
# Of 65,536 hits, those of machines: lists are slowest where they look for the few among millions.
HARDLY, USUAL, ALL_BUT = 1, 26_214, 65_535
LIMIT = 0.3  # seconds
ROUNDS = 5

# A number below 65,536 for each row, the same each time; another one for each salt.
_CHANCE = "(hashint8extended({id}, {salt}) & 65535)"


def _chance(salt: int, id_: str = "delivery.id") -> str:
    return _CHANCE.format(id=id_, salt=salt)


# A few large domains, and tens of thousands with somebody each.
_RECIPIENTS = f"""
INSERT INTO recipients_recipient
       (address, key, domain, needs_smtputf8, fields, language, time_zone, created_at, updated_at)
SELECT 'r' || n || '@' || domain, 'r' || n || '@' || domain, domain, false, '{{}}', 'en', '',
       now(), now()
  FROM generate_series(1, %(recipients)s::bigint) AS n,
       LATERAL (SELECT 'd' || floor(100000 * ({_chance(0, "n")} / 65536::float8) ^ 4) || '.example'
                       AS domain) AS place
"""
# All of them came to the list within half a year.
_CONSENTS = f"""
WITH happened AS (
    SELECT sha256(n::text::bytea) AS subject, %(before)s + n AS recipient_id,
           %(list)s AS mailing_list_id,
           'list' AS purpose, 'confirmed' AS action, 'form' AS source, NULL::bytea AS wording,
           NULL::bytea AS detail,
           now() - interval '180 days' * (1 - n / %(recipients)s::float8) AS occurred_at
      FROM generate_series(%(first)s::bigint, least(%(first)s + {BLOCK} - 1, %(recipients)s)) AS n
), {consent.EVENTS} {consent.WRITTEN}
"""
_DELIVERIES = f"""
INSERT INTO tracking_delivery (run_id, recipient_id, address, key, domain, state, finished_at)
SELECT %(run)s, id, address, key, domain,
       CASE WHEN {_chance(1, "id")} %% 200 = 0 THEN 'failed' ELSE 'sent' END,
       %(at)s::timestamptz + (id %% 3600) * interval '1 second'
  FROM recipients_recipient WHERE id <= %(before)s + %(count)s ORDER BY id
"""
# Two in five are opened; in one of five of these somebody clicks; so many of 65,536 are machines.
_HITS = f"""
INSERT INTO tracking_hit
       (id, kind, run_id, delivery_id, link_number, at, verdict, rules, is_head, from_scanner)
SELECT delivery.id * 2 + is_click, CASE is_click WHEN 0 THEN 'open' ELSE 'click' END, run_id,
       delivery.id, CASE is_click WHEN 1 THEN {_chance(3)} %% %(links)s END,
       finished_at + interval '240 hours' * ({_chance(4)} / 65536::float8) ^ 4,
       CASE WHEN {_chance(5)} < %(machines)s THEN 'machine' ELSE 'person' END, 1, false, false
  FROM tracking_delivery AS delivery,
       generate_series(0, ({_chance(6)} %% 5 = 0)::int) AS is_click
 WHERE run_id = %(run)s AND state = 'sent' AND {_chance(2)} < 65536 * %(opened)s
"""
# One in twenty bounces, one in a thousand unsubscribes, one in ten thousand complains.
_EVENTS = f"""
INSERT INTO tracking_deliveryevent
       (delivery_id, run_id, recipient_id, kind, category, is_hard, source, source_key, at,
        counted_at)
SELECT delivery.id, run_id, recipient_id, kind, category, kind = 'bounced' AND delivery.id %% 2 = 0,
       'mail', kind || delivery.id, finished_at + interval '1 hour', now()
  FROM tracking_delivery AS delivery,
       LATERAL (SELECT (array['invalid_address', 'mailbox_full', 'rate', 'unknown'])
                       [1 + delivery.id %% 4] AS why) AS reason,
       LATERAL (VALUES ('failed', why, state = 'failed'),
                       ('bounced', why, state = 'sent' AND {_chance(7)} %% 20 = 0),
                       ('unsubscribed', '', state = 'sent' AND {_chance(8)} %% 1000 = 0),
                       ('complained', '', state = 'sent' AND {_chance(9)} %% 10000 = 0))
            AS told (kind, category, is_so)
 WHERE run_id = %(run)s AND is_so
"""
# Celery's words of the newest runs: older ones are deleted (TASK_RESULT_DAYS).
_TASK_RESULTS = """
INSERT INTO django_celery_results_taskresult
       (task_id, task_name, status, content_type, content_encoding, result, date_created, date_done)
SELECT task_id::text, 'campaigns.deliver',
       CASE state WHEN 'sent' THEN 'SUCCESS' ELSE 'FAILURE' END,
       'application/json', 'utf-8', '{"state": "' || state || '"}', finished_at, finished_at
  FROM tracking_delivery WHERE run_id = %(run)s AND %(is_new)s
"""
_COUNTERS = """
INSERT INTO tracking_runcounters (run_id, sent, failed)
SELECT %(run)s, count(*) FILTER (WHERE state = 'sent'), count(*) FILTER (WHERE state = 'failed')
  FROM tracking_delivery WHERE run_id = %(run)s
"""
_ANALYZE = "ANALYZE tracking_delivery, tracking_hit, tracking_deliveryevent"
_OF_A_RUN = (_DELIVERIES, _HITS, _EVENTS, _TASK_RESULTS, _COUNTERS, _ANALYZE)


@dataclass(frozen=True, slots=True)
class Measured:
    page: str
    queries: int
    seconds: float
    """The median."""
    slowest: float
    cold: float
    """The first time, after PostgreSQL was started anew."""

    @property
    def all_seconds(self) -> tuple[float, float, float]:
        return self.seconds, self.slowest, self.cold


def make_history(deliveries: int, events: int, *, say: Callable[[str], object]) -> list[Run]:
    """Write so many messages and hits, and their sums as the product makes them; return the runs.

    The first run has half of the messages, the others share the rest.
    """
    half, third = deliveries // 2, deliveries // 3
    rest = (deliveries - half - third) // (RUNS - 2)
    sizes, machines = [half, third, *[rest] * (RUNS - 2)], [HARDLY, ALL_BUT, *[USUAL] * (RUNS - 2)]
    runs = _runs(len(sizes))
    opened = events / HITS_OF_A_READER / deliveries
    with connection.cursor() as cursor:
        cursor.execute(_RECIPIENTS, {"recipients": sizes[0]})
        before = Recipient.objects.earliest("pk").pk - 1
        _make_consents(cursor, sizes[0], before=before)
        for run, size, programs in zip(runs, sizes, machines, strict=True):
            say(f"run {run.pk}: {size:,} deliveries")
            values = {"run": run.pk, "at": run.started_at, "count": size, "before": before}
            values |= {"links": LINKS, "machines": programs, "is_new": size == rest}
            for statement in _OF_A_RUN:
                cursor.execute(statement, {**values, "opened": opened})
            sent.recount(run.pk)
            recounting.differences(run.pk, now=timezone.now(), repair=True)
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")
    return runs


def _make_consents(cursor: Any, recipients: int, *, before: int) -> None:
    everybody = MailingList.objects.create(name=LIST)
    values = {"recipients": recipients, "before": before, "list": everybody.pk}
    for first in range(1, recipients + 1, BLOCK):
        with transaction.atomic():
            cursor.execute(_CONSENTS, {**values, "first": first})
            consent.seal([consent.Written(*cursor.fetchone())], now=timezone.now())


def _runs(count: int) -> list[Run]:
    links = "".join(f'<p><a href="https://a.example/{n}">Page {n}</a></p>' for n in range(LINKS))
    html = f"<p>Hello {{{{ first_name | default('there') }}}}</p>{links}"
    leave = '<a href="{{ unsubscribe_url }}">Leave</a>'
    template = create_template("News", subject="News", source=html + leave, text="", known=())
    version, now = freeze(template), timezone.now()
    for number in range(LINKS):
        target, label = f"https://a.example/{number}", f"Page {number}"
        Link.objects.create(version=version, number=number, target=target, label=label)
    sender = Sender.objects.create(address="news@example.org")
    campaigns = [
        Campaign.objects.create(
            name=f"Campaign {n}",
            sender=sender,
            template=template,
            status=CampaignStatus.FINISHED,
        )
        for n in range(CAMPAIGNS)
    ]
    return [
        Run.objects.create(
            campaign=campaigns[number % CAMPAIGNS],
            version=version,
            occurrence=now - timedelta(days=40 - number),
            status=RunStatus.COMPLETED,
            tracking=Tracking.FULL,
            started_at=now - timedelta(days=40 - number),
            finished_at=now - timedelta(days=40 - number, hours=-1),
        )
        for number in range(count)
    ]


def pages(runs: Sequence[Run]) -> dict[str, str]:
    """Return the address of each page, of the largest run and of its campaign."""
    run, campaign = runs[0], runs[0].campaign
    deliveries = Delivery.objects.of_run(run.pk)
    middle = deliveries.earliest("pk").pk + deliveries.count() // 2
    people = reverse("campaigns:run_report_people", args=[run.pk])
    compared = "&".join(f"id={each.campaign_id}" for each in runs[:CAMPAIGNS])
    mailing_list = MailingList.objects.get(name=LIST)
    recipient = Recipient.objects.earliest("pk")
    found = {
        f"{kind}: {page or 'overview'}": reverse(
            f"campaigns:{kind}_report{page and f'_{page}'}", args=[of.pk]
        )
        for kind, of in (("run", run), ("campaign", campaign))
        for page in ("", "links", "domains", "failures")
    }
    for did in ("opened", "clicked", "machines", "unsubscribed", "complained", "bounced", "failed"):
        found[f"who {did}"] = f"{people}?did={did}"
        found[f"who {did}, from the middle"] = f"{people}?did={did}&after={middle}"
    # Of the first run hardly any is a machine's, of the second hardly any a person's.
    second = reverse("campaigns:run_report_people", args=[runs[1].pk])
    for did in ("opened", "clicked", "machines"):
        found[f"who {did}, second run"] = f"{second}?did={did}"
    found["who clicked link 8, second run"] = f"{second}?did=clicked&link=7"
    found["who clicked link 8"] = f"{people}?did=clicked&link=7&after={middle}"
    found["one recipient of the run"] = f"{people}?address={recipient.address}"
    found["nobody of the run"] = f"{people}?address=nobody@example.org"
    found["comparison of ten"] = f"{reverse('campaigns:report_comparison')}?{compared}"
    found["history of a recipient"] = reverse("campaigns:recipient_history", args=[recipient.pk])
    growth = reverse("campaigns:list_growth", args=[mailing_list.pk])
    found |= {"growth of a list": growth, "growth of a list by week": f"{growth}?by=week"}
    return {**found, **_of_the_ledger(run, recipient.address, middle), **console.pages(run)}


def _of_the_ledger(run: Run, address: str, middle: int) -> Mapping[str, str]:
    ledger = reverse("campaigns:delivery_list")
    found = {
        "run": reverse("campaigns:run_detail", args=[run.pk]),
        "ledger": ledger,
        "ledger, from the middle": f"{ledger}?older={middle}",
        "ledger of an address": f"{ledger}?q={address}",
        "ledger of a run": f"{ledger}?run={run.pk}",
        "ledger, cancelled": f"{ledger}?state=cancelled",
        "ledger of a domain": f"{ledger}?q=nobody.example",
        "message": reverse("campaigns:delivery_detail", args=[middle]),
    }
    for state in DeliveryState.values:
        found[f"ledger of a run, {state}"] = f"{ledger}?run={run.pk}&state={state}"
    found["dashboard"] = reverse("campaigns:dashboard")
    found["campaigns"] = reverse("campaigns:campaign_list")
    found["calendar"] = reverse("campaigns:campaign_calendar")
    return found


def measure(asked: Mapping[str, str], *, restart: Callable[[], object]) -> Iterator[Measured]:
    """Get each page some times, as a member of staff does: once cold, then with all in memory.

    :param restart: starts PostgreSQL anew, so that it remembers nothing; the system's cache stays
    """
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_user("root", is_staff=True, is_superuser=True))
    for name, path in asked.items():
        restart()
        connection.ensure_connection()
        queries, cold = _timed(client, path)
        times = [_timed(client, path)[1] for _ in range(ROUNDS)]
        yield Measured(name, queries, statistics.median(times), max(times), cold)


def _timed(client: Client, path: str) -> tuple[int, float]:
    start = time.perf_counter()
    return _get(client, path), time.perf_counter() - start


def _get(client: Client, path: str) -> int:
    """Get a page; return how many queries it took."""
    count = 0

    def counted(execute: Callable[..., object], *arguments: object) -> object:
        nonlocal count
        count += 1
        return execute(*arguments)

    with connection.execute_wrapper(counted):
        answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    return count


def run(
    deliveries: int,
    events: int,
    *,
    restart: Callable[[], object],
    say: Callable[[str], object],
) -> bool:
    """Make the history, get the pages, say what was found; False where one took too long."""
    for line in report.named(machine.describe()):
        say(line)
    say(f"\nmaking {deliveries:,} deliveries and {events:,} hits")
    asked = pages(make_history(deliveries, events, say=say))
    found = list(measure(asked, restart=restart))
    said(found, say=say)
    return all(one.seconds < LIMIT for one in found)


def said(found: Sequence[Measured], *, say: Callable[[str], object]) -> None:
    """Say how long pages took."""
    head = ("page", "queries", "ms", "slowest", "cold")
    cells = [
        (one.page, str(one.queries), *(f"{each * 1000:.0f}" for each in one.all_seconds))
        for one in found
    ]
    for line in ("", *report.table([head, *cells])):
        say(line)

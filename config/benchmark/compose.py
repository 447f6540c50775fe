"""What one message costs before it is sent: rendering, links and MIME, by its content."""

import io
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from campaigns.models import Run
from campaigns.sending.attached import Named
from campaigns.sending.claim import Claimed
from campaigns.sending.mailing import Mailing
from campaigns.services import create_campaign, get_sender
from config.benchmark.report import table
from config.rig import message
from config.rig.audience import FIELDS
from recipients.models import Field, Tracking, TrackingConsent
from recipients.services import get_list
from templates_app.media import library
from templates_app.models import TemplateVariant
from templates_app.services import create_template, freeze

_REPEATS = 9
_PLACES = ["Nome", "Suva", "Hobart", "Hà Nội", "Lisbon"]
_TAGS = """
<p>{{ seen | date("long") }}: {{ count | number }} {{ count | plural("bird", "birds") }},
{{ fee | money("EUR") }}</p>
<ul>{% for bird in birds | split %}<li>{{ bird | title | truncate(20) }}</li>{% endfor %}</ul>
{% if member %}<p>Thank you, {{ first_name | upper }}.</p>{% endif %}
"""
_MORE_FIELDS = ("seen", "count", "fee", "birds", "member")


@dataclass(frozen=True, slots=True)
class Case:
    """A content, and what its recipients read."""

    name: str
    source: str
    languages: Mapping[str, str] = field(default_factory=dict)  # sources by language
    attached: int = 0  # bytes
    tracking: Tracking = Tracking.OFF


@dataclass(frozen=True, slots=True)
class Cost:
    name: str
    octets: int
    microseconds: list[float]  # of a message, one for each repeat

    @property
    def median(self) -> float:
        return statistics.median(self.microseconds)

    def as_dict(self) -> dict[str, object]:
        return {"case": self.name, "bytes": self.octets, "microseconds": self.microseconds}


def cases() -> list[Case]:
    """Return what is measured, among it the message of `benchmark_send`."""
    tracked = message.personal_source()
    common = message.source().replace("{{ token }}", "shore")
    return [
        Case("links that are the same for all", common),
        Case("the same, measured anonymously", common, tracking=Tracking.ANONYMOUS),
        Case("the same, measured in full", common, tracking=Tracking.FULL),
        Case("links of the recipient's own (benchmark message)", tracked),
        Case(
            "the same in three languages",
            tracked,
            {tag: tracked.replace("Good morning", word) for tag, word in _GREETINGS.items()},
        ),
        Case("with a file of 100 KB", tracked, attached=100_000),
        Case("with filters, a condition and a loop", tracked.replace("</h1>", f"</h1>{_TAGS}", 1)),
    ]


_GREETINGS = {"pt": "Bom dia", "vi": "Chào buổi sáng"}


def measure(messages: int) -> list[Cost]:
    """Compose so many different messages of each case, in turns, in processor time.

    Needs a database that is empty but for its tables.
    """
    Field.objects.bulk_create(
        [Field(name=name) for name in (*FIELDS, *_MORE_FIELDS)], ignore_conflicts=True
    )
    prepared = [(case, _mailing(case)) for case in cases()]
    costs = [Cost(case.name, _octets(mailing), []) for case, mailing in prepared]
    for repeat in range(_REPEATS):
        for (case, mailing), cost in zip(prepared, costs, strict=True):
            recipients = list(_recipients(messages, after=repeat * messages, case=case))
            cost.microseconds.append(_timed(mailing, recipients))
    return costs


def lines(costs: list[Cost]) -> list[str]:
    """Return what was found, for people."""
    rows = [["compose, µs of processor time", "median", "from", "to", "bytes"]]
    rows += [
        [
            cost.name,
            f"{cost.median:.1f}",
            f"{min(cost.microseconds):.1f}",
            f"{max(cost.microseconds):.1f}",
            f"{cost.octets:,}",
        ]
        for cost in costs
    ]
    return ["", *table(rows)]


def run(messages: int, *, say: Callable[[str], object]) -> list[Cost]:
    costs = measure(messages)
    for line in lines(costs):
        say(line)
    return costs


def _mailing(case: Case) -> Mailing:
    template = create_template(
        f"Compose: {case.name}",
        subject=message.SUBJECT,
        source=case.source,
        known=(*FIELDS, *_MORE_FIELDS),
    )
    TemplateVariant.objects.bulk_create(
        TemplateVariant(template=template, language=tag, subject=message.SUBJECT, source=source)
        for tag, source in case.languages.items()
    )
    sender = get_sender(message.SENDER)
    campaign = create_campaign(
        f"Compose: {case.name}", sender=sender, template=template, lists=[get_list("Compose")]
    )
    run = Run(
        campaign=campaign,
        version=freeze(template),
        sender_domain=sender.domain,
        tracking=case.tracking,
    )
    return Mailing(run, files=_files(case.attached))


def _files(size: int) -> tuple[Named, ...]:
    if not size:
        return ()
    text = b"low water 06:12, high water 12:31\n" * (size // 34)
    file = library.upload(io.BytesIO(text), name="tides.txt", folder="", by="")
    return (Named(file.blob_id, file.name),)


def _octets(mailing: Mailing) -> int:
    [first] = _recipients(1, after=0, case=cases()[-1])
    composed, _ = mailing.message(first, now=_NOW)
    return len(composed.data) + len(composed.tail)


_NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


def _recipients(count: int, *, after: int, case: Case) -> Iterator[Claimed]:
    languages = ["", *case.languages]
    for number in range(after + 1, after + count + 1):
        fields = {
            "first_name": f"Ada{number}",
            "last_name": f"Knot{number % 97}",
            "city": _PLACES[number % len(_PLACES)],
            "seen": f"2026-03-{number % 28 + 1:02}",
            "count": number % 40,
            "fee": number % 300 / 4,
            "birds": "turnstone, sanderling, bar-tailed godwit",
            "member": bool(number % 2),
        }
        language = languages[number % len(languages)]
        address, consent = f"r{number}@d{number % 50}.example", TrackingConsent.GRANTED
        yield Claimed(number, address, fields, 1, language, tracking_consent=consent)


def _timed(mailing: Mailing, recipients: list[Claimed]) -> float:
    begun = time.process_time()
    for recipient in recipients:
        mailing.message(recipient, now=_NOW)
    return (time.process_time() - begun) / len(recipients) * 1e6

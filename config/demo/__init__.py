"""The demo: a list of a thousand invented people, a newsletter, a campaign in five seconds."""

import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, product
from pathlib import Path

from django.utils import timezone

from campaigns.models import Campaign
from campaigns.services import create_campaign, get_sender, schedule
from recipients.importing.at_once import import_file
from recipients.models import Field, MailingList
from templates_app.models import EmailTemplate
from templates_app.services import create_template

LIST = "Flyway readers"
RECIPIENTS = 1_000
TEMPLATE = "Flyway newsletter"
SENDER = "The Flyway <news@flyway.example>"
SUBJECT = "{{ first_name }}, they have left Alaska"
DELAY = timedelta(seconds=5)

# fmt: off
_FIRST_NAMES = (
    "Ada", "Ben", "Chi", "Dao", "Eva", "Finn", "Gus", "Hana", "Ida", "Jun", "Kofi", "Lan", "Mai",
    "Nils", "Ola", "Pia", "Quinn", "Rosa", "Sam", "Tara", "Uma", "Vera", "Wim", "Xenia", "Yara",
    "Zoë", "José", "Anaïs", "Jürgen", "Søren", "Łucja", "Thảo", "美咲", "Иван", "Δήμητρα",
)
_LAST_NAMES = (
    "Adler", "Brook", "Crane", "Drake", "Egret", "Finch", "Grebe", "Heron", "Ibis", "Jay", "Knot",
    "Lark", "Martin", "Nightingale", "Owl", "Petrel", "Quail", "Raven", "Swan", "Tern", "Umber",
    "Vireo", "Wren", "Yellowlegs", "Zander", "Avocet", "Bittern", "Curlew", "Dunlin",
)
_CITIES = (
    "Nome", "Anchorage", "Honolulu", "Suva", "Auckland", "Christchurch", "Hobart", "Hanoi",
    "Berlin", "Lisbon",
)
# fmt: on


def has_campaign() -> bool:
    """Whether this installation has ever had one: then it is nobody's first look any more."""
    return Campaign.objects.exists()


def create(*, now: datetime) -> Campaign:
    """Schedule a campaign for `DELAY` from now; load the list and the newsletter if need be."""
    campaign = create_campaign(
        f"The Flyway, {now:%d %B %Y, %H:%M}",
        sender=get_sender(SENDER),
        lists=[_mailing_list()],
        template=_template(),
    )
    return schedule(campaign, now=now, at=now + DELAY)


def _mailing_list() -> MailingList:
    mailing_list, created = MailingList.objects.get_or_create(
        name=LIST, defaults={"description": "A thousand invented people, at a reserved domain."}
    )
    if created:
        csv = io.BytesIO("\n".join(_csv_lines()).encode())
        done = import_file(csv, name="demo.csv", mailing_list=mailing_list, clock=timezone.now)
        if done.invalid:
            raise AssertionError(f"the demo's own list has {done.invalid} bad rows")
    return mailing_list


def _template() -> EmailTemplate:
    return EmailTemplate.objects.filter(name=TEMPLATE).first() or create_template(
        TEMPLATE,
        subject=SUBJECT,
        source=Path(__file__).with_name("newsletter.html").read_text(encoding="utf-8"),
        known=list(Field.objects.values_list("name", flat=True)),
    )


def _csv_lines() -> Iterator[str]:
    # Addresses are numbered, because names are not unique; .example is nobody's (RFC 2606).
    yield "email,first_name,last_name,city"
    people = islice(product(_LAST_NAMES, _FIRST_NAMES), RECIPIENTS)
    for number, (last, first) in enumerate(people, start=1):
        city = _CITIES[number % len(_CITIES)]
        yield f"{last.lower()}.{number:04}@readers.example,{first},{last},{city}"

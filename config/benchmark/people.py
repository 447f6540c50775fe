"""The question of `benchmark_people`: how long staff wait for the lists of many recipients."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import connection

from config.benchmark import machine, report
from config.benchmark.reports import measure, said
from config.benchmark.segments import make_base
from recipients.models import MailingList, Recipient, Segment, Tag

LIMIT = 0.2  # seconds that a page may take: the median

# One in twenty.
_SUPPRESSED = """
INSERT INTO recipients_suppression (key, reason, source, created_at)
SELECT key, 'bounce', '550 5.1.1', now() FROM recipients_recipient WHERE id % 20 = 3
"""


def pages(large: MailingList, small: MailingList, tag: Tag) -> Mapping[str, str]:
    """Return the address of each page that lists people, and of what it lists them by."""
    middle = Recipient.objects.order_by("pk")[Recipient.objects.count() // 2].pk
    rules = {
        "match": "all",
        "rules": [
            {"about": "field:city", "operator": "is", "value": "City 7"},
            {"about": "list", "operator": "on", "value": large.pk},
        ],
    }
    segment = Segment.objects.create(name="Of a city", rules=rules)
    asked = {
        "all": "",
        "all, from the middle": f"older={middle}",
        "a large list": f"list={large.pk}",
        "a large list, from the middle": f"list={large.pk}&older={middle}",
        "a small list": f"list={small.pk}",
        "who has left a list": f"list={large.pk}&state=unsubscribed",
        "nobody of a list": f"list={large.pk}&state=pending",
        "a tag": f"tag={tag.pk}",
        "a tag and a list": f"tag={tag.pk}&list={small.pk}",
        "a segment": f"segment={segment.pk}",
        "suppressed": "suppressed=yes",
        "not suppressed": "suppressed=no",
        "not suppressed, of a list": f"suppressed=no&list={large.pk}",
        "one address": "q=r555555@d5.example",
        "a beginning of addresses": "q=r1",
        "a beginning of addresses, of a list": f"q=r1&list={large.pk}",
        "nobody's address": "q=zzz",
        "a field": "q=city:City 7",
    }
    return {
        **{f"recipients: {name}": f"/recipients/?{query}" for name, query in asked.items()},
        "a recipient": f"/recipients/{middle}/",
        "lists": "/lists/",
        "a large list": f"/lists/{large.pk}/",
        "segments": "/segments/",
        "suppression": "/suppression/",
        "suppression: one address": "/suppression/?q=r3@d3.example",
        "suppression: a beginning": "/suppression/?q=r1",
        "suppression: a reason that nobody has": "/suppression/?reason=complaint",
        "suppression: domains": "/suppression/?domains=on",
        "imports": "/imports/",
        "exports": "/exports/",
    }


def run(recipients: int, *, restart: Callable[[], object], say: Callable[[str], object]) -> bool:
    """Make the recipients, get the pages, say what was found; False where one took too long."""
    for line in report.named(machine.describe()):
        say(line)
    say(f"\nmaking {recipients:,} recipients")
    base: Any = make_base(recipients)
    with connection.cursor() as cursor:
        cursor.execute(_SUPPRESSED)
        cursor.execute("VACUUM (ANALYZE)")
    found = list(measure(pages(*base), restart=restart))
    said(found, say=say)
    return all(one.seconds < LIMIT for one in found)

"""Sums of what came back, by run, link, hour, domain and reason; `tracking.tallying` writes them.

Each can be made anew from hits, events and the ledger, and `verify_tracking` does so. Of opens and
clicks, `people` is the number of recipients of whom a person's hit is known, `unique` that of
recipients with any hit, `total` the number of hits.
"""

from typing import Self

from django.db import models
from django.db.models import Case, F, Q, Value, When

from tracking.models.hits import Verdict


def _count() -> "models.PositiveIntegerField[int, int]":
    return models.PositiveIntegerField(default=0, db_default=0)


_CLICKED = Q(clicked_by_person_at__isnull=False)
# Whom a message has reached, as far as that can be told; who clicks has opened.
_REACHED = Case(
    When(Q(opened_by_person_at__isnull=False) | _CLICKED, then=Value(Verdict.PERSON.value)),
    When(
        Q(opened_at__isnull=False) | Q(clicked_at__isnull=False), then=Value(Verdict.MACHINE.value)
    ),
    default=Value(""),
    output_field=models.CharField(),
)
_DID = {
    "opened": Q(reached=Verdict.PERSON.value),
    "clicked": _CLICKED,
    "machines": Q(reached=Verdict.MACHINE.value),
    "bounced": Q(bounced_at__isnull=False),
    "complained": Q(complained_at__isnull=False),
    "unsubscribed": Q(unsubscribed_at__isnull=False),
    "failed": ~Q(failure=""),
}
# Few of a large run do so.
_RARELY_DID = ("clicked", "bounced", "complained", "unsubscribed", "failed")


class ResponseQuerySet(models.QuerySet["Response"]):
    def that(self, did: str) -> Self:
        """Of who did this, or whom it befell; opens and clicks are those of people."""
        return self.alias(reached=_REACHED).filter(_DID[did])


class Response(models.Model):
    """What came back for one delivery; there is none where nothing did."""

    delivery = models.OneToOneField(
        "tracking.Delivery",
        on_delete=models.CASCADE,
        primary_key=True,
        db_constraint=False,
        related_name="response",
    )
    run = models.ForeignKey(
        "campaigns.Run", on_delete=models.CASCADE, db_index=False, db_constraint=False
    )
    opens = _count()
    clicks = _count()
    # The first one, and the first that was a person's.
    opened_at = models.DateTimeField(null=True)
    opened_by_person_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)
    clicked_by_person_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)
    is_hard = models.BooleanField(default=False, db_default=False)  # one of its bounces was
    delivered_at = models.DateTimeField(null=True)
    complained_at = models.DateTimeField(null=True)
    unsubscribed_at = models.DateTimeField(null=True)
    # As ReasonTally counts them: a Category each, of the first bounce or of a hard one, and a
    # DepartureReason, as far as one was told.
    failure = models.CharField(max_length=17, blank=True, db_default="")
    bounce = models.CharField(max_length=17, blank=True, db_default="")
    departure = models.CharField(max_length=12, blank=True, db_default="")

    objects = ResponseQuerySet.as_manager()

    class Meta:
        indexes = [
            # verifying a run; a page of those who opened it, in order, or of those whom machines
            # alone did: also of the few among millions
            models.Index(F("run"), _REACHED, F("delivery"), name="response_of_run"),
            # a page of those who did it, in order
            *(
                models.Index(
                    fields=["run", "delivery"], name=f"response_{did}", condition=_DID[did]
                )
                for did in _RARELY_DID
            ),
        ]

    def __str__(self) -> str:
        return f"{self.opens} opens, {self.clicks} clicks"


class Reactions(models.Model):
    """The counts that runs, domains and hours have in common."""

    opens_people = _count()
    opens_unique = _count()
    opens_total = _count()
    clicks_people = _count()
    clicks_unique = _count()
    clicks_total = _count()
    bounced_hard = _count()
    bounced_soft = _count()
    delivered = _count()
    complained = _count()
    unsubscribed = _count()

    class Meta:
        abstract = True


class RunTally(Reactions):
    run = models.OneToOneField(
        "campaigns.Run", on_delete=models.CASCADE, primary_key=True, related_name="tally"
    )
    # RunCounters.moved_at when `sent` and `failed` of domains and hours were last counted.
    ledger_counted_to = models.DateTimeField(null=True)
    # Since when its hits are deleted, or being deleted; what comes in later is not kept.
    purged_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.opens_people} opened, {self.clicks_people} clicked"


class DomainTally(Reactions):
    """`sent` and `failed` are counted from the ledger, when a run has come to rest and between."""

    run = models.ForeignKey("campaigns.Run", on_delete=models.CASCADE, db_index=False)
    domain = models.CharField(max_length=253)
    sent = _count()
    failed = _count()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "domain"], name="domain_tally_unique")
        ]
        indexes = [models.Index(fields=["run", "-sent"], name="domain_tally_largest")]

    def __str__(self) -> str:
        return f"{self.domain}: {self.sent} sent"


class HourTally(Reactions):
    """What came in within an hour of UTC; of people and unique ones, the first time counts."""

    run = models.ForeignKey("campaigns.Run", on_delete=models.CASCADE, db_index=False)
    hour = models.DateTimeField()
    sent = _count()
    failed = _count()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "hour"], name="hour_tally_unique")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H} UTC"


class LinkTally(models.Model):
    """Clicks of one place; a recipient counts once in `people` and in `unique`."""

    run = models.ForeignKey("campaigns.Run", on_delete=models.CASCADE, db_index=False)
    number = models.PositiveSmallIntegerField()  # Link.number, of the run's version
    people = _count()
    unique = _count()
    total = _count()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="link_tally_unique")]

    def __str__(self) -> str:
        return f"link {self.number}: {self.people} people"


class ReasonTally(models.Model):
    """Deliveries by what went wrong: `reason` is a Category, or a DepartureReason."""

    run = models.ForeignKey("campaigns.Run", on_delete=models.CASCADE, db_index=False)
    kind = models.CharField(max_length=12)  # EventKind
    reason = models.CharField(max_length=17, blank=True)
    count = _count()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "kind", "reason"], name="reason_tally_unique")
        ]

    def __str__(self) -> str:
        return f"{self.count} {self.kind}: {self.reason}"


class Recount(models.Model):
    """How far the ledger of a run is read to be counted by domain and hour; gone at its end."""

    run = models.OneToOneField(
        "campaigns.Run", on_delete=models.CASCADE, primary_key=True, related_name="recount"
    )
    cursor = models.BigIntegerField(default=0)  # the last recipient's id that was read
    # RunCounters.moved_at when it began: what moved later needs another one.
    moved_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.run}: to recipient {self.cursor}"


class RecountPart(models.Model):
    """What the deliveries of a slice of a Recount count for, until all of them are read.

    Each twice: once by domain, and once by hour.
    """

    # PostgreSQL does not check it: it would lock the row above for each of these.
    recount = models.ForeignKey(Recount, on_delete=models.CASCADE, db_constraint=False)
    domain = models.CharField(max_length=253, null=True)  # noqa: DJ001  "" is a domain: nobody's
    hour = models.DateTimeField(null=True)
    sent = _count()
    failed = _count()

    def __str__(self) -> str:
        return f"{self.hour or self.domain}: {self.sent} sent"

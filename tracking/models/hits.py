"""Opens and clicks, kept as they came in, with what is made of them."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from templates_app.models import TemplateVersion


class Link(models.Model):
    """A place in a version's HTML that leads to a web page; `tracking.registry` writes these.

    Numbered from 0 over all languages of the version, in the order of the places; a target that
    stands in several has a row for each, so that a map of the message tells them apart.
    """

    version = models.ForeignKey(
        TemplateVersion, on_delete=models.CASCADE, related_name="tracked_links", db_index=False
    )
    number = models.PositiveSmallIntegerField()
    language = models.CharField(max_length=35, blank=True)  # of the content that it stands in
    # As it is compiled, link parameters and all; it may have merge tags behind its host.
    target = models.TextField()
    label = models.CharField(max_length=200, blank=True)  # what a reader sees of it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "number"], name="link_number_unique")
        ]

    def __str__(self) -> str:
        return self.label or self.target


class HitKind(models.TextChoices):
    OPEN = "open", pgettext_lazy("a hit", "Open")
    CLICK = "click", pgettext_lazy("a hit", "Click")


class Verdict(models.TextChoices):
    PERSON = "person", _("Person")
    MACHINE = "machine", _("Machine")


class UserAgent(models.Model):
    """What programs call themselves, each once."""

    text = models.CharField(max_length=300)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["text"], name="user_agent_unique")]

    def __str__(self) -> str:
        return self.text


class HitQuerySet(models.QuerySet["Hit"]):
    def of_run(self, run_id: int) -> Self:
        return self.filter(run_id=run_id)

    def counted(self) -> Self:
        """All but HEAD requests, which only ask what a GET would answer (RFC 9110 9.3.2)."""
        return self.filter(is_head=False)


class Hit(models.Model):
    """One request for the pixel or a link of a message; written in batches, judged again at will.

    PostgreSQL does not check its references: a batch of hits is written for many runs at once.
    """

    # Its place in the stream (tracking.hits.stream): a batch that is read twice is written once.
    id = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=5, choices=HitKind)
    run = models.ForeignKey(
        "campaigns.Run", on_delete=models.CASCADE, db_index=False, db_constraint=False
    )
    # None where nobody is to be recognised: the run is measured anonymously.
    delivery = models.ForeignKey(
        "tracking.Delivery",
        on_delete=models.CASCADE,
        null=True,
        db_index=False,
        db_constraint=False,
        related_name="hits",
    )
    link_number = models.PositiveSmallIntegerField(null=True)
    at = models.DateTimeField()
    is_head = models.BooleanField(default=False)
    user_agent = models.ForeignKey(
        UserAgent, on_delete=models.PROTECT, null=True, db_index=False, db_constraint=False
    )
    # 192.0.2.0/24 or 2001:db8::/48, and only where the installation wants that.
    network = models.CharField(max_length=43, blank=True, db_default="")
    # The address was in one of SCANNER_NETWORKS.
    from_scanner = models.BooleanField(default=False)
    verdict = models.CharField(max_length=7, choices=Verdict)
    reason = models.CharField(max_length=20, blank=True, db_default="")  # tracking.judging
    rules = models.PositiveSmallIntegerField()  # the version of the rules that judged it

    objects = HitQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=HitKind.values), name="hit_kind_known"),
            models.CheckConstraint(
                condition=Q(verdict__in=Verdict.values), name="hit_verdict_known"
            ),
            models.CheckConstraint(
                condition=Q(kind=HitKind.OPEN) ^ Q(link_number__isnull=False),
                name="hit_click_has_link",
            ),
        ]
        indexes = [
            # judging: all hits of one message; and each recipient's history
            models.Index(
                fields=["delivery"], name="hit_of_delivery", condition=Q(delivery__isnull=False)
            ),
            # verifying and retention of a run
            models.Index(fields=["run", "id"], name="hit_of_run"),
            # who clicked a link: each once, in order, and none of the machines
            models.Index(
                fields=["run", "link_number", "delivery"],
                name="hit_of_link",
                condition=Q(
                    link_number__isnull=False, delivery__isnull=False, verdict=Verdict.PERSON.value
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.delivery_id or 'somebody'}, {self.verdict}"

from typing import Self

from django.db import models
from django.db.models import OuterRef, Q
from django.utils.translation import gettext_lazy as _

from recipients.recognising import read


class SuppressionReason(models.TextChoices):
    SOFT_BOUNCE = "soft_bounce", _("messages came back again and again")
    BOUNCE = "bounce", _("messages came back")
    COMPLAINT = "complaint", _("Complaint")
    UNSUBSCRIBED = "unsubscribed", _("asked for no mail at all")
    MANUAL = "manual", _("added by staff")
    ERASED = "erased", _("asked to be forgotten")


# What staff may give: an erasure does more, and of soft bounces alone the policy speaks, which may
# take back what it said.
GIVEN_BY_STAFF = (
    SuppressionReason.BOUNCE,
    SuppressionReason.COMPLAINT,
    SuppressionReason.UNSUBSCRIBED,
    SuppressionReason.MANUAL,
)
# A person who asked for it may come back, by a fresh double opt-in; no other reason is theirs.
LIFTED_BY_PERSON = (SuppressionReason.UNSUBSCRIBED, SuppressionReason.ERASED)


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def of_person(self, *, key: str, digest: bytes) -> Self:
        """What is said of one address, known or erased; not of its domain."""
        return self.filter(Q(key=key) | Q(digest=digest))

    def of_outer(self) -> Self:
        """What is said of the recipient that the outer query looks at, or of its domain."""
        return self.filter(key__in=[OuterRef("key"), OuterRef("domain")])

    def domains(self) -> Self:
        """Those that are a whole domain."""
        return self.filter(key__isnull=False).exclude(key__contains="@")

    def liftable(self) -> Self:
        """What the person whose address it is may lift."""
        return self.filter(reason__in=LIFTED_BY_PERSON)

    def lasting(self, *, key: str, domain: str, digest: bytes) -> Self:
        """What stands whatever the person says: complaints, bounces, staff, the domain."""
        of_person = self.of_person(key=key, digest=digest)
        return of_person.exclude(reason__in=LIFTED_BY_PERSON) | self.filter(key=domain)


class Suppression(models.Model):
    """An address, or a domain, that is not to be mailed, whoever asks; it need not be known."""

    # An address as `Recipient.key` has it, or a domain as `Recipient.domain` has it: the one has an
    # @, the other has none. None: of somebody who was erased; then `digest` stands for the address.
    key = models.CharField(_("address or domain"), max_length=254, null=True)  # noqa: DJ001
    # recipients.digests.digest of the key.
    digest = models.BinaryField(max_length=32, null=True, editable=False)
    reason = models.CharField(_("reason"), max_length=12, choices=SuppressionReason)
    source = models.CharField(_("source"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="suppression_key_unique"),
            models.UniqueConstraint(fields=["digest"], name="suppression_digest_unique"),
            models.CheckConstraint(
                condition=Q(key__isnull=True) ^ Q(digest__isnull=True),
                name="suppression_key_or_digest",
            ),
            models.CheckConstraint(
                condition=Q(reason__in=SuppressionReason.values), name="suppression_reason_known"
            ),
        ]
        indexes = [
            # the filter of recipients, and the list of suppressed domains, of which there are few
            models.Index(
                fields=["key"],
                name="suppression_domain",
                condition=Q(key__isnull=False) & ~Q(key__contains="@"),
            )
        ]
        permissions = [("lift_complaint", _("Can lift a suppression that follows a complaint"))]

    def __str__(self) -> str:
        return f"{self.key or 'somebody who was erased'} ({self.reason})"

    @property
    def said(self) -> str:
        """The source; where it is a sentence of ours, in the language of the reader."""
        return read(self.source)


class LiftedSuppression(models.Model):
    """A suppression that was lifted: what it said, who lifted it, and why."""

    key = models.CharField(_("address or domain"), max_length=254)
    reason = models.CharField(max_length=12, choices=SuppressionReason)
    source = models.CharField(max_length=200, blank=True)
    suppressed_at = models.DateTimeField()
    lifted_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=150)  # empty: nobody; it was weighed anew
    why = models.CharField(max_length=500)

    class Meta:
        indexes = [
            # what is known of a person
            models.Index(fields=["key"], name="lifted_suppression_key")
        ]

    def __str__(self) -> str:
        return f"{self.key}, lifted by {self.lifted_by or 'Godwit'}"

    @property
    def said(self) -> str:
        """Why it was lifted; where it is a sentence of ours, in the language of the reader."""
        return read(self.why)

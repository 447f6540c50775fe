"""The consent ledger: rows are added, by `recipients.consent` alone, and never changed.

Triggers of the database refuse UPDATE, DELETE and TRUNCATE (recipients/migrations/0002). No row
names an address: it has a keyed digest, so that it may stay when the person is erased.
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from recipients.recognising import read


class ConsentAction(models.TextChoices):
    GRANTED = "granted", _("Granted")  # asked for it: a form that was sent, a switch that was set
    CONFIRMED = (
        "confirmed",
        _("Confirmed"),
    )  # said so again by the link in a message (double opt-in)
    WITHDRAWN = "withdrawn", _("Withdrawn")
    IMPORTED = "imported", _("Imported")  # somebody else declares that it was given
    ERASED = "erased", _("Erased")


class ConsentPurpose(models.TextChoices):
    LIST = "list", _("messages of a list")
    TRACKING = "tracking", _("measuring opens and clicks")
    EVERYTHING = "everything", _("any message")


class ConsentWording(models.Model):
    """What a person read and agreed to, word for word; changed words are another row."""

    digest = models.BinaryField(max_length=32, primary_key=True)  # SHA-256 of language, LF, text
    language = models.CharField(max_length=35, blank=True)  # BCP 47
    text = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.text


class ConsentBlock(models.Model):
    """The events of one statement: a link of the chain.

    `content` is SHA-256 of its events (recipients.consent.CONTENT says how), `hash` that of the
    hash before it and of `content`; the first one follows 32 zero bytes.
    """

    number = models.BigIntegerField()  # its place in the chain: 1, 2, 3, …
    previous_hash = models.BinaryField(max_length=32)
    content = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    events = models.PositiveIntegerField()
    # Its events are among these; of others, written at the same time, some may be, too.
    first_event = models.BigIntegerField()
    last_event = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Two blocks cannot follow the same one: the chain has no fork.
            models.UniqueConstraint(fields=["number"], name="consent_block_no_fork")
        ]

    def __str__(self) -> str:
        return f"{self.events} events, {bytes(self.hash).hex()}"


class ConsentEvent(models.Model):
    # PostgreSQL does not check it: verify_consent_chain does, and an import writes millions.
    block = models.ForeignKey(
        ConsentBlock,
        on_delete=models.DO_NOTHING,
        db_index=False,
        db_constraint=False,
        related_name="contents",
    )
    # recipients.digests.digest of the address: who it is, for somebody who has the address.
    subject = models.BinaryField(max_length=32)
    # No foreign keys: these rows stay when those are gone, and nobody gets their ids again.
    recipient_id = models.BigIntegerField(null=True)
    mailing_list_id = models.BigIntegerField(null=True)
    purpose = models.CharField(max_length=10, choices=ConsentPurpose)
    action = models.CharField(max_length=9, choices=ConsentAction)
    # How it came here: a form, an import, the unsubscribe link, a member of staff; no address.
    source = models.CharField(max_length=300)
    # The wording that was shown: ConsentWording.digest. No foreign key, for the reason above.
    wording = models.BinaryField(max_length=32, null=True)
    # SHA-256 of what ConsentDetail holds, whose salt goes with it.
    detail = models.BinaryField(max_length=32, null=True)
    occurred_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(purpose__in=ConsentPurpose.values), name="consent_purpose_known"
            ),
            models.CheckConstraint(
                condition=Q(action__in=ConsentAction.values), name="consent_action_known"
            ),
            models.CheckConstraint(
                condition=Q(purpose=ConsentPurpose.LIST) ^ Q(mailing_list_id__isnull=True),
                name="consent_list_named",
            ),
        ]
        indexes = [
            # the history of a person
            models.Index(fields=["recipient_id"], name="consent_of_recipient"),
        ]

    def __str__(self) -> str:
        return f"{self.action}: {self.purpose}, {self.source}"

    @property
    def said(self) -> str:
        """The source; where it is a sentence of ours, in the language of the reader."""
        return read(self.source)


class ConsentTally(models.Model):
    """How many events of a list a day of UTC has, by what was said: how the list grows."""

    mailing_list_id = models.BigIntegerField()  # no foreign key, like the events
    day = models.DateField()
    action = models.CharField(max_length=9, choices=ConsentAction)
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["mailing_list_id", "day", "action"], name="consent_tally_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.count} {self.action}"


class ConsentDetail(models.Model):
    """From where a person spoke. May be deleted: the event keeps a salted digest, and its truth."""

    event = models.OneToOneField(
        ConsentEvent, on_delete=models.DO_NOTHING, db_constraint=False, primary_key=True
    )
    salt = models.BinaryField(max_length=16)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            # retention: the oldest first
            models.Index(fields=["created_at"], name="consent_detail_age")
        ]

    def __str__(self) -> str:
        return self.ip or "unknown"

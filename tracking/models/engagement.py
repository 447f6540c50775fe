"""What recipients did last, in the form that segments ask for."""

from django.db import models
from django.db.models import Q


class Engagement(models.Model):
    """What a recipient did with the message of a run; `tracking.engagement` writes it."""

    run = models.ForeignKey("campaigns.Run", on_delete=models.CASCADE, db_index=False)
    recipient = models.ForeignKey("recipients.Recipient", on_delete=models.CASCADE)
    # The first time that a person did, as far as that can be told from a scanner.
    opened_at = models.DateTimeField(null=True)
    clicked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "recipient"], name="engagement_unique"),
            models.CheckConstraint(
                condition=Q(opened_at__isnull=False) | Q(clicked_at__isnull=False),
                name="engagement_says_something",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient}, {self.run}"


class Activity(models.Model):
    """When a recipient was last mailed, last opened a message and last clicked; for segments.

    The last time says all that they ask: who was mailed in one of the last five runs was mailed in
    a run that is no older than the fifth.
    """

    recipient = models.OneToOneField(
        "recipients.Recipient", on_delete=models.CASCADE, primary_key=True
    )
    mailed_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)  # or clicked: who clicks has opened
    clicked_at = models.DateTimeField(null=True)
    # The newest run: its id, which grows with each.
    mailed_run = models.BigIntegerField(null=True)
    opened_run = models.BigIntegerField(null=True)
    clicked_run = models.BigIntegerField(null=True)

    class Meta:
        verbose_name_plural = "activities"

    def __str__(self) -> str:
        return f"{self.recipient}, last mailed {self.mailed_at or 'never'}"


class Fold(models.Model):
    """How far the deliveries of a run are folded into Activity."""

    run = models.OneToOneField(
        "campaigns.Run", on_delete=models.CASCADE, primary_key=True, related_name="fold"
    )
    cursor = models.BigIntegerField(default=0)  # the last recipient's id of this pass
    # RunCounters.moved_at when the pass began: what moved later needs another one.
    moved_at = models.DateTimeField()
    folded_at = models.DateTimeField(null=True)  # the end of the last whole pass

    def __str__(self) -> str:
        return f"{self.run}: {self.folded_at or 'under way'}"

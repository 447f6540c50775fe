from django.db import models

from recipients.models.people import Recipient


class Merge(models.Model):
    """Another row of the same person, which became a part of this one.

    By it the events of the consent ledger under the former id are found, and what was mailed to
    the former address; it goes with the recipient.
    """

    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="merges")
    former_id = models.BigIntegerField()
    former_address = models.CharField(max_length=254)
    former_key = models.CharField(max_length=254)
    merged_by = models.CharField(max_length=150)
    merged_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["former_id"], name="merge_former_unique"),
        ]
        indexes = [
            # privacy.person, and imports, which do not make its row anew
            models.Index(fields=["former_key"], name="merge_former_key")
        ]

    def __str__(self) -> str:
        return f"{self.former_address}, now a part of {self.recipient}"

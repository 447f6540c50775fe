"""What staff do with tags."""

from django.db.models import QuerySet

from recipients.models import Recipient, Tag, Tagging


def add_tag(recipients: "QuerySet[Recipient]", tag: Tag) -> int:
    """Put a tag on recipients who do not have it yet; return how many have it now."""
    taggings = [Tagging(tag=tag, recipient_id=pk) for pk in recipients.values_list("pk", flat=True)]
    return len(Tagging.objects.bulk_create(taggings, ignore_conflicts=True))


def remove_tag(recipients: "QuerySet[Recipient]", tag: Tag) -> int:
    """Take a tag off recipients; return from how many."""
    ids = list(recipients.values_list("pk", flat=True))
    deleted, _ = Tagging.objects.filter(tag=tag, recipient__in=ids).delete()
    return deleted

"""What the ledger says against undoing an import."""

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from recipients.models import Import, Recipient
from tracking.models import Delivery


def sent_to_its_recipients(importing: Import) -> str:
    """Return why an import cannot be undone: something was sent to whom it brought; or nothing."""
    attempted = Delivery.objects.filter(recipient=OuterRef("pk"), attempts__gt=0)
    if Recipient.objects.filter(Exists(attempted), imported_by=importing).exists():
        return _("recipients that it brought were sent something")
    return ""

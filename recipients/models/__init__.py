"""Who may be mailed, why, and who may not."""

from recipients.models.consent import (
    ConsentAction,
    ConsentBlock,
    ConsentDetail,
    ConsentEvent,
    ConsentPurpose,
    ConsentTally,
    ConsentWording,
)
from recipients.models.exports import Export, ExportFormat, ExportStatus
from recipients.models.fields import Field, FieldKind
from recipients.models.imports import Import, ImportChange, ImportSlice, ImportStatus, MergePolicy
from recipients.models.lists import MailingList, Subscription, SubscriptionState, Tracking
from recipients.models.merges import Merge
from recipients.models.people import Recipient, Tag, Tagging, TrackingConsent
from recipients.models.segments import Segment
from recipients.models.signup import Notice, NoticeKind, Signup, SignupForm, SignupWindow
from recipients.models.suppression import (
    GIVEN_BY_STAFF,
    LiftedSuppression,
    Suppression,
    SuppressionReason,
)

__all__ = [
    "GIVEN_BY_STAFF",
    "ConsentAction",
    "ConsentBlock",
    "ConsentDetail",
    "ConsentEvent",
    "ConsentPurpose",
    "ConsentTally",
    "ConsentWording",
    "Export",
    "ExportFormat",
    "ExportStatus",
    "Field",
    "FieldKind",
    "Import",
    "ImportChange",
    "ImportSlice",
    "ImportStatus",
    "LiftedSuppression",
    "MailingList",
    "Merge",
    "MergePolicy",
    "Notice",
    "NoticeKind",
    "Recipient",
    "Segment",
    "Signup",
    "SignupForm",
    "SignupWindow",
    "Subscription",
    "SubscriptionState",
    "Suppression",
    "SuppressionReason",
    "Tag",
    "Tagging",
    "Tracking",
    "TrackingConsent",
]

"""Why a delivery failed, in the words of reports: what its last outcome finds fault with."""

from campaigns.sending.outcomes import Deferred, Outcome, Rejected, Scope, SpeaksOf
from tracking import bounces, suppressing
from tracking.feedback import Failure
from tracking.models import Category


def failure(delivery_id: int, outcome: Outcome, *, is_composed: bool) -> Failure:
    """Return what is noted of a delivery that failed with this outcome.

    :param is_composed: whether there was a message; else nobody was asked to take it
    """
    category, is_hard = bounces.classify(
        outcome.reply_code, outcome.enhanced_status_code, outcome.diagnostic
    )
    match outcome:
        case Rejected() if not is_composed:
            return Failure(delivery_id, Category.RENDERING)
        case Rejected(speaks_of=SpeaksOf.SENDER) if category in suppressing.COUNTED:
            # "No such user", said of ours: to MAIL FROM, or in words that name the sender.
            return Failure(delivery_id, Category.POLICY_REPUTATION)
        case Rejected(speaks_of=spoken_of):
            return Failure(delivery_id, category, is_hard and spoken_of is SpeaksOf.RECIPIENT)
        case Deferred(scope=Scope.RECIPIENT, reply_code=int()):
            return Failure(delivery_id, category)
        case _:
            # For its age, after trouble on the way: nobody has said anything of the recipient.
            return Failure(delivery_id, Category.EXPIRED)

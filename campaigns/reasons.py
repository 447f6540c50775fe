"""Why a run waits, is held, or is to be looked at; why a report was not sent."""

from recipients.recognising import kept
from templates_app import filters, rendering

LATE = kept("due at %(at)s UTC, later than its limit")
RESTORED = kept(
    "this database was restored or copied: check what has been sent since, then manage.py"
    " confirm_instance"
)
DUE_BEFORE = kept(
    "due before a database that was restored or copied was confirmed: it may have been sent"
)
NOT_AS_APPROVED = kept("its audience or its sender was changed after it was approved")
HOPELESS = kept("nothing was sent, and %(count)s messages failed alike: %(reason)s")
NO_SUCH_ADDRESSES = kept(
    "%(part)s%% of %(base)s messages went to addresses that do not exist (limit %(limit)s%%):"
    " leave out old and unconfirmed addresses"
)
COMPLAINTS = kept(
    "%(part)s%% of %(base)s messages were reported as spam (limit %(limit)s%%): mail those alone"
    " who asked for it lately"
)
REFUSED = kept(
    "%(part)s%% of %(base)s messages within 15 minutes were refused by %(group)s for their sender"
    " or content (limit %(limit)s%%): read its answers, and run the preflight"
)
NO_AUDIENCE = kept("the campaign has no list or segment any more; choose one")
NOT_FETCHED = kept("its attachments cannot be fetched: %(error)s")
MALWARE = kept("the attachment %(name)s holds malware: %(found)s")
NOT_ATTACHED = kept("the attachment %(name)s cannot be sent: %(error)s")
NO_KEY = kept(
    "no RSA key of %(domain)s is active: make one with create_dkim_key, publish it, and activate it"
)
BAD_KEY = kept("the DKIM key %(key)s: %(error)s")
OTHER_SECRET = kept("it was encrypted with another SECRET_KEY; enter the credentials again")
NO_SENDER = kept("there is no sender; create one")
MAY_NOT_SEE = kept("the user may not see reports")
NO_ADDRESS = kept("the user has no email address")
TRIED_AGAIN = kept("to be tried again: %(answer)s")
PERHAPS_ARRIVED = kept("it may have arrived: %(answer)s")

# Why there is no message for somebody: as a template's author reads it, and the ledger keeps it.
for _form in (
    filters.NO_VALUE, filters.TOO_LARGE, filters.NO_TIME, filters.NO_DATE, filters.NO_NUMBER,
    rendering.WITHOUT_VALUE,
    rendering.BAD_ARGUMENTS, rendering.TOO_MANY_STEPS, rendering.TOO_MANY_CHARACTERS,
    "subject", "html", "text", "fields",
):  # fmt: skip
    kept(_form)
kept(rendering.ON_A_LINE, is_ours="where")
kept(rendering.IN_A_PART, is_ours="where")

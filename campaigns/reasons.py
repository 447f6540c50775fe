"""Why a run waits, is held, or is to be looked at; why a report was not sent.

Rows keep such a sentence in English, as commands and logs say it. Whoever reads it on a page gets
it in their own language: it is known by the form that it was made of.
"""

import re
from functools import lru_cache

from django.utils.translation import gettext_noop

from recipients.translatable import Translatable

LATE = gettext_noop("due at %(at)s UTC, later than its limit")
RESTORED = gettext_noop(
    "this database was restored or copied: check what has been sent since, then manage.py"
    " confirm_instance"
)
DUE_BEFORE = gettext_noop(
    "due before a database that was restored or copied was confirmed: it may have been sent"
)
NOT_AS_APPROVED = gettext_noop("its audience or its sender was changed after it was approved")
HOPELESS = gettext_noop("nothing was sent, and %(count)s messages failed alike: %(reason)s")
NO_SUCH_ADDRESSES = gettext_noop(
    "%(part)s%% of %(base)s messages went to addresses that do not exist (limit %(limit)s%%):"
    " leave out old and unconfirmed addresses"
)
COMPLAINTS = gettext_noop(
    "%(part)s%% of %(base)s messages were reported as spam (limit %(limit)s%%): mail those alone"
    " who asked for it lately"
)
REFUSED = gettext_noop(
    "%(part)s%% of %(base)s messages within 15 minutes were refused by %(group)s for their sender"
    " or content (limit %(limit)s%%): read its answers, and run the preflight"
)
NO_AUDIENCE = gettext_noop("the campaign has no list or segment any more; choose one")
NOT_FETCHED = gettext_noop("its attachments cannot be fetched: %(error)s")
MALWARE = gettext_noop("the attachment %(name)s holds malware: %(found)s")
NOT_ATTACHED = gettext_noop("the attachment %(name)s cannot be sent: %(error)s")
NO_KEY = gettext_noop(
    "no RSA key of %(domain)s is active: make one with create_dkim_key, publish it, and activate it"
)
BAD_KEY = gettext_noop("the DKIM key %(key)s: %(error)s")
OTHER_SECRET = gettext_noop("it was encrypted with another SECRET_KEY; enter the credentials again")
NO_SENDER = gettext_noop("there is no sender; create one")
MAY_NOT_SEE = gettext_noop("the user may not see reports")
NO_ADDRESS = gettext_noop("the user has no email address")
TRIED_AGAIN = gettext_noop("to be tried again: %(answer)s")
PERHAPS_ARRIVED = gettext_noop("it may have arrived: %(answer)s")

_FORMS = (
    LATE,
    RESTORED,
    DUE_BEFORE,
    NOT_AS_APPROVED,
    HOPELESS,
    NO_SUCH_ADDRESSES,
    COMPLAINTS,
    REFUSED,
    NO_AUDIENCE,
    NOT_FETCHED,
    MALWARE,
    NOT_ATTACHED,
    NO_KEY,
    BAD_KEY,
    OTHER_SECRET,
    NO_SENDER,
    MAY_NOT_SEE,
    NO_ADDRESS,
    TRIED_AGAIN,
    PERHAPS_ARRIVED,
)
_PLACE = re.compile(r"%\\\((\w+)\\\)s")  # as `re.escape` writes %(name)s


def known(said: str) -> Translatable | str:
    """Return an English sentence as one that can be translated; one of no form of ours as it is."""
    for form, pattern in _patterns():
        if found := pattern.fullmatch(said):
            return Translatable(
                form, {name: known(part) for name, part in found.groupdict().items()}
            )
    return said


def read(said: str) -> str:
    """Say an English sentence in the language of the reader."""
    return str(known(said))


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(form, _pattern(form)) for form in _FORMS]


def _pattern(form: str) -> re.Pattern[str]:
    escaped = re.escape(form).replace("%%", "%")
    return re.compile(_PLACE.sub(r"(?P<\1>.*)", escaped), re.DOTALL)

"""Why messages were refused, why they came back, and why people left; with what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.models import Run
from tracking.models import Category, DepartureReason, EventKind, ReasonTally


@dataclass(frozen=True, slots=True)
class Advice:
    meaning: str | Promise
    remedy: str | Promise


ADVICE: Mapping[str, Advice] = {
    Category.INVALID_ADDRESS: Advice(
        _("The mail system does not know this mailbox, and will not tomorrow."),
        _(
            "Nothing: where that is certain the address is suppressed. Many of them"
            " say that the list is old or was typed by hand: have new people confirm"
            " their address (double opt-in)."
        ),
    ),
    Category.INVALID_DOMAIN: Advice(
        _("The domain does not exist, or takes no mail."),
        _("Look for misspelt domains (gmial.com) among recipients, and correct or suppress them."),
    ),
    Category.DISABLED: Advice(
        _("There was such a mailbox; it is switched off or given up."),
        _(
            "Nothing: some come back, and who stays away is suppressed after some more"
            " of them. Mail people more than once a year, and you learn of it sooner."
        ),
    ),
    Category.MAILBOX_FULL: Advice(
        _("The mailbox has no room."),
        _("Nothing now; later messages may arrive. One that stays full is likely read by nobody."),
    ),
    Category.TOO_LARGE: Advice(
        _("The message is larger than the mail system takes."),
        _("Put attachments on a page and link to them, and use smaller pictures."),
    ),
    Category.POLICY_CONTENT: Advice(
        _("The mail system takes the message for spam or for malware, by what it says."),
        _(
            "Read the diagnostics; look at links and their hosts, at shortened links"
            " and attachments. Run the preflight again before the next campaign."
        ),
    ),
    Category.POLICY_REPUTATION: Advice(
        _(
            "The mail system does not trust your domain or the server's address; it"
            " may be on a block list."
        ),
        _(
            "Stop sending to that domain, look whether the address is listed (the"
            " diagnostic often has a link), mail only people who read lately, and"
            " begin again slowly."
        ),
    ),
    Category.AUTH: Advice(
        _("SPF, DKIM, DMARC, the server's name (PTR) or TLS is not in order."),
        _(
            "Run the preflight: it says which record is missing. Mend the DNS, wait"
            " until the old record has expired, then go on."
        ),
    ),
    Category.RATE: Advice(
        _("You sent faster than this mail system takes it."),
        _("Set a lower limit for the domain under Limits of domains."),
    ),
    Category.TRANSIENT: Advice(
        _("The mail system had trouble of its own."),
        _("Nothing, unless it is the same domain each time: then ask its postmaster."),
    ),
    Category.EXPIRED: Advice(
        _("It was tried again and again, until there was no time left."),
        _("See by the domains where it stuck. If it is all of them, look at your relay's queue."),
    ),
    Category.LOOP: Advice(
        _("The message came round in a circle: a forwarding leads back to where it came from."),
        _("Nothing you can mend; tell the recipient if you know them."),
    ),
    Category.RENDERING: Advice(
        _(
            "The message could not be made for this recipient: a field that it needs"
            " is missing or is of another kind."
        ),
        _(
            "Look at the delivery's diagnostic, fill in the field, or give it a"
            ' default in the template: {{ city | default("your city") }}.'
        ),
    ),
    Category.UNKNOWN: Advice(
        _("The mail system gave no reason that is known."),
        _("Read the diagnostics of some of them."),
    ),
}
_REASONS = dict(DepartureReason.choices)


@dataclass(frozen=True, slots=True)
class Failure:
    category: str
    label: str
    failed: int
    bounced: int
    advice: Advice


@dataclass(frozen=True, slots=True)
class Why:
    """A reason that people gave for leaving."""

    label: str
    count: int


def failures(runs: "QuerySet[Run]") -> tuple[list[Failure], list[Why]]:
    """Return failures and bounces by category, and departures by reason, the most first."""
    tallies = ReasonTally.objects.filter(run__in=runs.order_by().values("pk"))
    sums = tallies.values_list("kind", "reason").annotate(n=Sum("count")).order_by()
    counts = {(kind, reason): n for kind, reason, n in sums if n}
    return _failures(counts), _departures(counts)


def _failures(counts: Mapping[tuple[str, str], int]) -> list[Failure]:
    found = [
        Failure(
            category.value,
            str(category.label),
            counts.get((EventKind.FAILED, category), 0),
            counts.get((EventKind.BOUNCED, category), 0),
            ADVICE[category],
        )
        for category in Category
    ]
    return sorted(
        (one for one in found if one.failed or one.bounced),
        key=lambda one: -(one.failed + one.bounced),
    )


def _departures(counts: Mapping[tuple[str, str], int]) -> list[Why]:
    found = [
        Why(str(_REASONS.get(reason, _("No reason given"))), n)
        for (kind, reason), n in counts.items()
        if kind == EventKind.UNSUBSCRIBED
    ]
    return sorted(found, key=lambda one: -one.count)

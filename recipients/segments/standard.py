"""Rules about what every recipient has, and about lists, tags and other segments."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from recipients.addresses import with_a_labels
from recipients.models import SubscriptionState, TrackingConsent
from recipients.segments.operators import (
    Expression,
    blankness,
    ending,
    equality,
    moments,
    parts,
)
from recipients.segments.subjects import Operator, Question, Subject
from recipients.segments.takes import Choice, Domain, Named, StrOrPromise, Text, WholeAddress

_EMPTY = "{value} = ''"
FIELDS, BELONGING = _("Standard fields"), _("Lists, tags and segments")

_SUBSCRIPTION = """EXISTS (SELECT FROM recipients_subscription subscription
         WHERE subscription.mailing_list_id = {list} AND subscription.recipient_id = recipient.id
           AND subscription.state IN ({states}))"""
_TAGGING = """EXISTS (SELECT FROM recipients_tagging tagging
         WHERE tagging.tag_id = {tag} AND tagging.recipient_id = recipient.id)"""


def column(sql: str) -> Expression:
    """Return an expression that is the same in each question."""
    return lambda _question: sql


def _subscribed(*states: SubscriptionState) -> Expression:
    names = ", ".join(f"'{state}'" for state in states)
    return lambda question: _SUBSCRIPTION.format(list=question.bind(question.value), states=names)


def _tagged(question: Question) -> str:
    return _TAGGING.format(tag=question.bind(question.value))


def _list_operators() -> dict[str, Operator]:
    takes = Named("list")
    on = Operator(
        pgettext_lazy("a rule", "on"),
        _("on the list %(value)s"),
        _subscribed(SubscriptionState.CONFIRMED),
        takes,
    )
    pending = _subscribed(SubscriptionState.PENDING)
    left, ever = _subscribed(SubscriptionState.UNSUBSCRIBED), _subscribed(*SubscriptionState)
    return {
        "on": on,
        "not_on": on.denied(pgettext_lazy("a rule", "not on"), _("not on the list %(value)s")),
        "pending": Operator(
            _("has not confirmed yet"),
            _("has not confirmed the list %(value)s yet"),
            pending,
            takes,
        ),
        "left": Operator(_("has left"), _("has left the list %(value)s"), left, takes),
        "never": Operator(
            _("was never on"), _("was never on the list %(value)s"), ever, takes, denies=True
        ),
    }


def _tag_operators() -> dict[str, Operator]:
    has = Operator(
        pgettext_lazy("a rule", "has"), _("has the tag %(value)s"), _tagged, Named("tag")
    )
    return {
        "has": has,
        "has_not": has.denied(_("does not have"), _("does not have the tag %(value)s")),
    }


def _segment_operators() -> dict[str, Operator]:
    member = Operator(
        pgettext_lazy("a rule", "in"), _("in the segment %(value)s"), None, Named("segment")
    )
    others = member.denied(pgettext_lazy("a rule", "not in"), _("not in the segment %(value)s"))
    return {"in": member, "not_in": others}


def _consent_operators() -> dict[str, Operator]:
    consent = equality(column("recipient.tracking_consent"), Choice(dict(TrackingConsent.choices)))
    return {name: consent[name] for name in ("is", "is_not")}


def _parts_and_ends(expression: Expression) -> dict[str, Operator]:
    return parts(expression, expression, written=with_a_labels) | ending(
        expression, written=with_a_labels
    )


_key, _domain = column("recipient.key"), column("recipient.domain")
_language, _zone = column("lower(recipient.language)"), column("lower(recipient.time_zone)")

_FIELDS: Mapping[str, tuple[StrOrPromise, Mapping[str, Operator]]] = {
    "address": (_("Address"), equality(_key, WholeAddress()) | _parts_and_ends(_key)),
    "domain": (_("Domain"), equality(_domain, Domain()) | _parts_and_ends(_domain)),
    "language": (
        _("Language"),
        equality(_language, Text()) | parts(_language, _language) | blankness(_language, _EMPTY),
    ),
    "time_zone": (
        _("Time zone"),
        equality(_zone, Text()) | parts(_zone, _zone) | blankness(_zone, _EMPTY),
    ),
    "created_at": (_("Added"), moments(column("recipient.created_at"))),
    "tracking_consent": (_("Consent to measuring"), _consent_operators()),
}
STANDARD: Mapping[str, Subject] = {
    **{about: Subject(label, FIELDS, operators) for about, (label, operators) in _FIELDS.items()},
    "list": Subject(_("List"), BELONGING, _list_operators()),
    "tag": Subject(_("Tag"), BELONGING, _tag_operators()),
    "segment": Subject(_("Segment"), BELONGING, _segment_operators()),
}

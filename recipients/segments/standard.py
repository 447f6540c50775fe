"""Rules about what every recipient has, and about lists, tags and other segments."""

from collections.abc import Mapping

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
from recipients.segments.takes import Choice, Domain, Named, Text, WholeAddress

_EMPTY = "{value} = ''"
FIELDS, BELONGING = "Standard fields", "Lists, tags and segments"

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
        "on", _subscribed(SubscriptionState.CONFIRMED), takes, words="on the list {value}"
    )
    pending = _subscribed(SubscriptionState.PENDING)
    left, ever = _subscribed(SubscriptionState.UNSUBSCRIBED), _subscribed(*SubscriptionState)
    return {
        "on": on,
        "not_on": on.denied("not on", "not on the list {value}"),
        "pending": Operator(
            "has not confirmed yet", pending, takes, words="has not confirmed the list {value} yet"
        ),
        "left": Operator("has left", left, takes, words="has left the list {value}"),
        "never": Operator("was never on", ever, takes).denied(
            "was never on", "was never on the list {value}"
        ),
    }


def _tag_operators() -> dict[str, Operator]:
    has = Operator("has", _tagged, Named("tag"), words="has the tag {value}")
    return {
        "has": has,
        "has_not": has.denied("does not have", "does not have the tag {value}"),
    }


def _segment_operators() -> dict[str, Operator]:
    member = Operator("in", None, Named("segment"), words="in the segment {value}")
    return {"in": member, "not_in": member.denied("not in", "not in the segment {value}")}


def _consent_operators() -> dict[str, Operator]:
    consent = equality(column("recipient.tracking_consent"), Choice(dict(TrackingConsent.choices)))
    return {name: consent[name] for name in ("is", "is_not")}


def _parts_and_ends(expression: Expression) -> dict[str, Operator]:
    return parts(expression, expression, written=with_a_labels) | ending(
        expression, written=with_a_labels
    )


_key, _domain = column("recipient.key"), column("recipient.domain")
_language, _zone = column("lower(recipient.language)"), column("lower(recipient.time_zone)")

_FIELDS: Mapping[str, tuple[str, Mapping[str, Operator]]] = {
    "address": ("Address", equality(_key, WholeAddress()) | _parts_and_ends(_key)),
    "domain": ("Domain", equality(_domain, Domain()) | _parts_and_ends(_domain)),
    "language": (
        "Language",
        equality(_language, Text()) | parts(_language, _language) | blankness(_language, _EMPTY),
    ),
    "time_zone": (
        "Time zone",
        equality(_zone, Text()) | parts(_zone, _zone) | blankness(_zone, _EMPTY),
    ),
    "created_at": ("Added", moments(column("recipient.created_at"))),
    "tracking_consent": ("Consent to measuring", _consent_operators()),
}
STANDARD: Mapping[str, Subject] = {
    **{about: Subject(label, FIELDS, operators) for about, (label, operators) in _FIELDS.items()},
    "list": Subject("List", BELONGING, _list_operators()),
    "tag": Subject("Tag", BELONGING, _tag_operators()),
    "segment": Subject("Segment", BELONGING, _segment_operators()),
}

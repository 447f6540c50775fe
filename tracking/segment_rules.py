"""Rules of segments about what was sent, opened and clicked.

Opens are an estimate: some programs fetch all images by themselves, others none. Who clicks has
opened. Each firing of a recurring campaign counts as a campaign.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

from recipients.segments.subjects import Operator, Question, Subject, days_ago, register
from recipients.segments.takes import DAYS, Count, StrOrPromise
from tracking.engagement import unfolded_runs

HEADING = _("Engagement")
CAMPAIGNS = Count(
    100,
    _("write a number of campaigns, 1 to %(most)s"),
    _("campaign"),
    ngettext_lazy("%(count)s campaign", "%(count)s campaigns", "number"),
)


@dataclass(frozen=True, slots=True)
class _Deed:
    """What is said of a deed; each sentence has all of its words, for languages that bend them."""

    label: StrOrPromise
    recently: StrOrPromise
    not_recently: StrOrPromise
    once: StrOrPromise
    never: StrOrPromise


_DEEDS: Mapping[str, _Deed] = {
    "mailed": _Deed(
        _("Mailed"),
        _("mailed within the last %(value)s"),
        _("not mailed within the last %(value)s"),
        _("mailed at least once"),
        _("never mailed"),
    ),
    "opened": _Deed(
        _("Opened"),
        _("opened within the last %(value)s"),
        _("not opened within the last %(value)s"),
        _("opened at least once"),
        _("never opened"),
    ),
    "clicked": _Deed(
        _("Clicked"),
        _("clicked within the last %(value)s"),
        _("not clicked within the last %(value)s"),
        _("clicked at least once"),
        _("never clicked"),
    ),
}

_KNOWN = """EXISTS (SELECT FROM tracking_activity activity
         WHERE activity.recipient_id = recipient.id AND {asked})"""
# What is not folded yet is looked for in the ledger itself. (One EXISTS over both: with two of
# them and OR between, no join can be made.)
_WITH_UNFOLDED = """EXISTS (SELECT FROM (
        SELECT activity.recipient_id FROM tracking_activity activity WHERE {asked}
         UNION ALL
        SELECT delivery.recipient_id FROM tracking_delivery delivery
         WHERE delivery.run_id = ANY ({runs}) AND delivery.state IN ('sent', 'unconfirmed')
           AND {asked_of_delivery}) AS mailed
         WHERE mailed.recipient_id = recipient.id)"""
# The oldest of the last runs; where there are fewer, of all. Of those before the question's moment:
# a run whose audience is asked for is not one of them, though some of it may be sent already.
_SINCE_RUN = """(SELECT min(newest.run_id)
           FROM (SELECT counters.run_id FROM tracking_runcounters counters
                   JOIN campaigns_run run ON run.id = counters.run_id
                  WHERE counters.sent + counters.unconfirmed > 0 AND run.created_at < {now}
                    AND run.message_id IS NULL
                  ORDER BY counters.run_id DESC LIMIT {count}) AS newest)"""


def _did(asked: Callable[[Question], str]) -> Callable[[Question], str]:
    return lambda question: _KNOWN.format(asked=asked(question))


def _mailed(
    asked: Callable[[Question], str], of_delivery: Callable[[Question], str]
) -> Callable[[Question], str]:
    def sql(question: Question) -> str:
        if not (runs := unfolded_runs()):
            return _KNOWN.format(asked=asked(question))
        return _WITH_UNFOLDED.format(
            asked=asked(question),
            runs=question.bind(runs),
            asked_of_delivery=of_delivery(question),
        )

    return sql


def _since_days(column: str) -> Callable[[Question], str]:
    return lambda question: f"{column} >= {question.bind(days_ago(question))}"


def _since_run(column: str) -> Callable[[Question], str]:
    def sql(question: Question) -> str:
        count, now = question.bind(question.value), question.bind(question.now)
        return f"{column} >= {_SINCE_RUN.format(count=count, now=now)}"

    return sql


def _ever(column: str) -> Callable[[Question], str]:
    return lambda _question: f"{column} IS NOT NULL"


def _operators(verb: str, said: _Deed) -> dict[str, Operator]:
    """Return how a deed is asked; `verb` also names its columns."""
    at, run = f"activity.{verb}_at", f"activity.{verb}_run"
    days, runs, ever = _did(_since_days(at)), _did(_since_run(run)), _did(_ever(at))
    if verb == "mailed":
        days = _mailed(_since_days(at), _since_days("delivery.finished_at"))
        runs = _mailed(_since_run(run), _since_run("delivery.run_id"))
        ever = _mailed(_ever(at), _ever("delivery.run_id"))
    recent = Operator(_("within the last days"), said.recently, days, DAYS)
    newest = Operator(_("within the last campaigns"), said.recently, runs, CAMPAIGNS)
    once = Operator(pgettext_lazy("a rule", "ever"), said.once, ever)
    return {
        "last_days": recent,
        "not_last_days": recent.denied(_("not within the last days"), said.not_recently),
        "last_campaigns": newest,
        "no_last_campaigns": newest.denied(_("not within the last campaigns"), said.not_recently),
        "ever": once,
        "never": once.denied(pgettext_lazy("a rule", "never"), said.never),
    }


def register_rules() -> None:
    """Let segments ask what is known here."""
    for verb, said in _DEEDS.items():
        register(verb, Subject(said.label, HEADING, _operators(verb, said)))

"""Rules of segments about what was sent, opened and clicked.

Opens are an estimate: some programs fetch all images by themselves, others none. Who clicks has
opened. Each firing of a recurring campaign counts as a campaign.
"""

from collections.abc import Callable

from recipients.segments.subjects import Operator, Question, Subject, days_ago, register
from recipients.segments.takes import DAYS, Count
from tracking.engagement import unfolded_runs

HEADING = "Engagement"
CAMPAIGNS = Count("campaigns", 100)

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


def _operators(verb: str) -> dict[str, Operator]:
    """Return how a deed is asked; `verb` also names its columns."""
    at, run = f"activity.{verb}_at", f"activity.{verb}_run"
    days, runs, ever = _did(_since_days(at)), _did(_since_run(run)), _did(_ever(at))
    if verb == "mailed":
        days = _mailed(_since_days(at), _since_days("delivery.finished_at"))
        runs = _mailed(_since_run(run), _since_run("delivery.run_id"))
        ever = _mailed(_ever(at), _ever("delivery.run_id"))
    within = f"{verb} within the last {{value}}"
    recent = Operator("within the last days", days, DAYS, words=within)
    newest = Operator("within the last campaigns", runs, CAMPAIGNS, words=within)
    once = Operator("ever", ever, words=f"{verb} at least once")
    return {
        "last_days": recent,
        "not_last_days": recent.denied("not within the last days", f"not {within}"),
        "last_campaigns": newest,
        "no_last_campaigns": newest.denied("not within the last campaigns", f"not {within}"),
        "ever": once,
        "never": once.denied("never", f"never {verb}"),
    }


def register_rules() -> None:
    """Let segments ask what is known here."""
    for verb in ("mailed", "opened", "clicked"):
        register(verb, Subject(verb.capitalize(), HEADING, _operators(verb)))

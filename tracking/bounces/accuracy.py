"""Compare what is read from messages with labels that somebody else has given them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NotRequired, TypedDict

from tracking.bounces.reading import read
from tracking.bounces.reports import Kind, Recipient, Report
from tracking.models import Category

_INVALID = {Category.INVALID_ADDRESS, Category.INVALID_DOMAIN}


class Verdict(StrEnum):
    HARD = "hard"
    SOFT = "soft"
    COMPLAINT = "complaint"
    NOTHING = "not a bounce"


class Label(TypedDict):
    """What a label says about one recipient of one message.

    `feedback` is the type of RFC 5965 3.1, empty for a bounce; `reason` is a word of the labels'
    maker, of which "delivered" and "vacation" mean that it is no bounce.
    """

    recipient: str
    hard: bool
    reason: NotRequired[str]
    feedback: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One label beside what was read.

    :param is_invalid: the category says so, by a code or by words
    :param is_delayed: the message says that it is still being tried
    """

    name: str
    expected: Verdict
    found: Verdict
    is_invalid: bool
    is_delayed: bool
    explanation: str


def compare(name: str, raw: bytes, labels: list[Label]) -> list[Comparison]:
    """Return a comparison for each label of a message, one where it has none, one for feedback."""
    report = read(raw)
    expected = [(_expected(label), label["recipient"]) for label in labels]
    if not expected or expected[0][0] in {Verdict.COMPLAINT, Verdict.NOTHING}:
        first = expected[0][0] if expected else Verdict.NOTHING
        return [_comparison(name, report, first, "")]
    return [_comparison(name, report, verdict, address) for verdict, address in expected]


def _expected(label: Label) -> Verdict:
    if feedback := label.get("feedback"):
        is_complaint = feedback in {"abuse", "fraud"}
        return Verdict.COMPLAINT if is_complaint else Verdict.NOTHING
    if label.get("reason") in {"delivered", "vacation"}:
        return Verdict.NOTHING
    return Verdict.HARD if label["hard"] else Verdict.SOFT


def _comparison(name: str, report: Report, expected: Verdict, address: str) -> Comparison:
    who = _recipient(report, address)
    return Comparison(
        name=name,
        expected=expected,
        found=_found(report, who),
        is_invalid=report.kind == Kind.BOUNCE and who is not None and who.category in _INVALID,
        is_delayed=report.kind == Kind.DELAY,
        explanation=f"{who.category}: {who.diagnostic}" if who else report.kind.value,
    )


def _recipient(report: Report, address: str) -> Recipient | None:
    """Return the recipient of this address, or the only one: of some the address is not told."""
    for each in report.recipients:
        if address and address.lower() in {each.address.lower(), each.original.lower()}:
            return each
    return report.recipients[0] if len(report.recipients) == 1 else None


def _found(report: Report, who: Recipient | None) -> Verdict:
    if report.kind == Kind.COMPLAINT:
        return Verdict.COMPLAINT
    if report.kind != Kind.BOUNCE or (who and who.action != "failed"):
        return Verdict.NOTHING
    return Verdict.HARD if who and who.is_hard else Verdict.SOFT


class Accuracy:
    """How often what was read is what the labels say."""

    def __init__(self, comparisons: Iterable[Comparison]) -> None:
        self.comparisons = list(comparisons)
        self._pairs = Counter((each.expected, each.found) for each in self.comparisons)

    def labelled(self, verdict: Verdict) -> int:
        return sum(self._pairs[verdict, found] for found in Verdict)

    def found(self, verdict: Verdict) -> int:
        return sum(self._pairs[expected, verdict] for expected in Verdict)

    def pairs(self, expected: Verdict, found: Verdict) -> int:
        return self._pairs[expected, found]

    def precision(self, verdict: Verdict) -> float | None:
        """Return the share of those that were read as this which are labelled so."""
        return share(self._pairs[verdict, verdict], self.found(verdict))

    def recall(self, verdict: Verdict) -> float | None:
        """Return the share of those labelled as this which were read so."""
        return share(self._pairs[verdict, verdict], self.labelled(verdict))

    def invalid(self) -> tuple[float | None, float | None]:
        """Return precision and recall of "invalid" by code or words for those labelled hard."""
        hard = [each for each in self.comparisons if each.expected == Verdict.HARD]
        both = sum(each.is_invalid for each in hard)
        return share(both, sum(each.is_invalid for each in self.comparisons)), share(
            both, len(hard)
        )

    def delayed(self) -> int:
        """Return how many are labelled as bounces and say that they are still being tried."""
        bounces = {Verdict.HARD, Verdict.SOFT}
        return sum(each.is_delayed for each in self.comparisons if each.expected in bounces)


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None

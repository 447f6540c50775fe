from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.judging.corpus import AGENTS, SCENARIOS, Scenario
from tracking.judging import Judgement, Seen, judge
from tracking.models import Verdict

SENT = datetime(2026, 11, 2, 9, tzinfo=UTC)
# As docs/tracking.md says.
PRECISION, RECALL = 0.93, 0.97


def read(scenario: Scenario) -> list[tuple[Seen, str, bool]]:
    """Return the hits with their labels, and whether the rules are known to miss it."""
    return [_hit(line) for line in scenario.hits.strip().splitlines()]


def _hit(line: str) -> tuple[Seen, str, bool]:
    seconds, what, rest = line.split(maxsplit=2)
    words = rest.split()
    is_missed = words[-1] == "!"
    label = words[-2] if is_missed else words[-1]
    marks = {"HEAD", "SCANNER"} & set(words)
    agent = " ".join(w for w in words if w not in {"HEAD", "SCANNER", "!", "person", "machine"})
    hit = Seen(
        kind="open" if what == "open" else "click",
        number=None if what == "open" else int(what),
        at=SENT + timedelta(seconds=float(seconds)),
        is_head="HEAD" in marks,
        user_agent=AGENTS[agent],
        from_scanner="SCANNER" in marks,
    )
    return hit, label, is_missed


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_hits_are_told_apart(scenario: Scenario) -> None:
    labelled = read(scenario)
    verdicts = judge([hit for hit, _, _ in labelled], sent_at=SENT, places=scenario.links)

    for (hit, label, is_missed), judged in zip(labelled, verdicts, strict=True):
        assert (judged.verdict == label) is not is_missed, (hit, judged)


def test_of_hits_of_people_nearly_all_are_found_and_nearly_no_others() -> None:
    pairs = [
        (label, judged.verdict.value)
        for scenario in SCENARIOS
        for (_, label, _), judged in zip(
            read(scenario),
            judge([h for h, _, _ in read(scenario)], sent_at=SENT, places=scenario.links),
            strict=True,
        )
    ]

    found = pairs.count(("person", "person"))
    precision = found / sum(judged == "person" for _, judged in pairs)
    recall = found / sum(label == "person" for label, _ in pairs)

    print(f"\n{len(pairs)} hits: people's with precision {precision:.3f}, recall {recall:.3f}")
    assert len(pairs) >= 80
    assert precision >= PRECISION
    assert recall >= RECALL


def test_the_reason_is_the_first_rule_that_applies() -> None:
    hit = Seen("click", 0, SENT, user_agent=AGENTS["firefox"])
    at_once = [
        hit._replace(is_head=True),
        hit._replace(from_scanner=True),
        hit._replace(user_agent=" "),
        hit._replace(user_agent="curl/8"),
        hit,
    ]

    assert [judge([one], sent_at=SENT)[0].reason for one in at_once] == [
        "head", "scanner", "no_agent", "program", "too_soon",
    ]  # fmt: skip
    assert judge([hit], sent_at=None) == [Judgement(Verdict.PERSON)]


@pytest.mark.parametrize(("apart", "verdict"), [(2.0, Verdict.MACHINE), (2.001, Verdict.PERSON)])
def test_a_sweep_takes_two_seconds(apart: float, verdict: Verdict) -> None:
    at = SENT + timedelta(hours=1)
    hits = [
        Seen("click", number, at + timedelta(seconds=apart * number / 2), False, AGENTS["chrome"])
        for number in range(3)
    ]

    assert {judged.verdict for judged in judge(hits, sent_at=SENT, places=9)} == {verdict}


_HITS = st.builds(
    Seen,
    kind=st.just("click"),
    number=st.integers(0, 3),
    at=st.integers(0, 30).map(lambda tenths: SENT + timedelta(seconds=60 + tenths / 2)),
    is_head=st.booleans(),
    user_agent=st.sampled_from([AGENTS["chrome"], AGENTS["firefox"]]),
)


@given(st.lists(_HITS, max_size=4))
def test_the_order_in_which_hits_are_told_says_nothing(hits: list[Seen]) -> None:
    verdicts = dict(zip(map(id, hits), judge(hits, sent_at=SENT, places=4), strict=True))

    for order in permutations(hits):
        judged = judge(order, sent_at=SENT, places=4)
        assert [verdicts[id(hit)] for hit in order] == judged


def test_ten_thousand_hits_of_one_message_are_judged_in_one_go() -> None:
    at = SENT + timedelta(hours=1)
    hits = [
        Seen("click", n % 7, at + timedelta(milliseconds=n), n % 2 == 0, AGENTS["chrome"])
        for n in range(10_000)
    ]

    assert {judged.verdict for judged in judge(hits, sent_at=SENT)} == {Verdict.MACHINE}

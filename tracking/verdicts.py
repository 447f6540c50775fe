"""Judge all hits of messages, and move what is counted by the verdicts.

A hit says the more the more is known around it: where one link after the other is followed, the
first was no person's either. So each message is judged as a whole whenever one comes in, and what
is counted of it moves by the difference.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from tracking import engagement
from tracking.engagement import Deed
from tracking.judging import RULES, Judgement, Seen, judge
from tracking.ledger import array, bigints
from tracking.models import HitKind, Verdict
from tracking.owners import OWNER
from tracking.tallying.facts import NOTHING, OF_HITS, Facts, earliest, keep, known
from tracking.tallying.moves import LINKS, Moves

# Hits of one message that are kept. No crowd of readers comes near it; whoever repeats a request
# without end does.
MOST = 10_000


class Message(NamedTuple):
    """Whose hits are judged."""

    run_id: int
    recipient_id: int | None
    domain: str
    sent_at: datetime | None


class Hit(NamedTuple):
    """A row of Hit; `judged` is None for a new one."""

    id: int
    run_id: int
    delivery_id: int | None
    seen: Seen
    network: str = ""
    judged: Judgement | None = None
    rules: int = RULES


# When it was sent lies between its claim and the record of its end, ten seconds at most after it
# (campaigns.sending.claim). Where its arrival was in doubt, only the first of these is about it.
_MESSAGES = f"""
SELECT delivery.id, delivery.run_id, recipient.id, delivery.domain,
       LEAST(delivery.finished_at, delivery.attempted_at + interval '10 seconds')
  FROM tracking_delivery delivery
  LEFT JOIN recipients_recipient recipient ON recipient.id = {OWNER}
 WHERE delivery.id = ANY(%(ids)s::bigint[])
"""
_HITS = """
SELECT hit.id, hit.run_id, hit.delivery_id, hit.kind, hit.link_number, hit.at, hit.is_head,
       coalesce(agent.text, ''), hit.from_scanner, hit.verdict, hit.reason, hit.rules
  FROM tracking_hit hit
  LEFT JOIN tracking_useragent agent ON agent.id = hit.user_agent_id
 WHERE hit.delivery_id = ANY(%(ids)s::bigint[])
 ORDER BY hit.id
"""
_LANGUAGES = """
SELECT run.id, link.number, link.language
  FROM campaigns_run run JOIN tracking_link link ON link.version_id = run.version_id
 WHERE run.id = ANY(%(runs)s)
"""
_AGENTS = """
WITH wanted AS (SELECT unnest(%(texts)s::text[]) AS text), made AS (
    INSERT INTO tracking_useragent (text) SELECT text FROM wanted ORDER BY text
        ON CONFLICT DO NOTHING RETURNING id, text
)
SELECT text, id FROM made UNION SELECT text, id FROM tracking_useragent JOIN wanted USING (text)
"""
_INSERT = """
INSERT INTO tracking_hit
       (id, run_id, delivery_id, kind, link_number, at, is_head, user_agent_id, network,
        from_scanner, verdict, reason, rules)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::smallint[],
                     %s::timestamptz[], %s::boolean[], %s::bigint[], %s::text[],
                     %s::boolean[], %s::text[], %s::text[], %s::smallint[])
    ON CONFLICT DO NOTHING
"""
_JUDGED = """
UPDATE tracking_hit AS hit
   SET verdict = judged.verdict, reason = judged.reason, rules = %s
  FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS judged (id, verdict, reason)
 WHERE hit.id = judged.id
"""


def messages(deliveries: Iterable[int]) -> dict[int, Message]:
    with connection.cursor() as cursor:
        cursor.execute(_MESSAGES, {"ids": bigints(deliveries)})
        return {row[0]: Message(*row[1:]) for row in cursor.fetchall()}


def count(new: Sequence[Hit]) -> int:
    """Store new hits, and count them; return how many there were that were not known.

    The caller holds the addresses and then the sums (`hold_sums`), and has looked that they may be
    kept.
    """
    known_ids = _known_ids([hit.id for hit in new if hit.delivery_id is None])
    nobodys = [h for h in new if h.delivery_id is None and h.id not in known_ids]
    moves = Moves()
    for hit in nobodys:
        if not hit.seen.is_head:
            moves.nobodys_hit(hit.run_id, hit.seen.kind, hit.seen.number, hit.seen.at)
    _store([hit._replace(judged=alone(hit.seen)) for hit in nobodys])
    return len(nobodys) + _judge([hit for hit in new if hit.delivery_id is not None], moves)


def judge_again(deliveries: Iterable[int]) -> None:
    """Judge the hits of these messages by the rules of now. The caller holds as for `count`."""
    _judge([], Moves(), also=deliveries)


def alone(seen: Seen) -> Judgement:
    """Return the verdict on a hit of nobody knows whom."""
    return judge([seen], sent_at=None)[0]


def _known_ids(ids: Sequence[int]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM tracking_hit WHERE id = ANY(%(ids)s::bigint[])", {"ids": bigints(ids)}
        )
        return {pk for (pk,) in cursor.fetchall()}


def _judge(new: Sequence[Hit], moves: Moves, *, also: Iterable[int] = ()) -> int:
    of = messages({*also, *(hit.delivery_id for hit in new if hit.delivery_id is not None)})
    old = _hits(of)
    added = _unknown(new, old)
    places = _Places({message.run_id for message in of.values()})
    before = known(of)
    work = _Work()
    for delivery, message in of.items():
        was, now = old[delivery], old[delivery] + added[delivery]
        seen = [hit.seen for hit in now]
        verdicts = judge(seen, sent_at=message.sent_at, places=places.of(message.run_id, seen))
        judged = [hit._replace(judged=one) for hit, one in zip(now, verdicts, strict=True)]
        work.note(delivery, message, was, judged)
        _move_links(moves, message.run_id, was, judged)
        _move_totals(moves, message.run_id, added[delivery])
        facts = before.get(delivery, NOTHING)
        work.facts[delivery] = facts._replace(**_facts(judged))
        moves.replace(message.run_id, message.domain, facts, work.facts[delivery])
    runs = {delivery: message.run_id for delivery, message in of.items()}
    _store(work.new)
    _rejudge(work.changed)
    keep(work.facts, runs, columns=OF_HITS)
    moves.write()
    engagement.note(work.deeds)
    engagement.take_back(work.taken_back)
    return len(work.new)


def _hits(of: Iterable[int]) -> dict[int, list[Hit]]:
    hits: dict[int, list[Hit]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_HITS, {"ids": bigints(of)})
        for pk, run, delivery, *seen, verdict, reason, rules in cursor.fetchall():
            judged = Judgement(Verdict(verdict), reason)
            hits[delivery].append(Hit(pk, run, delivery, Seen(*seen), "", judged, rules))
    return hits


def _unknown(new: Sequence[Hit], old: Mapping[int, Sequence[Hit]]) -> dict[int, list[Hit]]:
    """Return of the new hits those that are not stored, as far as they are to be."""
    stored = {hit.id for hits in old.values() for hit in hits}
    added: dict[int, list[Hit]] = defaultdict(list)
    for hit in new:
        delivery = hit.delivery_id or 0
        if hit.id not in stored and len(old[delivery]) + len(added[delivery]) < MOST:
            added[delivery].append(hit)
    return added


class _Places:
    """How many links a message has, in the language that its reader got."""

    def __init__(self, runs: set[int]) -> None:
        self._languages: dict[int, dict[int, str]] = defaultdict(dict)
        with connection.cursor() as cursor:
            cursor.execute(_LANGUAGES, {"runs": list(runs)})
            for run, number, language in cursor.fetchall():
                self._languages[run][number] = language
        self._counts = {run: Counter(each.values()) for run, each in self._languages.items()}

    def of(self, run_id: int, hits: Sequence[Seen]) -> int | None:
        """Return the number, by the links that were followed; None: none was that we know of."""
        languages = self._languages[run_id]
        found = (languages[hit.number] for hit in hits if hit.number in languages)
        language = next(found, None)
        return None if language is None else self._counts[run_id][language]


class _Work:
    """What is to be written of many messages at once."""

    def __init__(self) -> None:
        self.new: list[Hit] = []
        self.changed: list[Hit] = []
        self.facts: dict[int, Facts] = {}
        self.deeds: list[Deed] = []
        self.taken_back: list[Deed] = []

    def note(
        self, delivery: int, message: Message, was: Sequence[Hit], judged: Sequence[Hit]
    ) -> None:
        old = judged[: len(was)]
        self.new += judged[len(was) :]
        changed = [one for before, one in zip(was, old, strict=True) if _is_other(before, one)]
        self.changed += changed
        if message.recipient_id is None:
            return
        deed = _deed(message, judged)
        pairs = zip(was, old, strict=True)
        if any(_is_persons(before) and not _is_persons(one) for before, one in pairs):
            self.taken_back.append(deed)
        elif deed.opened_at or deed.clicked_at:
            self.deeds.append(deed)


def _is_other(before: Hit, after: Hit) -> bool:
    return before.judged != after.judged or before.rules != RULES


def _is_persons(hit: Hit) -> bool:
    return hit.judged is not None and hit.judged.verdict == Verdict.PERSON


def _deed(message: Message, hits: Sequence[Hit]) -> Deed:
    opens = [hit.seen.at for hit in _persons(hits, HitKind.OPEN)]
    clicks = [hit.seen.at for hit in _persons(hits, HitKind.CLICK)]
    return Deed(
        run_id=message.run_id,
        recipient_id=message.recipient_id or 0,
        opened_at=min(opens, default=None),
        clicked_at=min(clicks, default=None),
        last_opened_at=max(opens, default=None),
        last_clicked_at=max(clicks, default=None),
    )


def _persons(hits: Sequence[Hit], kind: HitKind) -> Iterator[Hit]:
    return (hit for hit in hits if hit.seen.kind == kind and _is_persons(hit))


def _facts(hits: Sequence[Hit]) -> dict[str, Any]:
    """Return the columns of Response that are about hits."""
    opens = [h for h in hits if h.seen.kind == HitKind.OPEN and not h.seen.is_head]
    clicks = [h for h in hits if h.seen.kind == HitKind.CLICK and not h.seen.is_head]
    return {
        "opens": len(opens),
        "clicks": len(clicks),
        "opened_at": earliest(*(hit.seen.at for hit in opens)),
        "opened_by_person_at": earliest(*(h.seen.at for h in opens if _is_persons(h))),
        "clicked_at": earliest(*(hit.seen.at for hit in clicks)),
        "clicked_by_person_at": earliest(*(h.seen.at for h in clicks if _is_persons(h))),
    }


def _move_totals(moves: Moves, run_id: int, added: Sequence[Hit]) -> None:
    for hit in added:
        if not hit.seen.is_head:
            moves.hit(run_id, hit.seen.kind, hit.seen.number, hit.seen.at)


def _move_links(moves: Moves, run_id: int, was: Sequence[Hit], now: Sequence[Hit]) -> None:
    """A message counts once for each link, in each of the two columns."""
    for column, hits, sign in (
        ("people", was, -1),
        ("people", now, 1),
        ('"unique"', was, -1),
        ('"unique"', now, 1),
    ):
        clicks = (h for h in hits if h.seen.number is not None and not h.seen.is_head)
        wanted = (h for h in clicks if column != "people" or _is_persons(h))
        for number in {hit.seen.number for hit in wanted}:
            moves.add(LINKS, (run_id, number), column, sign)


def _store(hits: Sequence[Hit]) -> None:
    if not hits:
        return
    agents = _agents({hit.seen.user_agent for hit in hits} - {""})
    rows = [
        (
            hit.id, hit.run_id, hit.delivery_id, hit.seen.kind, hit.seen.number, hit.seen.at,
            hit.seen.is_head, agents.get(hit.seen.user_agent), hit.network, hit.seen.from_scanner,
            *(hit.judged or alone(hit.seen)), RULES,
        )
        for hit in hits
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [array(column) for column in zip(*rows, strict=True)])


def _agents(texts: set[str]) -> dict[str, int]:
    if not texts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_AGENTS, {"texts": sorted(texts)})
        return dict(cursor.fetchall())


def _rejudge(hits: Sequence[Hit]) -> None:
    if not hits:
        return
    verdicts = [hit.judged or alone(hit.seen) for hit in hits]
    columns = [bigints(hit.id for hit in hits), *map(array, zip(*verdicts, strict=True))]
    with connection.cursor() as cursor:
        cursor.execute(_JUDGED, [RULES, *columns])

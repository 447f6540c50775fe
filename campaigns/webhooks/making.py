"""Claim calls, have them made, record how they ended: three short steps, as for messages.

A call that was claimed by a worker that died is claimed again when its lease is over, with the same
id. Each endpoint has threads of its own, so that one that hangs keeps nobody else waiting.
"""

import logging
import random as standard_random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from campaigns import secrets
from campaigns.sending.retry_policy import Random
from campaigns.webhooks import outbox, patience, payloads, signing
from campaigns.webhooks.calling import Answer, Line, Ways
from campaigns.webhooks.patience import GIVE_UP, REST_AFTER
from tracking.ledger import array, bigints
from tracking.models import Call, CallState, Endpoint, WhyOff
from tracking.models.outgoing import webhook_id

THREADS = 8  # calls to one endpoint at the same time
AHEAD = 16 * THREADS  # calls of one endpoint in workers' hands, those included
# The seconds of a shift, the deadline of a call that was begun in the last of them, and as much
# again, and more, for a name that nobody resolves.
LEASE = timedelta(minutes=1)
LOOK_EVERY = 1.0  # seconds, at what was noted and at endpoints that have rested
# Calls that end in this time are recorded together: a commit for each would take longer than it.
GATHER = 0.05

_AGENT = {"User-Agent": "Godwit webhooks", "Content-Type": "application/json"}

logger = logging.getLogger(__name__)

# The next ones of an endpoint; of each lane the first one that waits alone. (A subquery with LIMIT
# is asked by the index for each of them, whatever the statistics say.)
_CLAIM = """
WITH next AS MATERIALIZED (
    SELECT call.id
      FROM tracking_call call
     WHERE call.endpoint_id = %(endpoint)s AND call.state = 'waiting' AND call.next_at <= %(now)s
       AND (call.leased_until IS NULL OR call.leased_until <= %(now)s)
       AND (call.lane IS NULL
            OR call.id = (SELECT earlier.id FROM tracking_call earlier
                           WHERE earlier.endpoint_id = %(endpoint)s AND earlier.state = 'waiting'
                             AND earlier.lane = call.lane
                           ORDER BY earlier.endpoint_id, earlier.lane, earlier.id LIMIT 1))
     ORDER BY call.next_at, call.id LIMIT %(most)s
       FOR UPDATE SKIP LOCKED
)
UPDATE tracking_call AS call
   SET leased_until = %(until)s, attempts = call.attempts + 1, last_at = %(now)s,
       first_at = coalesce(call.first_at, %(now)s)
  FROM next WHERE call.id = next.id
RETURNING call.id, call.event, call.kind, call.at, call.subject, call.attempts, call.first_at
"""

# A call that another worker has told the end of meanwhile is left as it is.
_RECORD = """
UPDATE tracking_call AS call
   SET state = told.state, next_at = told.next_at, leased_until = NULL,
       status = told.status, answer = told.answer
  FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(times)s::timestamptz[],
              %(statuses)s::smallint[], %(answers)s::text[])
       AS told (id, state, next_at, status, answer)
 WHERE call.id = told.id AND call.state = 'waiting'
"""

# What was claimed and not begun was no attempt.
_LET_GO = """
UPDATE tracking_call
   SET leased_until = NULL, attempts = attempts - 1,
       first_at = CASE WHEN attempts > 1 THEN first_at END
 WHERE id = ANY(%(ids)s::bigint[]) AND state = 'waiting'
"""


class Claimed(NamedTuple):
    """A call that this worker makes, and no other, until its lease ends."""

    id: int
    event: UUID
    kind: str
    at: datetime
    subject: int | None
    attempts: int  # this one included
    first_at: datetime


class Result(NamedTuple):
    call: Claimed
    answer: Answer


# --- claim --------------------------------------------------------------------------------------


@transaction.atomic(durable=True)
def claim(
    endpoint_id: int, *, now: datetime, lease: timedelta = LEASE
) -> tuple[Endpoint, list[Claimed]] | None:
    """Claim the calls of an endpoint that may be made now, as far as there is room; None: none.

    Of one that fails it is one call, by which is seen whether it is back.
    """
    callable_ = Endpoint.objects.callable(now=now).filter(pk=endpoint_id)
    endpoint = callable_.select_for_update(skip_locked=True).first()
    if endpoint is None:
        return None
    room = 1 if endpoint.failures >= REST_AFTER else AHEAD
    room -= Call.objects.filter(endpoint=endpoint).under_way(now=now).count()
    if room <= 0:
        return None
    params: dict[str, Any] = {
        "endpoint": endpoint_id, "now": now, "until": now + lease, "most": room
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, params)
        claimed = sorted(Claimed(*row) for row in cursor.fetchall())
    return (endpoint, claimed) if claimed else None


# --- record -------------------------------------------------------------------------------------


@transaction.atomic(durable=True)
def record(
    endpoint_id: int,
    results: Sequence[Result],
    *,
    now: datetime,
    random: Random = standard_random.random,
) -> bool:
    """Write down how calls ended, and how the endpoint is; return whether it may be called."""
    endpoint = Endpoint.objects.select_for_update().filter(pk=endpoint_id).first()
    if endpoint is None:
        return False
    ends = [_end(result, now=now, random=random) for result in results]
    params = {
        "ids": bigints(result.call.id for result in results),
        "states": array(state for state, _ in ends),
        "times": array(_time(at) for _, at in ends),
        "statuses": array(result.answer.status for result in results),
        "answers": array(result.answer.words for result in results),
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, params)
    for result, (state, _) in zip(results, ends, strict=True):
        if state == CallState.GIVEN_UP:
            logger.error(
                "webhook %s: %s, call %s, is given up: %s",
                endpoint, result.call.kind, result.call.id, result.answer.words,
            )  # fmt: skip
    if endpoint.is_active:  # what was under way when it was switched off changes nothing more
        _judge(endpoint, results, now=now, random=random)
    return Endpoint.objects.callable(now=now).filter(pk=endpoint_id).exists()


def let_go(ids: Iterable[int]) -> None:
    """Give back calls that were claimed and not begun."""
    with connection.cursor() as cursor:
        cursor.execute(_LET_GO, {"ids": bigints(ids)})


def _end(result: Result, *, now: datetime, random: Random) -> tuple[str, datetime | None]:
    """Return what becomes of a call; its last attempt is a day after the first."""
    if result.answer.is_success:
        return CallState.DONE.value, None
    last = result.call.first_at + GIVE_UP
    if now >= last:
        return CallState.GIVEN_UP.value, None
    return CallState.WAITING.value, min(
        now + patience.wait(result.call.attempts, random=random), last
    )


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _judge(endpoint: Endpoint, results: Sequence[Result], *, now: datetime, random: Random) -> None:
    is_gone = any(result.answer.is_gone for result in results)
    if not is_gone and any(result.answer.is_success for result in results):
        _be_well(endpoint, now=now)
        return
    endpoint.failures += len(results)
    endpoint.failing_since = endpoint.failing_since or now
    failing_for = now - endpoint.failing_since
    endpoint.rest_until = now + patience.rest(endpoint.failures, failing_for, random=random)
    endpoint.save(update_fields=["failures", "failing_since", "rest_until"])
    if is_gone:
        _switch_off(endpoint, WhyOff.GONE, now=now)
    elif failing_for >= GIVE_UP:
        _switch_off(endpoint, WhyOff.FAILING, now=now)


def _be_well(endpoint: Endpoint, *, now: datetime) -> None:
    """Let what waited for the endpoint to be back wait no longer."""
    if not endpoint.failures:
        return
    if endpoint.failures >= REST_AFTER:
        waiting = endpoint.calls.waiting().filter(leased_until=None, next_at__gt=now)
        waiting.update(next_at=now)
    endpoint.failures, endpoint.failing_since, endpoint.rest_until = 0, None, None
    endpoint.save(update_fields=["failures", "failing_since", "rest_until"])


def _switch_off(endpoint: Endpoint, why: WhyOff, *, now: datetime) -> None:
    """Tell an endpoint nothing more, and give up what waits: a person can have it made again."""
    given_up = endpoint.calls.waiting().update(
        state=CallState.GIVEN_UP, next_at=None, leased_until=None
    )
    endpoint.is_active, endpoint.why_off, endpoint.notice_due_at = False, why, now
    endpoint.save(update_fields=["is_active", "why_off", "notice_due_at"])
    logger.error(
        "webhook %s was switched off (%s); %s calls that waited are given up",
        endpoint, why.value, given_up,
    )  # fmt: skip


# --- make ---------------------------------------------------------------------------------------


class _Crew:
    """The threads of one endpoint, and what they are at."""

    def __init__(self, ways: Ways, clock: Callable[[], datetime]) -> None:
        self._ways = ways
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS)
        self._line: Line | None = None

    def begin(self, endpoint: Endpoint, calls: Sequence[Claimed]) -> list["Future[Result]"]:
        line = self._line_to(endpoint.url)
        try:
            keys = _secrets(endpoint, now=self._clock())
        except secrets.Undecipherable as error:
            return [_ended(one, Answer(None, f"its secret: {error}")) for one in calls]
        said = payloads.bodies((one.id, one.kind, one.subject, one.at) for one in calls)
        return [
            self._threads.submit(_make, line, one, said[one.id], keys, self._clock) for one in calls
        ]

    def end(self) -> None:
        self._threads.shutdown()
        if self._line is not None:
            self._line.close()

    def _line_to(self, url: str) -> Line:
        if self._line is None or self._line.url != url:
            if self._line is not None:
                self._line.close()
            self._line = Line(url, self._ways)
        return self._line


def _secrets(endpoint: Endpoint, *, now: datetime) -> list[str]:
    found = [secrets.decrypt(endpoint.encrypted_secret)]
    if endpoint.former_secret_until and endpoint.former_secret_until > now:
        found.append(secrets.decrypt(endpoint.encrypted_former_secret))
    return found


def _make(
    line: Line, call: Claimed, body: bytes, keys: Sequence[str], clock: Callable[[], datetime]
) -> Result:
    signed = signing.headers(webhook_id(call.event), body, secrets=keys, now=clock())
    return Result(call, line.post(body, _AGENT | signed))


def _ended(call: Claimed, answer: Answer) -> "Future[Result]":
    ended: Future[Result] = Future()
    ended.set_result(Result(call, answer))
    return ended


class _Shift:
    """The crews of all endpoints, for some seconds."""

    def __init__(self, *, clock: Callable[[], datetime], ways: Ways, lease: timedelta) -> None:
        self._clock = clock
        self._ways = ways
        self._lease = lease
        self._crews: dict[int, _Crew] = {}
        self._open: dict[Future[Result], tuple[int, int]] = {}  # of which endpoint, which call
        self._hungry: set[int] = set()  # endpoints for which there may be calls

    def look(self) -> None:
        """See what was noted, and which endpoints may be called."""
        outbox.collect(now=self._clock())
        callable_ = Endpoint.objects.callable(now=self._clock())
        self._hungry = set(callable_.values_list("pk", flat=True))

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        return bool(self._open)

    def begin(self) -> None:
        """Begin the calls for which there is room."""
        for endpoint_id in sorted(self._hungry):
            if sum(of == endpoint_id for of, _ in self._open.values()) > AHEAD // 2:
                continue
            claimed = claim(endpoint_id, now=self._clock(), lease=self._lease)
            if claimed is None:
                self._hungry.discard(endpoint_id)
            else:
                crew = self._crews.setdefault(endpoint_id, _Crew(self._ways, self._clock))
                begun = zip(crew.begin(*claimed), claimed[1], strict=True)
                self._open |= {future: (endpoint_id, call.id) for future, call in begun}

    def finish(self) -> int:
        """Wait for calls to end, a second at most, and record them; return how many."""
        wait(self._open, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED)
        done = wait(self._open, timeout=GATHER).done
        ended: dict[int, list[Result]] = defaultdict(list)
        for future in done:
            endpoint_id, _ = self._open.pop(future)
            ended[endpoint_id].append(future.result())
        for endpoint_id, results in ended.items():
            if record(endpoint_id, results, now=self._clock()):
                self._hungry.add(endpoint_id)  # what waited behind them may be made now
            else:
                self._hungry.discard(endpoint_id)
                self.let_go(endpoint_id)
        return len(done)

    def let_go(self, endpoint_id: int | None = None) -> None:
        """Give back what was not begun, of one endpoint or of all."""
        wanted = [
            (future, call)
            for future, (of, call) in self._open.items()
            if endpoint_id in (None, of) and future.cancel()
        ]
        for future, _ in wanted:
            del self._open[future]
        if wanted:
            let_go(call for _, call in wanted)

    def end(self) -> None:
        for crew in self._crews.values():
            crew.end()


def work(
    *,
    clock: Callable[[], datetime],
    seconds: float,
    ways: Ways | None = None,
    lease: timedelta = LEASE,
) -> int:
    """Make the calls that are due, for some seconds at most; return how many were made.

    What was begun then is waited for: as long as a call may take, where its endpoint hangs.
    """
    until = time.monotonic() + seconds
    shift = _Shift(clock=clock, ways=ways or Ways.of_installation(), lease=lease)
    made, looked_at = 0, -LOOK_EVERY
    try:
        while True:
            now = time.monotonic()
            is_open = now < until
            if is_open and now - looked_at >= LOOK_EVERY:
                shift.look()
                looked_at = now
            if is_open:
                shift.begin()
            else:
                shift.let_go()
            if not shift.is_busy:
                return made
            made += shift.finish()
    finally:
        shift.end()

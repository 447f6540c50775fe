"""Whose a hit is: a person's, or that of a program that reads mail before, or for, a person.

Pure: hits in, verdicts out. Mail systems fetch pictures and follow links to see what is behind
them, and nothing in a request proves which is which: each rule is a habit of theirs (the sources
are in docs/tracking.md). A change of any rule is a new number of RULES; `manage.py reclassify`
judges by it what was judged before.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from tracking.models import HitKind, Verdict

RULES = 1

TOO_SOON = timedelta(seconds=10)  # after the message was sent
SWEEP = timedelta(seconds=2)
MANY = 3  # different links within a sweep; all of them where a message has two
AT_ONCE = timedelta(seconds=1)  # the pixel, and the only link
PROBED = timedelta(seconds=10)  # between a HEAD and what follows it

# All that Apple's Mail Privacy Protection says of itself, when it loads the pictures of each
# message whether it is read or not.
_APPLE_PREFETCH = "Mozilla/5.0"
# Gmail loads some pictures when a message arrives, under this name; when it is read, by its proxy.
_GMAIL_PREFETCH = "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
# They load pictures when a message is read, and hide whose.
_PROXIES = {"GoogleImageProxy": "gmail_proxy", "YahooMailProxy": "yahoo_proxy"}
# Libraries, browsers without a window, scanners that say so, and who shows what is behind a link.
# (CUBOT makes telephones.)
_PROGRAM = re.compile(
    r"""
      (?<!cu)bot\b | bot/ | crawl | spider | slurp | headless | phantomjs | puppeteer | playwright
    | selenium | curl | wget | python | aiohttp | httpx | urllib | go-http-client | okhttp
    | (?:^|[ ])java(?:/|$) | httpclient | libwww | lwp:: | axios | node-fetch | undici | guzzle
    | (?:^|[ ])php/ | ruby | faraday | winhttp | powershell | postmanruntime | scrapy | mechanize
    | bingpreview | facebookexternalhit | whatsapp | skypeuripreview | embedly | linkpreview
    | scanner | barracuda | proofpoint | mimecast | symantec | trendmicro | forcepoint | ironport
    | zscaler | safelinks | urldefense | virustotal | google-safety | cloudflare-
    """,
    re.IGNORECASE | re.VERBOSE,
)


class Seen(NamedTuple):
    """A request, as far as it says whose it is."""

    kind: str
    number: int | None  # of the link
    at: datetime
    is_head: bool = False
    user_agent: str = ""
    from_scanner: bool = False


class Judgement(NamedTuple):
    verdict: Verdict
    reason: str = ""


def judge(
    hits: Sequence[Seen], *, sent_at: datetime | None, places: int | None = None
) -> list[Judgement]:
    """Return the verdict on each hit of one message, whatever order they are in.

    :param sent_at: None: nobody knows, or nobody is to be told apart
    :param places: how many links the message has; None: nobody knows
    """
    sweeps = _swept(hits, places)
    probed = _probed(hits)
    return [
        _by_itself(hit)
        or _machine("burst", index in sweeps and not _proxy(hit))
        or _machine("after_head", index in probed)
        or _machine("too_soon", _is_too_soon(hit, sent_at))
        or Judgement(Verdict.PERSON, _proxy(hit))
        for index, hit in enumerate(hits)
    ]


def _machine(reason: str, applies: bool = True) -> Judgement | None:
    return Judgement(Verdict.MACHINE, reason) if applies else None


def _by_itself(hit: Seen) -> Judgement | None:
    """Return what the request says by itself."""
    if hit.is_head:
        return _machine("head")
    if hit.from_scanner:
        return _machine("scanner")
    if not hit.user_agent.strip():
        return _machine("no_agent")
    if hit.user_agent.strip() == _APPLE_PREFETCH:
        return _machine("apple_prefetch" if hit.kind == HitKind.OPEN else "program")
    if hit.user_agent.endswith(_GMAIL_PREFETCH):
        return _machine("gmail_prefetch")
    return _machine("program", _is_program(hit.user_agent))


@lru_cache(maxsize=4_096)
def _is_program(user_agent: str) -> bool:
    return bool(_PROGRAM.search(user_agent))


def _proxy(hit: Seen) -> str:
    """Return which proxy loaded a picture for a person; nobody clicks by one."""
    if hit.kind != HitKind.OPEN:
        return ""
    return next((word for name, word in _PROXIES.items() if name in hit.user_agent), "")


def _is_too_soon(hit: Seen, sent_at: datetime | None) -> bool:
    return sent_at is not None and hit.at < sent_at + TOO_SOON and not _proxy(hit)


def _swept(hits: Sequence[Seen], places: int | None) -> set[int]:
    """Return which hits are of a program that follows one link after the other.

    HEAD requests count: they are no person's, and show what the others are.
    """
    clicks = sorted(_of_kind(hits, HitKind.CLICK), key=lambda index: hits[index].at)
    enough = MANY if places is None or places < 2 else min(MANY, places)
    swept = set(_crowded(hits, clicks, enough))
    swept |= _loaded_with(hits, swept)
    return swept | _pixel_and_only_link(hits) if places == 1 else swept


def _of_kind(hits: Sequence[Seen], kind: HitKind) -> Iterator[int]:
    return (index for index, hit in enumerate(hits) if hit.kind == kind)


def _crowded(hits: Sequence[Seen], clicks: Sequence[int], enough: int) -> Iterator[int]:
    """Yield which clicks are within a sweep of so many different links; clicks are in order."""
    numbers: Counter[int | None] = Counter()
    first = told = 0
    for last, index in enumerate(clicks):
        numbers[hits[index].number] += 1
        while hits[index].at - hits[clicks[first]].at > SWEEP:
            leaving = hits[clicks[first]].number
            numbers[leaving] -= 1
            if not numbers[leaving]:
                del numbers[leaving]
            first += 1
        if len(numbers) >= enough:
            yield from clicks[max(first, told) : last + 1]
            told = last + 1


def _loaded_with(hits: Sequence[Seen], swept: set[int]) -> set[int]:
    """Return the pixels that the same program loaded."""
    times: dict[str, list[datetime]] = defaultdict(list)
    for index in swept:
        times[hits[index].user_agent].append(hits[index].at)
    return _near(hits, times, _of_kind(hits, HitKind.OPEN), SWEEP)


def _pixel_and_only_link(hits: Sequence[Seen]) -> set[int]:
    opens = [index for index in _of_kind(hits, HitKind.OPEN) if not _proxy(hits[index])]
    clicks = list(_of_kind(hits, HitKind.CLICK))
    return _near_any(hits, opens, clicks) | _near_any(hits, clicks, opens)


def _near_any(hits: Sequence[Seen], some: Sequence[int], others: Sequence[int]) -> set[int]:
    times = sorted(hits[index].at for index in others)
    return {index for index in some if _has_near(times, hits[index].at, AT_ONCE)}


def _probed(hits: Sequence[Seen]) -> set[int]:
    """Return which hits are of a program that asked by HEAD as well, as no browser does."""
    times: dict[str, list[datetime]] = defaultdict(list)
    for hit in hits:
        if hit.is_head:
            times[hit.user_agent].append(hit.at)
    return _near(hits, times, range(len(hits)), PROBED) if times else set()


def _near(
    hits: Sequence[Seen],
    times: dict[str, list[datetime]],
    indexes: Iterator[int] | range,
    within: timedelta,
) -> set[int]:
    """Return which of these hits are near a time of their own user agent."""
    for each in times.values():
        each.sort()
    return {
        index
        for index in indexes
        if _has_near(times.get(hits[index].user_agent, []), hits[index].at, within)
    }


def _has_near(times: Sequence[datetime], at: datetime, within: timedelta) -> bool:
    """Whether one of the times, which are in order, is no further away than that."""
    place = bisect_left(times, at - within)
    return place < len(times) and times[place] <= at + within

"""Which links of a message lead nowhere."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from campaigns.fetching import Answer, Fetcher
from campaigns.preflight import hosts, markup
from campaigns.preflight.findings import Finding, Place, Severity
from recipients.translatable import Translatable
from templates_app.models import TemplateVersion, VersionVariant
from templates_app.rendering import NotPlain, RenderError, compile_content

MOST_LINKS = 200
_AT_ONCE = 8  # hosts; of each, one after the other
_PAUSE = 0.2  # seconds between two questions to one host
_ENOUGH = 3  # links of a host that does not answer
_SECONDS = 100.0
_UNASKED = -1  # in the place of a status
_OUR_OWN = ("unsubscribe_url", "preferences_url", "view_url")


def targets(
    contents: Iterable[TemplateVersion | VersionVariant], sample: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Return the links to ask for, each once, and those that cannot be written for the sample.

    :param sample: what the templates read of one recipient.
    """
    found: dict[str, None] = {}
    skipped: dict[str, None] = {}
    for content in contents:
        for link in markup.read(content.html).links:
            if any(name in tag for tag in markup.printed(link.href) for name in _OUR_OWN):
                continue
            href = _written(link.href, sample)
            if href is None:
                skipped[link.href] = None
            elif href.startswith(("http://", "https://")):
                found[href.partition("#")[0]] = None
    return list(found), list(skipped)


def _written(href: str, sample: Mapping[str, Any]) -> str | None:
    if not markup.has_tags(href):
        return href
    try:
        compiled = compile_content(subject="-", html="", text=href)
        return compiled.render(dict(sample)).text.strip()
    except (RenderError, NotPlain):  # a part of a loop, or a field that the sample lacks
        return None


def check(
    urls: Iterable[str],
    skipped: Iterable[str],
    *,
    fetcher: Fetcher,
    pause: Callable[[], object] = lambda: time.sleep(_PAUSE),
    seconds: float = _SECONDS,
) -> list[Finding]:
    """Ask for each link, politely, and say which ones are dead.

    :param seconds: after which no more are asked for.
    """
    until = time.monotonic() + seconds
    by_host: dict[str, list[str]] = defaultdict(list)
    listed = list(urls)
    for url in listed[:MOST_LINKS]:
        by_host[urlsplit(url).netloc].append(url)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda one: _ask_all(one, fetcher, pause, until), by_host.values()))
    flat = [answer for some in answers for answer in some]
    findings = [found for answer in flat for found in _judged(answer)]
    unasked = [answer.url for answer in flat if answer.status == _UNASKED]
    return [*findings, *_left_out(unasked + listed[MOST_LINKS:], list(skipped))]


def _ask_all(
    urls: list[str], fetcher: Fetcher, pause: Callable[[], object], until: float
) -> list[Answer]:
    """Ask one host; one that was silent three times is not asked any more."""
    answers: list[Answer] = []
    for place, url in enumerate(urls):
        silent = [answer for answer in answers if not answer.status]
        if len(silent) == _ENOUGH or time.monotonic() >= until:
            return [*answers, *(Answer(left, _UNASKED) for left in urls[place:])]
        if place:
            pause()
        answers.append(_ask(url, fetcher))
    return answers


def _ask(url: str, fetcher: Fetcher) -> Answer:
    if hosts.is_reserved(urlsplit(url).hostname or ""):
        return Answer(url, 200)  # nobody's: to ask would say nothing
    return fetcher.ask(url)


def _judged(answer: Answer) -> Iterator[Finding]:
    shown = answer.url[:100]
    if answer.is_dead:
        said = Translatable(
            "the link %(shown)s leads nowhere: %(problem)s",
            {"shown": shown, "problem": answer.problem},
        )
        remedy = Translatable("Mend it, or take it out.")
        yield Finding(Severity.WARNING, "link-dead", said, remedy, Place.TEMPLATE)
    elif answer.status >= 400:
        said = Translatable(
            "the link %(shown)s could not be followed: %(problem)s",
            {"shown": shown, "problem": answer.problem},
        )
        remedy = Translatable("Open it in a browser: it may be for people who are logged in.")
        yield Finding(Severity.ADVICE, "link-unclear", said, remedy, Place.TEMPLATE)


def _left_out(unasked: list[str], skipped: list[str]) -> Iterator[Finding]:
    if unasked:
        shown = ", ".join(unasked[:5])
        said = Translatable(
            "%(count)s links were not asked for, because that took too long: %(shown)s",
            {"count": len(unasked), "shown": shown},
        )
        yield Finding(Severity.ADVICE, "link-unasked", said, Translatable("Try them by hand."))
    if skipped:
        shown = ", ".join(skipped[:5])
        said = Translatable(
            "links that are other ones for each recipient were not asked for: %(shown)s",
            {"shown": shown},
        )
        yield Finding(
            Severity.ADVICE, "link-unasked", said, Translatable("Try them by a test message.")
        )

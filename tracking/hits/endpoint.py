"""The WSGI callable (PEP 3333) that answers pixels and links; all else goes on to Django.

No request object, no middleware, no cookie, and the database for nothing but where the links of a
run lead, once. A redirect goes to what was in the message when it was sent, and nowhere else.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections

from tracking import registry
from tracking.hits.answers import (
    AWAY,
    NOT_ALLOWED,
    NOT_FOUND,
    PIXEL,
    REDIRECT,
    Answer,
    Environ,
    Header,
    StartResponse,
)
from tracking.hits.stream import Arrival, Stream, connect
from tracking.hits.targets import Targets
from tracking.hits.visitors import Visitors, user_agent
from tracking.hits.writer import Writer
from tracking.links import CLICK_PATH, OPEN_PATH, key_ring
from tracking.tokens import BadToken, Hit, KeyRing, Kind, read_hit

Application = Callable[[Any, Any], Iterable[bytes]]

_LONGEST_NUMBER = 5  # digits; there are fewer than 32,768 links

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Answers `/o/TOKEN` and `/c/TOKEN/NUMBER`; there is one in each process."""

    django: Application
    writer: Writer
    targets: Targets
    ring: KeyRing
    visitors: Visitors
    is_secure: Callable[[Environ], bool]
    hsts: tuple[Header, ...] = ()
    clock: Callable[[], float] = time.time

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if path.startswith(OPEN_PATH):
            return self._open(path[len(OPEN_PATH) :], environ, start_response)
        if path.startswith(CLICK_PATH):
            token, slash, number = path[len(CLICK_PATH) :].partition("/")
            if slash:  # without one it is a page of Django's, for confirming
                return self._click(token, number, environ, start_response)
        return self.django(environ, start_response)

    def _open(self, token: str, environ: Environ, start_response: StartResponse) -> list[bytes]:
        if not _is_safe(environ):
            return self._give(NOT_ALLOWED, environ, start_response)
        try:
            hit = read_hit(token, kind=Kind.OPEN, ring=self.ring)
        except BadToken:
            pass  # the same picture: who guesses tokens learns nothing
        else:
            self._note(hit, None, environ)
        return self._give(PIXEL, environ, start_response)

    def _click(
        self, token: str, number: str, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        if not _is_safe(environ):
            return self._give(NOT_ALLOWED, environ, start_response)
        try:
            hit = read_hit(token, kind=Kind.CLICK, ring=self.ring)
            link = _number(number)
            target = self.targets.find(hit.run_id, link)
        except (BadToken, LookupError):
            return self._give(NOT_FOUND, environ, start_response)
        except DatabaseError:
            logger.exception("A link cannot be looked up")
            return self._give(AWAY, environ, start_response)
        self._note(hit, link, environ)
        if target == registry.PERSONAL:
            return self.django(environ, start_response)
        return self._give(REDIRECT, environ, start_response, ("Location", target))

    def _note(self, hit: Hit, number: int | None, environ: Environ) -> None:
        network, from_scanner = self.visitors.place(environ)
        arrival = Arrival(
            hit.run_id,
            hit.delivery_id,
            number,
            int(self.clock() * 1000),
            environ["REQUEST_METHOD"] == "HEAD",
            user_agent(environ),
            network,
            from_scanner,
        )
        self.writer.put(arrival)

    def _give(
        self, answer: Answer, environ: Environ, start_response: StartResponse, *more: Header
    ) -> list[bytes]:
        # RFC 6797 7.2: not over a connection that anybody could have written into.
        hsts = self.hsts if self.hsts and self.is_secure(environ) else ()
        return answer.give(environ, start_response, *more, *hsts)


def in_front_of(django: Application) -> Endpoint:
    """Return the callable of this process, as the settings want it."""
    client = connect()
    return Endpoint(
        django=django,
        writer=Writer(Stream(client)),
        targets=Targets(client, _in_database),
        ring=key_ring(),
        visitors=Visitors(keep_networks=settings.HIT_NETWORKS, scanners=settings.SCANNER_NETWORKS),
        is_secure=_is_secure,
        hsts=_hsts(),
    )


def _in_database(run_id: int) -> list[str]:
    close_old_connections()  # as Django does at the begin of a request
    return registry.targets_of_run(run_id)


def _is_safe(environ: Environ) -> bool:
    return environ["REQUEST_METHOD"] in {"GET", "HEAD"}


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise LookupError(text)
    return int(text)


def _is_secure(environ: Environ) -> bool:
    """Tell whether a request came by TLS, as HttpRequest.is_secure does."""
    if not settings.BEHIND_PROXY:
        return bool(environ["wsgi.url_scheme"] == "https")
    return str(environ.get("HTTP_X_FORWARDED_PROTO", "")).partition(",")[0].strip() == "https"


def _hsts() -> tuple[Header, ...]:
    """Return what SecurityMiddleware adds to Django's own pages."""
    if not settings.SECURE_HSTS_SECONDS:
        return ()
    value = f"max-age={settings.SECURE_HSTS_SECONDS}"
    value += "; includeSubDomains" * settings.SECURE_HSTS_INCLUDE_SUBDOMAINS
    value += "; preload" * settings.SECURE_HSTS_PRELOAD
    return (("Strict-Transport-Security", value),)

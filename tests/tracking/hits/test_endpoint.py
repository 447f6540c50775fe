import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.db import OperationalError
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image
from pytest_django.fixtures import Settings

from tracking.hits.endpoint import Endpoint, in_front_of
from tracking.hits.stream import Arrival, Stream, connect
from tracking.hits.targets import Targets, store
from tracking.links import click_url, open_url
from tracking.models import HitKind
from tracking.registry import PERSONAL
from tracking.tokens import NOBODY

RUN, DELIVERY = 7, 123
TARGETS = ["https://example.org/a?x=1&y=2", PERSONAL, "http://example.net/%C3%A9%20b"]


def path_of(url: str) -> str:
    return url.removeprefix(django_settings.SITE_URL)


OPEN = path_of(open_url(DELIVERY, RUN))
CLICK = path_of(click_url(DELIVERY, RUN))


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(endpoint: Endpoint, path: str, method: str = "GET", **environ: str) -> Response:
    """Send a request as a WSGI server does."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        begun.append((status, headers))

    request = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.url_scheme": "http", **environ}
    body = b"".join(endpoint(request, start_response))
    [(status, headers)] = begun
    assert len(dict(headers)) == len(headers)
    return Response(int(status[:3]), dict(headers), body)


def django(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("X-From", "Django")])
    return [environ["PATH_INFO"].encode("latin-1")]


@pytest.fixture
def endpoint(broker: redis.Redis) -> Endpoint:
    store(RUN, TARGETS, client=broker)
    return with_database(lambda run_id: [])


def with_database(of_run: Callable[[int], list[str]]) -> Endpoint:
    return replace(in_front_of(django), targets=Targets(connect(), of_run))


def hits(broker: redis.Redis) -> list[Arrival]:
    entries = Stream(broker).read(consumer="test", most=1_000, claim_after_ms=0)
    return [hit for entry in entries for hit in entry.hits.values()]


# --- pixels -----------------------------------------------------------------------------------


def test_a_pixel_is_one_transparent_point_that_nobody_keeps(
    endpoint: Endpoint, broker: redis.Redis
) -> None:
    answer = ask(endpoint, OPEN, HTTP_USER_AGENT="Mozilla/5.0 (X11)")

    picture = Image.open(io.BytesIO(answer.body))
    assert answer.status == 200
    assert answer.headers == {
        "Content-Type": "image/gif",
        "Content-Length": "43",
        "Cache-Control": "no-store, private",
    }
    assert picture.format == "GIF"
    assert (picture.size, picture.convert("RGBA").getpixel((0, 0))) == ((1, 1), (0, 0, 0, 0))
    [hit] = hits(broker)
    assert (hit.kind, hit.run_id, hit.delivery_id) == (HitKind.OPEN, RUN, DELIVERY)
    assert (hit.user_agent, hit.is_head, hit.network) == ("Mozilla/5.0 (X11)", False, "")


def test_a_forged_pixel_looks_the_same_and_stores_nothing(
    endpoint: Endpoint, broker: redis.Redis
) -> None:
    genuine = ask(endpoint, OPEN)
    token = OPEN.removeprefix("/o/")
    click_token = CLICK.removeprefix("/c/").rstrip("/")
    forged = [token[:at] + ("A" if char != "A" else "B") + token[at + 1 :]
              for at, char in enumerate(token)]  # fmt: skip

    for path in [*forged, click_token, "", token + "/", token * 100, "\x00", "é", "../" * 9]:
        assert ask(endpoint, f"/o/{path}") == genuine, path

    assert len(hits(broker)) == 1


def test_head_is_answered_without_a_body_and_marked(
    endpoint: Endpoint, broker: redis.Redis
) -> None:
    for path in (OPEN, CLICK + "0"):
        full, head = ask(endpoint, path), ask(endpoint, path, "HEAD")

        assert (head.status, head.headers, head.body) == (full.status, full.headers, b"")

    assert [hit.is_head for hit in hits(broker)] == [False, True, False, True]


# --- links ------------------------------------------------------------------------------------


def test_a_link_leads_to_what_is_stored_and_leaves_no_trace(
    endpoint: Endpoint, broker: redis.Redis
) -> None:
    answer = ask(endpoint, CLICK + "0", HTTP_COOKIE="a=b", QUERY_STRING="url=http://evil.example")

    assert answer.status == 302
    assert answer.headers == {
        "Location": "https://example.org/a?x=1&y=2",
        "Content-Length": "0",
        "Cache-Control": "no-store, private",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
    }
    [hit] = hits(broker)
    assert (hit.kind, hit.delivery_id, hit.number) == (HitKind.CLICK, DELIVERY, 0)


def test_a_link_of_an_anonymous_run_names_nobody(endpoint: Endpoint, broker: redis.Redis) -> None:
    ask(endpoint, path_of(click_url(NOBODY, RUN)) + "0")

    assert [hit.delivery_id for hit in hits(broker)] == [NOBODY]


def test_a_personal_link_is_noted_and_goes_on_to_django(
    endpoint: Endpoint, broker: redis.Redis
) -> None:
    answer = ask(endpoint, CLICK + "1")

    assert (answer.headers, answer.body) == ({"X-From": "Django"}, f"{CLICK}1".encode())
    assert [hit.number for hit in hits(broker)] == [1]


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(max_codepoint=255), max_size=50),
    st.sampled_from(["/c/", "/c//", CLICK, CLICK + "/", CLICK[:-2] + "/", OPEN + "/"]),
    st.text(st.characters(max_codepoint=255), max_size=20),
)
@example("1", "/c/https://evil.example/", "")
@example("//evil.example", CLICK, "")
@example("00000", CLICK, "")
@example("\xb2", CLICK, "")  # a digit, but no number
@example("-1", CLICK, "")
@example("99999999999999999999", CLICK, "")
def test_no_request_leads_anywhere_but_to_what_is_stored(
    endpoint: Endpoint, middle: str, start: str, end: str
) -> None:
    answer = ask(endpoint, start + middle + end, HTTP_USER_AGENT=middle, QUERY_STRING=end)

    assert answer.status in {200, 302, 404}
    assert answer.headers.get("Location") in {None, TARGETS[0], TARGETS[2]}


def test_an_unknown_link_says_so_and_stores_nothing(
    endpoint: Endpoint, broker: redis.Redis
) -> None:
    of_no_run = path_of(click_url(DELIVERY, RUN + 1)) + "0"
    open_token = OPEN.removeprefix("/o/")

    for path in (CLICK + "3", CLICK, of_no_run, f"/c/{open_token}/0"):
        answer = ask(endpoint, path)
        assert answer.status == 404, path
        assert b"This link leads nowhere" in answer.body
        assert answer.headers["Cache-Control"] == "no-store, private"
        assert "Location" not in answer.headers

    assert hits(broker) == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get", "\x00"])
def test_other_methods_are_refused(endpoint: Endpoint, broker: redis.Redis, method: str) -> None:
    for path in (OPEN, CLICK + "0", "/o/forged", "/c/forged/1"):
        answer = ask(endpoint, path, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")

    assert hits(broker) == []


@pytest.mark.parametrize("path", ["/", "", "/o", "/c", "/c/" + "0f" * 20, "/O/x", "/oo/", "/u/x/1"])
def test_all_else_goes_on_to_django(endpoint: Endpoint, path: str) -> None:
    answer = ask(endpoint, path, "POST")

    assert (answer.headers, answer.body) == ({"X-From": "Django"}, path.encode())


# --- what is known of who asks ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "kept"),
    [
        ("x" * 301, "x" * 300),
        ("a\tb\nc\x00d\x7f", "a b c d "),
        ("caf\xc3\xa9", "café"),
        ("\xff\xfe", "\ufffd\ufffd"),
        ("\xe2\x80\xa8", " "),  # U+2028, a line separator
        ("\u4e2d", "?"),  # which no server may pass on
        ("\xc3\xa9" * 4000, "é" * 300),
    ],
)
def test_a_user_agent_is_printable_and_short(
    endpoint: Endpoint, broker: redis.Redis, agent: str, kept: str
) -> None:
    ask(endpoint, OPEN, HTTP_USER_AGENT=agent)

    assert [hit.user_agent for hit in hits(broker)] == [kept]


@pytest.mark.parametrize(
    ("peer", "forwarded", "behind_proxy", "network", "is_scanner"),
    [
        ("192.0.2.77", "", False, "192.0.2.0/24", True),
        ("198.51.100.1", "192.0.2.77", False, "198.51.100.0/24", False),
        ("198.51.100.1", "203.0.113.9, 192.0.2.77", True, "192.0.2.0/24", True),
        ("198.51.100.1", "garbage", True, "198.51.100.0/24", False),
        ("::ffff:192.0.2.77", "", False, "192.0.2.0/24", True),
        ("2001:db8:1:2::3", "", False, "2001:db8:1::/48", False),
        ("", "", False, "", False),
    ],
)
def test_the_network_is_kept_where_that_is_wanted_and_never_the_address(
    broker: redis.Redis,
    settings: Settings,
    peer: str,
    forwarded: str,
    behind_proxy: bool,
    network: str,
    is_scanner: bool,
) -> None:
    settings.BEHIND_PROXY, settings.SCANNER_NETWORKS = behind_proxy, ("192.0.2.64/26",)
    for settings.HIT_NETWORKS in (True, False):
        ask(in_front_of(django), OPEN, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)

    assert [(hit.network, hit.from_scanner) for hit in hits(broker)] == [
        (network, is_scanner),
        ("", is_scanner),
    ]


@pytest.mark.parametrize(
    ("behind_proxy", "scheme", "forwarded", "is_secure"),
    [
        (False, "http", "https", False),
        (False, "https", "", True),
        (True, "http", "https", True),
        (True, "http", "https, http", True),
        (True, "http", "", False),
    ],
)
def test_who_came_by_tls_is_told_to_stay(
    broker: redis.Redis,
    settings: Settings,
    behind_proxy: bool,
    scheme: str,
    forwarded: str,
    is_secure: bool,
) -> None:
    settings.BEHIND_PROXY, settings.SECURE_HSTS_SECONDS = behind_proxy, 60
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    environ = {"wsgi.url_scheme": scheme, "HTTP_X_FORWARDED_PROTO": forwarded}

    answer = ask(in_front_of(django), OPEN, **environ)

    said = answer.headers.get("Strict-Transport-Security")
    assert said == ("max-age=60; includeSubDomains; preload" if is_secure else None)


# --- where the database is away ---------------------------------------------------------------


def test_only_what_neither_memory_nor_redis_knows_needs_the_database(broker: redis.Redis) -> None:
    def away(run_id: int) -> list[str]:
        raise OperationalError("connection refused")

    endpoint = with_database(away)

    unknown = ask(endpoint, CLICK + "0")
    store(RUN, TARGETS, client=broker)
    from_redis = ask(endpoint, CLICK + "0")
    broker.flushall()
    from_memory = ask(endpoint, CLICK + "0")

    assert (unknown.status, unknown.headers["Retry-After"]) == (503, "30")
    assert b"Follow it again in a minute" in unknown.body
    assert (from_redis.status, from_memory.status) == (302, 302)
    assert len(hits(broker)) == 1

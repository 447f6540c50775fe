"""What `benchmark_tracking` compares with: a redirect by the same server that stores nothing."""

from collections.abc import Callable

_HEADERS = [
    ("Cache-Control", "no-store, private"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Robots-Tag", "noindex"),
    ("Content-Length", "0"),
    ("Location", "https://shore.example/tide-tables?utm_source=newsletter"),
]


def application(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
    start_response("302 Found", list(_HEADERS))
    return [b""]

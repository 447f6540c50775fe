"""What Prometheus reads, and who may."""

import os
from hmac import compare_digest
from ipaddress import ip_network

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from config.metrics import shared
from config.metrics.collecting import Godwit
from recipients.origin import client_address

_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Say in Prometheus' words what the installation does, and what its web processes answered."""
    if not (_has_token(request) or _is_near(request)):
        return HttpResponse("forbidden\n", content_type="text/plain", status=403)
    registry = CollectorRegistry()
    registry.register(Godwit())
    body = generate_latest(registry)
    return HttpResponse(body + _of_requests(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _of_requests() -> bytes:
    """Return what all processes of this server counted, or this one where it is alone."""
    if shared.VARIABLE not in os.environ:
        return generate_latest(REGISTRY)
    shared.forget_the_dead()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not settings.METRICS_TOKEN or scheme.lower() != "bearer":
        return False
    return compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())


def _is_near(request: HttpRequest) -> bool:
    """Whether it comes from a network that may read.

    Through a proxy that nobody has told us of, everybody would come from its address.
    """
    if not settings.BEHIND_PROXY and any(header in request.META for header in _FORWARDED):
        return False
    address = client_address(request.META)
    return address is not None and any(
        address in ip_network(network) for network in settings.METRICS_NETWORKS
    )

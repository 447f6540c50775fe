"""What other programs are told, where a variable asks for it: errors Sentry, traces a collector.

Without addresses, bodies and local variables.
"""

from typing import Any

from django.conf import settings

from config.logs import without_addresses


def start() -> None:
    """Have this process tell what the settings want told."""
    if settings.SENTRY_DSN:
        _start_sentry()
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        _start_tracing()


def _start_sentry() -> None:
    # Here: it takes a tenth of a second, and most installations have none.
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=scrub,
        before_breadcrumb=scrub,
    )


def scrub(event: Any, _hint: Any) -> Any:
    """Return what is to be sent without addresses, wherever in it they are."""
    return without_addresses(event)


def _start_tracing() -> None:
    """Trace requests and the engine's tasks; a worker's children begin threads of their own."""
    from opentelemetry import trace
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from config.spans import MaskingExporter

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "godwit"}))
    provider.add_span_processor(BatchSpanProcessor(MaskingExporter()))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument()
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]

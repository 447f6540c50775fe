"""Traces as they leave: imported only where OTEL_EXPORTER_OTLP_ENDPOINT asks for them."""

from collections.abc import Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Status

from config.logs import masked, without_addresses


class MaskingExporter(OTLPSpanExporter):
    """Sends spans without addresses: one may stand in a URL, or in what an exception says."""

    def export(self, spans: Sequence[ReadableSpan], *args: Any, **options: Any) -> SpanExportResult:
        return super().export([without_address(span) for span in spans], *args, **options)


def without_address(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=masked(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=without_addresses(span.attributes),
        events=[
            Event(masked(event.name), without_addresses(event.attributes), event.timestamp)
            for event in span.events
        ],
        links=span.links,
        kind=span.kind,
        status=Status(
            span.status.status_code,
            masked(span.status.description) if span.status.description else None,
        ),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )

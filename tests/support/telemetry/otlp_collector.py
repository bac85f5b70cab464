"""Real OTLP endpoints, for gRPC and HTTP, that keep what is exported to them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiohttp import web
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc


@dataclass(frozen=True, slots=True)
class ExportedSpan:
    """A span as it arrived. Ids are hexadecimal; `parent` is empty for a root."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent: str
    attributes: dict[str, Any]
    events: tuple[tuple[str, dict[str, Any]], ...]
    is_error: bool
    description: str
    began_ns: int


@dataclass
class Collector:
    """Keeps the exported spans and metrics."""

    endpoint: str = ""
    spans: list[ExportedSpan] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    # The metadata or headers of every export.
    headers: list[dict[str, str]] = field(default_factory=list)
    # Every export as text, to check that it does not contain a secret.
    raw: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return all exports as text."""
        return "\n".join(self.raw)

    def trace(self, trace_id: str) -> list[ExportedSpan]:
        """Return the spans of one trace."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def keep_spans(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        self.raw.append(json.dumps(MessageToDict(request), ensure_ascii=False))
        for batch in request.resource_spans:
            resource = _attributes(batch.resource.attributes)
            self.resources.append(resource)
            self.spans += [
                _exported_span(str(resource["service.name"]), span)
                for scope in batch.scope_spans
                for span in scope.spans
            ]

    def keep_metrics(self, request: metrics_service_pb2.ExportMetricsServiceRequest) -> None:
        self.raw.append(json.dumps(MessageToDict(request), ensure_ascii=False))
        for batch in request.resource_metrics:
            for scope in batch.scope_metrics:
                for metric in scope.metrics:
                    data: Any = getattr(metric, str(metric.WhichOneof("data")))
                    points = [_attributes(point.attributes) for point in data.data_points]
                    self.metrics.setdefault(metric.name, []).extend(points)


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def Export(self, request: Any, context: Any) -> Any:
        self._collector.headers.append(dict(context.invocation_metadata()))
        self._collector.keep_spans(request)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def Export(self, request: Any, context: Any) -> Any:
        self._collector.headers.append(dict(context.invocation_metadata()))
        self._collector.keep_metrics(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


@asynccontextmanager
async def collecting(
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncIterator[Collector]:
    """Run a collector by gRPC while the block runs, with TLS if there are credentials."""
    collector, server = Collector(), grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(collector), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(collector), server)
    address = "127.0.0.1:0"
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    await server.start()
    collector.endpoint = f"{'http' if credentials is None else 'https'}://127.0.0.1:{port}"
    try:
        yield collector
    finally:
        await server.stop(None)


@asynccontextmanager
async def collecting_http() -> AsyncIterator[Collector]:
    """Run a collector by HTTP while the block runs."""
    collector = Collector()

    async def traces(request: web.Request) -> web.Response:
        collector.headers.append(dict(request.headers))
        message = trace_service_pb2.ExportTraceServiceRequest.FromString(await request.read())
        collector.keep_spans(message)
        return web.Response()

    async def metrics(request: web.Request) -> web.Response:
        collector.headers.append(dict(request.headers))
        message = metrics_service_pb2.ExportMetricsServiceRequest.FromString(await request.read())
        collector.keep_metrics(message)
        return web.Response()

    application = web.Application()
    application.add_routes([web.post("/v1/traces", traces), web.post("/v1/metrics", metrics)])
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        collector.endpoint = f"http://{host}:{port}"
        yield collector
    finally:
        await runner.cleanup()


def _exported_span(service: str, span: Any) -> ExportedSpan:
    return ExportedSpan(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes=_attributes(span.attributes),
        events=tuple((event.name, _attributes(event.attributes)) for event in span.events),
        is_error=span.status.code == span.status.STATUS_CODE_ERROR,
        description=span.status.message,
        began_ns=span.start_time_unix_nano,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}

"""Traces: a span per call, children of the caller's; nothing is loaded where nobody listens."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import (
    trace_service_pb2,
    trace_service_pb2_grpc,
)

from services.chassis import correlation, telemetry
from services.chassis.channels import StoryChannel, story
from services.chassis.errors import OverloadedError
from services.chassis.settings import ServerSettings, TelemetrySettings
from tests.echo_service import Echo, echo_server, path
from tests.rich_status import refusal

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """An OTLP endpoint that keeps what it gets."""

    def __init__(self) -> None:
        self.endpoint = ""
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []

    async def Export(self, request: Any, context: Any) -> Any:
        """Keep the spans and who sent them."""
        for batch in request.resource_spans:
            self.resources.append(
                {each.key: each.value.string_value for each in batch.resource.attributes}
            )
            self.spans += [span for scope in batch.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    @asynccontextmanager
    async def traced_server(self, **service: Any) -> AsyncIterator[Echo]:
        """An echo server that exports its spans here; all have come when the block ends."""
        settings = TelemetrySettings(otlp_endpoint=self.endpoint)
        async with (
            telemetry.exporting("echo", ServerSettings(instance_id="echo-1"), settings) as spans,
            echo_server(spans=spans, **service) as echo,
        ):
            yield echo


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens."""
    collector, server = Collector(), grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    collector.endpoint = f"http://127.0.0.1:{port}"
    yield collector
    await server.stop(None)


async def test_a_call_is_a_span_below_its_callers() -> None:
    """The span continues the caller's trace, and is what the handler's story goes on with."""
    seen: list[str] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        seen.append(correlation.current().traceparent)
        return request

    async with collecting() as collector, collector.traced_server(unary=unary) as echo:
        await echo.unary(metadata=(("traceparent", TRACEPARENT),))

    (span,) = collector.spans
    assert span.name == path("Unary")
    assert span.trace_id.hex() == TRACE_ID
    assert span.parent_span_id.hex() == "00f067aa0ba902b7"
    assert seen == [f"00-{TRACE_ID}-{span.span_id.hex()}-01"]
    assert collector.resources[0]["service.name"] == "echo"
    assert collector.resources[0]["service.instance.id"] == "echo-1"


async def test_all_kinds_of_call_and_refusals_have_spans_and_health_has_none() -> None:
    """A health watch never ends, so it is left out; an error's span carries its code."""

    async def overloaded(request: StringValue, context: Any) -> None:
        raise OverloadedError(limit=1)

    async with collecting() as collector, collector.traced_server(unary=overloaded) as echo:
        refused = await refusal(echo.unary())
        [_ async for _ in echo.unary_stream("abc")]
        await echo.stream_unary("a", "b")
        [_ async for _ in echo.stream_stream("a", "b")]
        health: Any = health_pb2_grpc.HealthStub(echo.channel)
        await health.Check(health_pb2.HealthCheckRequest())
        await health.Watch(health_pb2.HealthCheckRequest()).read()

    assert refused.reason == "OVERLOADED"
    assert refused.trailers["grpc-retry-pushback-ms"] == "100"
    codes = {
        span.name: next(
            each.value.int_value for each in span.attributes if each.key == "rpc.grpc.status_code"
        )
        for span in collector.spans
    }
    assert codes == {
        path("Unary"): grpc.StatusCode.RESOURCE_EXHAUSTED.value[0],
        path("UnaryStream"): 0,
        path("StreamUnary"): 0,
        path("StreamStream"): 0,
    }


async def test_without_an_endpoint_there_are_no_spans() -> None:
    """Tracing is on when OTEL_EXPORTER_OTLP_ENDPOINT is set, and only then."""
    async with telemetry.exporting("echo", ServerSettings(), TelemetrySettings()) as spans:
        assert spans is None


def test_without_an_endpoint_opentelemetry_is_not_loaded() -> None:
    """An idle service stays small: the SDK and its exporter cost tens of megabytes."""
    program = (
        "import sys, services.chassis.server\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={"PYTHONPATH": f"{root}:{root / 'generated'}"},
    )

    assert done.stdout.strip() == "[]"


async def test_the_story_goes_on_in_the_next_service() -> None:
    """A call made inside a handler carries correlation id and traceparent of its caller."""
    seen: list[correlation.Correlation] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        seen.append(correlation.current())
        return request

    async with echo_server(unary=unary) as second:
        told = StoryChannel(second.channel)

        async def ask_second(request: StringValue, context: Any) -> StringValue:
            return await Echo(second.server, told).unary("on", metadata=(("more", "yes"),))

        async with echo_server(unary=ask_second) as first:
            await first.unary(
                metadata=(("tradepost-correlation-id", "basket-7"), ("traceparent", TRACEPARENT))
            )

    assert seen == [correlation.Correlation("basket-7", traceparent=TRACEPARENT)]


async def test_all_kinds_of_call_tell_the_story() -> None:
    """Streams too, and outside of a story nothing is said."""
    seen: list[str] = []

    def note() -> None:
        seen.append(correlation.current().correlation_id)

    async def stream(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        note()
        yield request

    async def join(requests: Any, context: Any) -> StringValue:
        note()
        return StringValue()

    async def both(requests: Any, context: Any) -> AsyncIterator[StringValue]:
        note()
        yield StringValue()

    async with echo_server(unary_stream=stream, stream_unary=join, stream_stream=both) as echo:
        told = Echo(echo.server, StoryChannel(echo.channel))
        before = story()
        token = correlation.bind(correlation.Correlation("basket-7"))
        [_ async for _ in told.unary_stream("a")]
        await told.stream_unary("a")
        [_ async for _ in told.stream_stream("a")]
        token.var.reset(token)

    assert before == ()
    assert seen == ["basket-7"] * 3

"""Traces and metrics of a process, and the correlation of outgoing calls."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from discovery.clock import Clock, SystemClock
from scripts.tools.paths import ROOT
from services.chassis.channels import CorrelatedChannel, correlation_metadata, participant_channel
from services.chassis.ids import IdFactory
from services.chassis.server import instrumentation
from services.chassis.server.errors import OverloadedError
from services.chassis.server.instrumentation import Recorders
from services.chassis.server.settings import (
    ServerSettings,
)
from services.chassis.telemetry import correlation, otlp
from services.chassis.telemetry.settings import TelemetrySettings
from tests.support.chassis.echo_service import CONTRACT, Echo, echo_server, path
from tests.support.chassis.rich_status import refusal
from tests.support.clock.manual_clock import ManualClock
from tests.support.identity.known_callers import KnownCallers, bearer
from tests.support.limits import WAIT_S
from tests.support.telemetry.otlp_collector import Collector, collecting

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


@asynccontextmanager
async def traced_server(collector: Collector, **service: Any) -> AsyncIterator[Echo]:
    """Run an echo server that exports its spans; all have arrived when the block ends."""
    async with (
        exporting(collector) as recorders,
        echo_server(recorders=recorders, **service) as echo,
    ):
        yield echo


def exporting(
    collector: Collector, *, clock: Clock | None = None, **settings: Any
) -> AbstractAsyncContextManager[Recorders | None]:
    """Export the spans of an instance named echo-1."""
    return instrumentation.exporting(
        "echo",
        ServerSettings(instance_id="echo-1"),
        TelemetrySettings(otlp_endpoint=collector.endpoint, **settings),
        clock=clock or SystemClock(),
        ids=IdFactory(clock=SystemClock(), rng=random.Random(1)),
    )


async def test_a_call_is_a_span_in_its_callers_trace() -> None:
    """The span continues the caller's trace, and the handler's correlation refers to it."""
    seen: list[str] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        seen.append(correlation.current().traceparent)
        return request

    async with collecting() as collector, traced_server(collector, unary=unary) as echo:
        await echo.unary(metadata=(("traceparent", TRACEPARENT),))

    (span,) = collector.spans
    assert span.name == path("Unary")
    assert (span.trace_id, span.parent) == (TRACE_ID, "00f067aa0ba902b7")
    assert seen == [f"00-{TRACE_ID}-{span.span_id}-01"]
    assert collector.resources[0]["service.name"] == "echo"
    assert collector.resources[0]["service.instance.id"] == "echo-1"


async def test_all_kinds_of_call_and_refusals_have_spans_and_health_has_none() -> None:
    """Health has no spans, because a watch never ends; an error's span has its code."""

    async def overloaded(request: StringValue, context: Any) -> None:
        raise OverloadedError(limit=1, setting="TRADEPOST_MAX_WAITING")

    async with collecting() as collector, traced_server(collector, unary=overloaded) as echo:
        refused = await refusal(echo.unary())
        [_ async for _ in echo.unary_stream("abc")]
        await echo.stream_unary("a", "b")
        [_ async for _ in echo.stream_stream("a", "b")]
        health: Any = health_pb2_grpc.HealthStub(echo.channel)
        await health.Check(health_pb2.HealthCheckRequest())
        await health.Watch(health_pb2.HealthCheckRequest()).read()

    assert refused.reason == "OVERLOADED"
    assert refused.trailers["grpc-retry-pushback-ms"] == "100"
    codes = {span.name: span.attributes["rpc.grpc.status_code"] for span in collector.spans}
    assert codes == {
        path("Unary"): grpc.StatusCode.RESOURCE_EXHAUSTED.value[0],
        path("UnaryStream"): 0,
        path("StreamUnary"): 0,
        path("StreamStream"): 0,
    }


async def test_free_text_of_an_error_is_not_exported() -> None:
    """Codes and types are exported, but not texts, which may repeat what a caller sent."""

    async def unary(request: StringValue, context: Any) -> StringValue:
        if request.value == "abort":
            await context.abort(grpc.StatusCode.NOT_FOUND, "canary")
        raise ValueError("canary")

    async with collecting() as collector, traced_server(collector, unary=unary) as echo:
        bug = await refusal(echo.unary("bug"))
        with pytest.raises(grpc.aio.AioRpcError):
            await echo.unary("abort")

    assert bug.reason == "INTERNAL"
    codes = [span.attributes["rpc.grpc.status_code"] for span in collector.spans]
    assert codes == [grpc.StatusCode.INTERNAL.value[0], grpc.StatusCode.NOT_FOUND.value[0]]
    assert [span.is_error for span in collector.spans] == [True, False]
    assert [(span.events, span.description) for span in collector.spans] == [((), "")] * 2
    assert "canary" not in collector.text()


async def test_a_channel_of_a_traced_process_records_its_calls() -> None:
    """Spans and metrics reach the endpoint, and the next service continues the attempt's span."""
    async with (
        collecting() as collector,
        traced_server(collector) as echo,
        exporting(collector) as recorders,
        participant_channel(
            f"static:///{echo.server.endpoint}",
            contract=CONTRACT,
            clock=SystemClock(),
            rng=random.Random(7),
            recorders=recorders,
        ) as channel,
    ):
        correlation.bind(correlation.Correlation("basket-7", traceparent=TRACEPARENT))
        await Echo(echo.server, channel).unary()

    by_name = {span.name.partition(".")[0]: span for span in collector.spans}
    call, attempt, answer = by_name["Sent"], by_name["Attempt"], by_name["/tradepost"]
    assert call.parent == "00f067aa0ba902b7"
    assert (attempt.parent, answer.parent) == (call.span_id, attempt.span_id)
    assert {span.trace_id for span in collector.spans} == {TRACE_ID}
    assert set(collector.metrics) >= {"grpc.client.attempt.started", "grpc.client.call.duration"}


async def test_an_unreachable_collector_does_not_delay_the_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After two seconds the rest is dropped, even while an export is still trying."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    clock, unreachable = ManualClock(), Collector(endpoint="http://127.0.0.1:1")
    async with (
        asyncio.timeout(WAIT_S),
        asyncio.TaskGroup() as group,
        exporting(unreachable, clock=clock) as recorders,
    ):
        assert recorders is not None
        recorders.tracer_provider.get_tracer("test").start_span("unsent").end()
        group.create_task(pass_flush_timeout(clock))


async def pass_flush_timeout(clock: ManualClock) -> None:
    await clock.wait_for_sleepers()
    await clock.advance(otlp.FLUSH_TIMEOUT_S)


async def test_metrics_can_be_left_out() -> None:
    """OTEL_METRICS_EXPORTER=none exports traces only."""
    async with collecting() as collector, exporting(collector, metrics="none") as recorders:
        assert recorders is not None
        assert recorders.meter_provider is None


async def test_without_an_endpoint_there_are_no_spans() -> None:
    """Tracing is on only if OTEL_EXPORTER_OTLP_ENDPOINT is set."""
    async with exporting(Collector()) as recorders:
        assert recorders is None


def test_without_an_endpoint_opentelemetry_is_not_loaded() -> None:
    """Without an endpoint OpenTelemetry is not imported: it costs tens of megabytes."""
    program = (
        "import sys, services.chassis.server.lifecycle\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    root = ROOT
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={"PYTHONPATH": f"{root}:{root / 'generated'}"},
    )

    assert done.stdout.strip() == "[]"


async def test_the_correlation_is_passed_to_the_next_service() -> None:
    """A call made in a handler carries the correlation id and traceparent of its caller."""
    seen: list[correlation.Correlation] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        seen.append(correlation.current())
        return request

    async with echo_server(unary=unary) as second:
        channel = CorrelatedChannel(second.channel)

        async def ask_second(request: StringValue, context: Any) -> StringValue:
            return await Echo(second.server, channel).unary("on", metadata=(("more", "yes"),))

        async with echo_server(unary=ask_second) as first:
            await first.unary(
                metadata=(("tradepost-correlation-id", "basket-7"), ("traceparent", TRACEPARENT))
            )

    assert seen == [correlation.Correlation("basket-7", traceparent=TRACEPARENT)]


async def test_all_kinds_of_call_carry_the_correlation() -> None:
    """All kinds of call carry the correlation; without a correlation nothing is added."""
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
        correlated = Echo(echo.server, CorrelatedChannel(echo.channel))
        before = correlation_metadata()
        token = correlation.bind(correlation.Correlation("basket-7"))
        [_ async for _ in correlated.unary_stream("a")]
        await correlated.stream_unary("a")
        [_ async for _ in correlated.stream_stream("a")]
        token.var.reset(token)

    assert before == ()
    assert seen == ["basket-7"] * 3


async def test_no_span_repeats_a_token() -> None:
    """Neither a good bearer token nor a refused one leaves the process in a span."""
    callers = KnownCallers()
    tokens = [callers.issuer.token("carl", "CLERK"), callers.issuer.token("carl", aud="other")]
    async with (
        collecting() as collector,
        traced_server(collector, security=callers.security) as echo,
    ):
        await echo.unary(metadata=bearer(tokens[0]))
        assert (await refusal(echo.unary(metadata=bearer(tokens[1])))).reason == "TOKEN_INVALID"

    assert len(collector.spans) == len(tokens)
    for token in tokens:
        assert token.rpartition(".")[2] not in collector.text()

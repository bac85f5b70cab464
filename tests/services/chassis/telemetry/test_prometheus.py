"""The metrics of a process, as Prometheus reads them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis.server.errors import CannotListenError, OverloadedError
from tests.support.chassis.echo_service import SERVICE_NAME, Echo, echo_server
from tests.support.chassis.rich_status import refusal
from tests.support.telemetry.exporting import exported_metrics, exporting
from tests.support.telemetry.otlp_collector import collecting
from tests.support.telemetry.scrape import scrape, scraped_once

STARTED, ENDED = "grpc_server_call_started_total", "grpc_server_call_duration_seconds_count"


@asynccontextmanager
async def measured_server(**service: Any) -> AsyncIterator[tuple[Echo, int]]:
    """Run an echo server; yields it and the port of its metrics."""
    async with (
        exported_metrics() as exported,
        echo_server(recorders=exported.recorders, **service) as echo,
    ):
        yield echo, exported.port


async def test_calls_are_counted_by_method_and_code() -> None:
    """A call of any kind counts once, with the code that its caller saw."""

    async def overloaded(request: StringValue, context: Any) -> None:
        raise OverloadedError(limit=1, setting="TRADEPOST_MAX_WAITING")

    async with measured_server(second=overloaded) as (echo, port):
        await echo.unary()
        await echo.unary()
        await refusal(echo.unary(method="Second"))
        [_ async for _ in echo.unary_stream("abc")]
        await echo.stream_unary("a", "b")
        [_ async for _ in echo.stream_stream("a", "b")]
        found = await scrape(port)

    assert found.values(ENDED) == {
        (f"{SERVICE_NAME}/Unary", "OK"): 2,
        (f"{SERVICE_NAME}/Second", "RESOURCE_EXHAUSTED"): 1,
        (f"{SERVICE_NAME}/UnaryStream", "OK"): 1,
        (f"{SERVICE_NAME}/StreamUnary", "OK"): 1,
        (f"{SERVICE_NAME}/StreamStream", "OK"): 1,
    }
    assert found.value("target_info", service_name="echo", service_instance_id="echo-1") == 1


async def test_a_stream_is_measured_when_it_ends() -> None:
    """While it is open it has begun only; a caller that leaves ends it as CANCELLED."""

    async def endless(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield request
        await asyncio.Event().wait()

    async with measured_server(unary_stream=endless) as (echo, port):
        stream = echo.unary_stream("a")
        await stream.read()
        open_now = await scrape(port)
        stream.cancel()
        left = await scraped_once(port, lambda found: bool(found.values(ENDED)))

    assert open_now.values(STARTED) == {(f"{SERVICE_NAME}/UnaryStream",): 1}
    assert open_now.values(ENDED) == {}
    assert left.values(ENDED) == {(f"{SERVICE_NAME}/UnaryStream", "CANCELLED"): 1}


async def test_health_and_unknown_methods_are_not_counted() -> None:
    """A watch of health never ends, and the path of an unknown method may be any text."""
    async with measured_server() as (echo, port):
        health: Any = health_pb2_grpc.HealthStub(echo.channel)
        await health.Check(health_pb2.HealthCheckRequest())
        await refusal(echo.channel.unary_unary("/tradepost.echo.Echo/Nothing")(b""))
        found = await scrape(port)

    assert found.values(STARTED) == {}


async def test_metrics_go_to_prometheus_and_to_a_collector() -> None:
    """Both may be set; without traces no span is made."""
    async with (
        collecting() as collector,
        exported_metrics(metrics_endpoint=collector.endpoint) as exported,
        echo_server(recorders=exported.recorders) as echo,
    ):
        await echo.unary()
        found = await scrape(exported.port)

    assert found.value(STARTED, grpc_method=f"{SERVICE_NAME}/Unary") == 1
    assert "grpc.server.call.started" in collector.metrics
    assert not collector.spans


async def test_a_taken_port_stops_the_start() -> None:
    """The error names the address and its variables."""
    async with exported_metrics() as first:
        with pytest.raises(CannotListenError) as refused:
            async with exporting(metrics_port=first.port):
                pass

    assert f"127.0.0.1:{first.port}" in str(refused.value)
    assert refused.value.setting == "TRADEPOST_METRICS_HOST, TRADEPOST_METRICS_PORT"


async def test_a_certificate_that_can_not_be_read_is_no_fault_of_the_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error is the one of the file."""
    # A file that nobody can read from its beginning, not even root.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/proc/self/mem")

    with pytest.raises(OSError, match="Input/output error"):
        async with exported_metrics(metrics_endpoint="https://127.0.0.1:1"):
            pass


async def test_the_endpoint_ends_with_the_process() -> None:
    """Its port can be taken again at once, and nothing is served when the SDK is switched off."""
    async with exported_metrics() as first:
        await scrape(first.port)
    async with exporting(metrics_port=first.port) as again:
        await scrape(first.port)
    async with exporting(metrics_port=first.port, disabled=True) as disabled:
        pass

    assert again is not None
    assert disabled is None

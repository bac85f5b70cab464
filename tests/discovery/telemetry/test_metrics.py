"""Calls and attempts are counted and timed, with the names of gRFC A66 and A96."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest
from grpc import StatusCode

from discovery.registry.instance import Instance
from discovery.rules.method import Kind, Method
from discovery.rules.retry_policy import DEFAULT_RETRY
from discovery.telemetry import activation as telemetry
from scripts.tools.paths import ROOT
from tests.support.clock.manual_clock import ManualClock
from tests.support.discovery.probe_service import SERVICE, Open, Refusal, Start, path, ready
from tests.support.telemetry.metrics import Metrics


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    """Where a test's metrics go."""
    made = Metrics()
    yield made
    made.provider.shutdown()


async def test_an_ordinary_call_is_one_attempt(
    start: Start, open_to: Open, metrics: Metrics
) -> None:
    """Both are timed by method, target and status, in the buckets of A66."""
    server = await start("a")
    channel = open_to(server, meter_provider=metrics.provider)

    await channel.unary_unary(path("Get"), _registered_method=True)(b"x")

    named = {"grpc.method": f"{SERVICE}/Get", "grpc.target": f"static:///{server.address}"}
    (started,) = metrics.points("grpc.client.attempt.started")
    assert (started.value, dict(started.attributes)) == (1, named)
    for name in ("grpc.client.attempt.duration", "grpc.client.call.duration"):
        (timed,) = metrics.points(name)
        assert (timed.count, dict(timed.attributes)) == (1, {**named, "grpc.status": "OK"})
        assert timed.explicit_bounds[:3] == (0.0, 0.00001, 0.00005)
        assert timed.explicit_bounds[-1] == 100.0
    assert metrics.points("grpc.client.call.retries") == []
    assert metrics.points("grpc.client.call.retry_delay") == []


async def test_a_retried_call_records_its_retries_and_delays(
    start: Start, open_to: Open, metrics: Metrics
) -> None:
    """Three attempts, two retries, and the 0.25 s and 0.5 s without an active attempt."""
    server, clock = await start("a"), ManualClock()
    for pushback_ms in ("250", "500"):
        trailing = (("grpc-retry-pushback-ms", pushback_ms),)
        server.script.append(Refusal(StatusCode.UNAVAILABLE, trailing))
    channel = open_to(server, meter_provider=metrics.provider, clock=clock)
    await ready(channel, 1)

    call = asyncio.ensure_future(channel.unary_unary(path("Get"))(b"x"))
    for delay_s in (0.25, 0.5):
        await clock.wait_for_sleepers()
        await clock.advance(delay_s)
    await call

    (retries,) = metrics.points("grpc.client.call.retries")
    (delay,) = metrics.points("grpc.client.call.retry_delay")
    (whole,) = metrics.points("grpc.client.call.duration")
    attempts = metrics.points("grpc.client.attempt.duration")
    assert (retries.sum, delay.sum, whole.sum) == (2, 0.75, 0.75)
    assert {point.attributes["grpc.status"]: point.count for point in attempts} == {
        "UNAVAILABLE": 2,
        "OK": 1,
    }
    assert metrics.points("grpc.client.call.hedges") == []


async def test_a_method_of_no_stub_is_other(start: Start, open_to: Open, metrics: Metrics) -> None:
    """A path without a stub may be any text, which must not become a time series."""
    channel = open_to(await start("a"), meter_provider=metrics.provider)

    await channel.unary_unary(path("Get"))(b"x")

    (started,) = metrics.points("grpc.client.attempt.started")
    assert started.attributes["grpc.method"] == "other"


async def test_metrics_alone_leave_the_callers_trace_as_it_is(
    start: Start, open_to: Open, metrics: Metrics
) -> None:
    """If only metrics are configured, the trace metadata isn't changed."""
    server = await start("a")
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    get = open_to(server, meter_provider=metrics.provider).unary_unary(path("Get"))

    await get(b"x", metadata=(("traceparent", traceparent),))
    await get(b"x")

    assert server.seen[0].metadata["traceparent"] == traceparent
    assert "traceparent" not in server.seen[1].metadata


async def test_streams_are_counted_when_they_end(
    start: Start, open_to: Open, metrics: Metrics
) -> None:
    """A failed stream and a successful one have different statuses."""
    channel = open_to(await start("a"), meter_provider=metrics.provider)
    watch = channel.unary_stream(path("Watch"))

    [_ async for _ in watch(b"x")]
    with pytest.raises(grpc.aio.AioRpcError):
        [_ async for _ in watch(b"then fail")]

    points = metrics.points("grpc.client.call.duration")
    assert {point.attributes["grpc.status"] for point in points} == {"OK", "UNAVAILABLE"}


async def test_unconfigured_the_stack_has_no_such_layers(start: Start, open_to: Open) -> None:
    """Without OpenTelemetry the stack has no telemetry layers, so a call costs nothing more."""
    channel = open_to(await start("a"))

    await channel.unary_unary(path("Get"))(b"x")

    call = channel.unary_unary(path("Get"))(b"x")
    assert call._call_state.telemetry is None
    assert "telemetry" not in call._coroutine.cr_code.co_filename
    await call


def test_what_is_configured_when_the_channel_opens_counts() -> None:
    """Nothing is loaded before; the API without an SDK records nothing; an SDK is found."""
    program = """
import sys
import discovery
from discovery.telemetry.activation import recorder_for

def recorder():
    return recorder_for("t", tracer_provider=None, meter_provider=None, monotonic=lambda: 0.0)

assert recorder() is None
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
from opentelemetry import metrics, trace
assert recorder() is None
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
assert recorder() is not None
"""
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )


def test_without_the_api_installed_nothing_is_recorded() -> None:
    """The extra `otel` is optional; another package of that name makes no difference."""
    program = """
import sys, types
from discovery.telemetry.activation import recorder_for

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
sys.modules["opentelemetry.trace"] = types.ModuleType("opentelemetry.trace")
assert recorder_for("t", tracer_provider=None, meter_provider=None, monotonic=float) is None
"""
    subprocess.run(
        [sys.executable, "-c", program], check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}
    )


async def test_an_attempt_in_parallel_to_another_is_a_hedge(metrics: Metrics) -> None:
    """A retry begins after its predecessor's end; a hedge begins before it."""
    clock = ManualClock()
    recorder = telemetry.recorder_for(
        "memory:///probe",
        tracer_provider=None,
        meter_provider=metrics.provider,
        monotonic=clock.monotonic,
    )
    assert recorder is not None
    method, instance = _method(), _instance()
    record = recorder.of_method(method).begin(None)

    first = record.attempt(instance)
    second = record.attempt(instance)
    second.end(StatusCode.OK)
    first.end(StatusCode.CANCELLED)
    record.end(StatusCode.OK)

    (hedges,) = metrics.points("grpc.client.call.hedges")
    assert hedges.sum == 1
    assert metrics.points("grpc.client.call.retries") == []


def _method() -> Method:
    return Method(
        path=path("Get"),
        kind=Kind.UNARY_UNARY,
        registered=True,
        safe=True,
        retry=DEFAULT_RETRY,
        timeout_s=None,
        default_timeout_s=None,
        wait_for_ready=False,
        waits=False,
    )


def _instance() -> Instance:
    return Instance(instance_id="a", service="probe", address="127.0.0.1", port=1)

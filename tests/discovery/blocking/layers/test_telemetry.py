"""A blocking call has a span, a span below it for each attempt, and metrics."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from opentelemetry import trace

from tests.discovery.blocking.conftest import OpenBlocking, StartInBackground
from tests.support.discovery.blocking.background_loop import Background
from tests.support.discovery.blocking.manual_readiness import AdjustableClock, ready
from tests.support.discovery.probe_service import SERVICE, Refusal, path
from tests.support.telemetry.metrics import Metrics
from tests.support.telemetry.spans import Spans, attributes, ids, parent_of, sent

ROUND_ROBIN: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}


@pytest.fixture
def spans() -> Iterator[Spans]:
    """The spans of a test."""
    made = Spans()
    yield made
    made.provider.shutdown()


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    """The metrics of a test."""
    made = Metrics()
    yield made
    made.provider.shutdown()


def call(channel: Any, method: str) -> None:
    """Make one call of the method and read it to its end."""
    match method:
        case "Get":
            channel.unary_unary(path("Get"))(b"x")
        case "Get, later":
            channel.unary_unary(path("Get")).future(b"x").result(60)
        case "Watch":
            list(channel.unary_stream(path("Watch"))(b"x"))
        case "Upload":
            channel.stream_unary(path("Upload"))(iter([b"x"]))
        case "Upload, later":
            channel.stream_unary(path("Upload")).future(iter([b"x"])).result(60)
        case "Chat":
            list(channel.stream_stream(path("Chat"))(iter([b"x"])))


@pytest.mark.parametrize(
    "method", ["Get", "Get, later", "Watch", "Upload", "Upload, later", "Chat"]
)
def test_every_kind_of_call_is_traced(
    start: StartInBackground, open_to: OpenBlocking, spans: Spans, method: str
) -> None:
    """A call has one span, its attempt has one below, and the server's span is below that."""
    server = start("a")
    work = spans.provider.get_tracer("test").start_span("work")

    with trace.use_span(work):
        call(open_to(server, tracer_provider=spans.provider), method)

    spans.wait_for(2)
    (above,), (attempt,) = spans.named("Sent"), spans.named("Attempt")
    name = f"{SERVICE}/{method.partition(',')[0]}"
    assert above.name == f"Sent.{name}".replace("/", ".")
    assert parent_of(attempt) == ids(above)
    context = work.get_span_context()
    assert parent_of(above) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert sent(server.seen[0].metadata["traceparent"]) == ids(attempt)
    assert [attributes(one)["rpc.response.status_code"] for one in (above, attempt)] == ["OK"] * 2
    assert attributes(attempt)["server.port"] == server.port
    assert attributes(above)["grpc.target"] == f"static:///{server.address}"


@pytest.mark.parametrize("method", ["Get", "Watch"])
def test_a_retry_is_a_second_attempt_on_another_instance(
    start: StartInBackground, open_to: OpenBlocking, spans: Spans, method: str
) -> None:
    """Each attempt's span has its instance, number and status; the call's span is OK."""
    broken, good = start("broken"), start("good")
    broken.script.append(Refusal(StatusCode.UNAVAILABLE))
    channel = open_to(broken, good, tracer_provider=spans.provider, service_config=ROUND_ROBIN)
    ready(channel, 2)
    while not broken.seen:
        spans.finished.clear()
        call(channel, method)
        spans.wait_for(2)

    spans.wait_for(3)
    (above,), (first, second) = spans.named("Sent"), spans.named("Attempt")
    assert parent_of(first) == parent_of(second) == ids(above)
    assert [attributes(each)["server.port"] for each in (first, second)] == [broken.port, good.port]
    assert [attributes(each)["previous-rpc-attempts"] for each in (first, second)] == [0, 1]
    assert attributes(first)["error.type"] == "UNAVAILABLE"
    assert "error.type" not in attributes(above)
    assert [event.name for event in above.events] == ["retry"]


def test_a_hedge_is_recorded(
    start: StartInBackground, open_to: OpenBlocking, spans: Spans, metrics: Metrics
) -> None:
    """The loser is a cancelled attempt, and the call counts one hedge."""
    servers = sorted((start("a"), start("b")), key=lambda probe: probe.address)
    config = {
        "loadBalancingConfig": [{"pick_first": {}}],
        "methodConfig": [{"name": [{}], "hedgingPolicy": {"maxAttempts": 2}}],
    }
    clock = AdjustableClock()
    channel = open_to(
        *servers,
        clock=clock,
        service_config=config,
        tracer_provider=spans.provider,
        meter_provider=metrics.provider,
    )
    ready(channel, 2)
    get = channel.unary_unary(path("Get"))
    for _ in range(25):
        get(b"x")
    spans.wait_for(50)
    spans.finished.clear()
    servers[0].gate.clear()
    clock.ahead_s += 1.0

    get(b"x", timeout=60)

    spans.wait_for(3)
    (above,), attempts = spans.named("Sent"), spans.named("Attempt")
    codes = [attributes(one)["rpc.response.status_code"] for one in attempts]
    assert codes == ["CANCELLED", "OK"]
    assert [event.name for event in above.events] == ["hedge"]
    (hedged,) = metrics.points("grpc.client.call.hedges")
    assert (hedged.count, hedged.sum) == (1, 1)


def test_a_refused_call_has_no_attempts(
    open_to: OpenBlocking, start: StartInBackground, spans: Spans
) -> None:
    """A call that is refused locally has a span with its status and no attempts."""
    get = open_to(start("a"), tracer_provider=spans.provider).unary_unary(path("Get"))

    with pytest.raises(grpc.RpcError):
        get(b"x", timeout=-1)

    (above,) = spans.named("Sent")
    assert attributes(above)["rpc.response.status_code"] == "DEADLINE_EXCEEDED"
    assert spans.named("Attempt") == []


def test_calls_and_attempts_are_timed(
    start: StartInBackground, open_to: OpenBlocking, metrics: Metrics
) -> None:
    """Durations are recorded by method, target and status, retries by number."""
    server = start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE, (("grpc-retry-pushback-ms", "0"),)))
    channel = open_to(server, meter_provider=metrics.provider)

    channel.unary_unary(path("Get"), _registered_method=True)(b"x")

    named = {"grpc.method": f"{SERVICE}/Get", "grpc.target": f"static:///{server.address}"}
    (started,) = metrics.points("grpc.client.attempt.started")
    assert (started.value, dict(started.attributes)) == (2, named)
    (timed,) = metrics.points("grpc.client.call.duration")
    assert (timed.count, dict(timed.attributes)) == (1, {**named, "grpc.status": "OK"})
    attempts = metrics.points("grpc.client.attempt.duration")
    assert {dict(one.attributes)["grpc.status"] for one in attempts} == {"UNAVAILABLE", "OK"}
    (retried,) = metrics.points("grpc.client.call.retries")
    assert (retried.count, retried.sum) == (1, 1)


def test_without_opentelemetry_nothing_is_recorded(
    start: StartInBackground, open_to: OpenBlocking
) -> None:
    """Without a configured OpenTelemetry nothing is recorded, and no trace context is sent."""
    server = start("a")

    open_to(server).unary_unary(path("Get"))(b"x")

    assert "traceparent" not in server.seen[0].metadata


def test_the_span_of_a_future_ends_with_the_future(
    start: StartInBackground, open_to: OpenBlocking, spans: Spans, background: Background
) -> None:
    """The span of a call that is made with `future()` ends with its answer, not before."""
    server = start("a")
    background.loop.call_soon_threadsafe(server.gate.clear)
    channel = open_to(server, tracer_provider=spans.provider)
    future = channel.unary_unary(path("Get")).future(b"x")
    background.run(server.wait_for_calls(1))

    assert spans.named("Sent") == []

    background.loop.call_soon_threadsafe(server.gate.set)
    assert future.result(60) == b"a:x"
    spans.wait_for(2)
    assert len(spans.named("Sent")) == 1

"""Each call is a span, and each attempt a span below it that the server continues."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

import discovery
from discovery.registry.memory import MemoryRegistry
from tests.support.discovery.probe_service import SERVICE, Open, Refusal, Start, failed, path, ready
from tests.support.telemetry.spans import Spans, attributes, ids, parent_of, sent

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
ROUND_ROBIN = {"loadBalancingConfig": [{"round_robin": {}}]}


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Where a test's spans go."""
    made = Spans()
    yield made
    made.provider.shutdown()


async def iterate(call: Any) -> None:
    """Read a stream to its end."""
    async for _ in call:
        pass


async def requests() -> AsyncIterator[bytes]:
    """What a client streams."""
    yield b"x"


async def test_a_call_has_a_span_with_one_attempt_below(
    start: Start, open_to: Open, spans: Spans
) -> None:
    """The server's parent is the attempt, which alone is of kind CLIENT."""
    server = await start("a")
    channel = open_to(server, tracer_provider=spans.provider)

    await channel.unary_unary(path("Get"))(b"x")

    (call,), (attempt,) = spans.named("Sent"), spans.named("Attempt")
    assert (call.name, attempt.name) == (f"Sent.{SERVICE}.Get", f"Attempt.{SERVICE}.Get")
    assert (call.kind, attempt.kind) == (SpanKind.INTERNAL, SpanKind.CLIENT)
    assert sent(server.seen[0].metadata["traceparent"]) == ids(attempt)
    assert parent_of(attempt) == ids(call)
    assert attributes(call) == {
        "rpc.system.name": "grpc",
        "rpc.method": f"{SERVICE}/Get",
        "grpc.target": f"static:///{server.address}",
        "rpc.response.status_code": "OK",
    }
    assert attributes(attempt) == {
        "rpc.system.name": "grpc",
        "rpc.method": f"{SERVICE}/Get",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "discovery.instance.id": server.address,
        "previous-rpc-attempts": 0,
        "rpc.response.status_code": "OK",
    }


@pytest.mark.parametrize("method", ["Get", "Watch", "Upload", "Chat"])
async def test_every_kind_of_call_is_traced(
    start: Start, open_to: Open, spans: Spans, method: str
) -> None:
    """Each kind has one span for the call and one for its attempt, which the server continues."""
    server = await start("a")
    channel = open_to(server, tracer_provider=spans.provider)

    match method:
        case "Get":
            await channel.unary_unary(path("Get"))(b"x")
        case "Watch":
            await iterate(channel.unary_stream(path("Watch"))(b"x"))
        case "Upload":
            await channel.stream_unary(path("Upload"))(requests())
        case "Chat":
            await iterate(channel.stream_stream(path("Chat"))(requests()))

    await spans.ended(2)
    (call,), (attempt,) = spans.named("Sent"), spans.named("Attempt")
    assert parent_of(attempt) == ids(call)
    assert sent(server.seen[0].metadata["traceparent"]) == ids(attempt)
    assert [attributes(each)["rpc.response.status_code"] for each in (call, attempt)] == ["OK"] * 2


@pytest.mark.parametrize("method", ["Get", "Watch"])
async def test_a_retry_is_a_second_attempt_on_another_instance(
    start: Start, open_to: Open, spans: Spans, method: str
) -> None:
    """The call records the failure and ends OK; each attempt records its
    instance, number and end.
    """
    broken, good = await start("broken"), await start("good")
    broken.script.append(Refusal(StatusCode.UNAVAILABLE))
    channel = open_to(broken, good, tracer_provider=spans.provider, service_config=ROUND_ROBIN)
    await ready(channel, 2)
    while not broken.seen:
        spans.finished.clear()
        if method == "Get":
            await channel.unary_unary(path("Get"))(b"x")
        else:
            await iterate(channel.unary_stream(path("Watch"))(b"x"))

    await spans.ended(3)
    (call,), (first, second) = spans.named("Sent"), spans.named("Attempt")
    assert parent_of(first) == parent_of(second) == ids(call)
    assert [attributes(each)["server.port"] for each in (first, second)] == [broken.port, good.port]
    assert [attributes(each)["previous-rpc-attempts"] for each in (first, second)] == [0, 1]
    assert attributes(first)["error.type"] == "UNAVAILABLE"
    assert (first.status.is_ok, first.status.description) == (False, None)
    assert "error.type" not in attributes(call)
    (event,) = call.events
    assert event.name == "retry"
    told = dict(event.attributes or {})
    assert told.pop("retry.delay_s") > 0
    assert told == {"previous-rpc-attempts": 1, "rpc.response.status_code": "UNAVAILABLE"}
    assert sent(good.seen[-1].metadata["traceparent"]) == ids(second)


async def test_the_current_span_is_the_parent(start: Start, open_to: Open, spans: Spans) -> None:
    """The current span is a call's parent, even if its metadata names another trace."""
    server = await start("a")
    get = open_to(server, tracer_provider=spans.provider).unary_unary(path("Get"))
    work = spans.provider.get_tracer("test").start_span("work")

    with trace.use_span(work):
        await get(b"x", metadata=(("traceparent", TRACEPARENT), ("mine", "kept")))

    (call,), (attempt,) = spans.named("Sent"), spans.named("Attempt")
    above = work.get_span_context()
    assert parent_of(call) == (f"{above.trace_id:032x}", f"{above.span_id:016x}")
    assert sent(server.seen[0].metadata["traceparent"]) == ids(attempt)
    assert server.seen[0].metadata["mine"] == "kept"


async def test_without_a_current_span_the_metadata_names_the_parent(
    start: Start, open_to: Open, spans: Spans
) -> None:
    """The server gets the attempt's context once, instead of the caller's."""
    server = await start("a")
    get = open_to(server, tracer_provider=spans.provider).unary_unary(path("Get"))

    await get(b"x", metadata=(("traceparent", TRACEPARENT), ("tracestate", "shop=armchair")))

    (call,), (attempt,) = spans.named("Sent"), spans.named("Attempt")
    assert parent_of(call) == (TRACE_ID, "00f067aa0ba902b7")
    assert sent(server.seen[0].metadata["traceparent"]) == ids(attempt)
    assert server.seen[0].metadata["tracestate"] == "shop=armchair"


async def test_a_local_refusal_is_a_call_without_attempts(open_to: Open, spans: Spans) -> None:
    """Nothing was sent; the call's span has the code."""
    target = "static:///127.0.0.1:1"
    channel = discovery.open_channel(target, rng=random.Random(7), tracer_provider=spans.provider)
    async with channel:
        channel.get_state(try_to_connect=True)
        await failed(channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary(path("Post"))(b"x", timeout=-1.0)
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.stream_unary(path("Upload"))(requests())

    await spans.ended(2)
    codes = [attributes(each)["rpc.response.status_code"] for each in spans.named("Sent")]
    assert codes == ["DEADLINE_EXCEEDED", "UNAVAILABLE"]
    assert spans.named("Attempt") == []


@pytest.mark.parametrize("method", ["Post", "Watch"])
async def test_a_call_that_waited_for_an_instance_says_so(
    start: Start, spans: Spans, method: str
) -> None:
    """An event of the call's span explains the time before the first attempt."""
    registry, server = MemoryRegistry(), await start("a")
    async with discovery.open_channel(
        "memory:///probe", watcher=registry, rng=random.Random(7), tracer_provider=spans.provider
    ) as channel:
        if method == "Post":
            call = asyncio.ensure_future(channel.unary_unary(path("Post"))(b"x"))
        else:
            call = asyncio.ensure_future(iterate(channel.unary_stream(path("Watch"))(b"x")))
        await asyncio.sleep(0)
        await registry.register(server.instance())
        await call

    await spans.ended(2)
    (late,) = spans.named("Sent")
    assert [event.name for event in late.events] == ["Delayed LB pick complete"]


async def test_a_trace_that_is_not_sampled_goes_on_unsampled(start: Start, open_to: Open) -> None:
    """Nothing is recorded, and the server gets the same decision."""
    server = await start("a")
    provider = TracerProvider(sampler=ALWAYS_OFF)
    get = open_to(server, tracer_provider=provider).unary_unary(path("Get"))

    await get(b"x", metadata=(("traceparent", TRACEPARENT),))

    version, trace_id, _, flags = str(server.seen[0].metadata["traceparent"]).split("-")
    assert (version, trace_id, flags) == ("00", TRACE_ID, "00")


@pytest.mark.parametrize("method", ["Get", "Watch", "Upload", "Chat"])
async def test_a_cancelled_call_ends_both_spans(
    start: Start, open_to: Open, spans: Spans, method: str
) -> None:
    """Neither span stays open or says OK."""
    server = await start("a")
    server.gate.clear()
    channel = open_to(server, tracer_provider=spans.provider)
    await ready(channel, 1)
    call: Any = {
        "Get": lambda: channel.unary_unary(path("Get"))(b"x"),
        "Watch": lambda: channel.unary_stream(path("Watch"))(b"x"),
        "Upload": lambda: channel.stream_unary(path("Upload"))(requests()),
        "Chat": lambda: channel.stream_stream(path("Chat"))(requests()),
    }[method]()
    await server.wait_for_calls(1)

    call.cancel()

    ended = await spans.ended(2)
    assert [attributes(each)["error.type"] for each in ended] == ["CANCELLED"] * 2


async def test_a_stream_cancelled_before_it_opened_ends_its_span(
    open_to: Open, spans: Spans
) -> None:
    """The task that would have opened the stream never ran."""
    async with discovery.open_channel(
        "memory:///nobody", rng=random.Random(7), tracer_provider=spans.provider
    ) as channel:
        call = channel.unary_stream(path("Watch"))(b"x", wait_for_ready=True)
        call.cancel()

        (span,) = await spans.ended(1)
    assert attributes(span)["error.type"] == "CANCELLED"


async def test_a_failing_stream_records_its_status(
    start: Start, open_to: Open, spans: Spans
) -> None:
    """After its first message a stream isn't repeated, so its end is the call's end."""
    channel = open_to(await start("a"), tracer_provider=spans.provider)

    with pytest.raises(grpc.aio.AioRpcError):
        await iterate(channel.unary_stream(path("Watch"))(b"then fail"))

    ended = await spans.ended(2)
    assert [attributes(each)["error.type"] for each in ended] == ["UNAVAILABLE"] * 2


async def test_a_call_below_an_interceptor_is_traced_once(
    start: Start, open_to: Open, spans: Spans
) -> None:
    """Interceptors are above the stack."""

    class Passes(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            return await continuation(details, request)

    channel = open_to(await start("a"), tracer_provider=spans.provider, interceptors=[Passes()])

    await channel.unary_unary(path("Get"))(b"x")

    assert len(spans.named("Sent")) == len(spans.named("Attempt")) == 1


async def test_baggage_that_metadata_cannot_carry_is_left_out(
    start: Start, open_to: Open, spans: Spans
) -> None:
    """grpc.aio would hang on it; the trace context is sent anyway."""
    server = await start("a")
    get = open_to(server, tracer_provider=spans.provider).unary_unary(path("Get"))
    state = trace.TraceState([("shop", "ärmchair")])
    above = trace.SpanContext(1, 2, is_remote=True, trace_state=state)

    with trace.use_span(trace.NonRecordingSpan(above)):
        assert await get(b"x") == b"a:x"

    assert sent(server.seen[0].metadata["traceparent"])[0] == f"{1:032x}"
    assert "tracestate" not in server.seen[0].metadata

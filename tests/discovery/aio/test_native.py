"""The plain grpc.aio channels under a channel."""

import json
from typing import Any

import grpc
from opentelemetry.instrumentation.grpc import GrpcAioInstrumentorClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.discovery.probe_service import Open, Refusal, Start, path, subchannels


async def test_instrumentation_does_not_trace_the_plain_channels(
    start: Start, open_to: Open
) -> None:
    """OpenTelemetry's patches of grpc.aio's factories don't reach the plain channels."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    instrumentor = GrpcAioInstrumentorClient()
    instrumentor.instrument(tracer_provider=provider)
    try:
        server = await start("a")
        assert await open_to(server).unary_unary(path("Get"))(b"x") == b"a:x"
        assert spans.get_finished_spans() == ()

        async with grpc.aio.insecure_channel(server.address) as plain:
            await plain.unary_unary(path("Get"))(b"x")
        assert len(spans.get_finished_spans()) == 1
    finally:
        instrumentor.uninstrument()


async def test_a_native_retry_policy_is_not_stacked_below(start: Start, open_to: Open) -> None:
    """C-core gets no retry policy, so attempts aren't multiplied (3 x 3 would be 9)."""
    retry = {
        "maxAttempts": 2,
        "initialBackoff": "0.001s",
        "maxBackoff": "0.001s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    server = await start("a")
    server.script.extend([Refusal(grpc.StatusCode.UNAVAILABLE)] * 10)
    config = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": retry}]})
    call = open_to(server, service_config=config).unary_unary(path("Get"))(b"x")

    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    assert len(server.seen) == 2
    assert "grpc-previous-rpc-attempts" not in server.seen[1].metadata


async def test_options_reach_every_connection(start: Start, open_to: Open) -> None:
    """The caller's channel options reach each connection and take precedence."""
    server = await start("a")
    options = (("grpc.max_send_message_length", 10),)
    channel = open_to(server, options=options)

    assert await channel.unary_unary(path("Get"))(b"small") == b"a:small"
    code = await channel.unary_unary(path("Get"))(b"larger than ten bytes").code()
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_the_multicallable_of_an_instance_is_made_once(start: Start, open_to: Open) -> None:
    """All calls of a method use the same multicallable of an instance."""
    channel = open_to(await start("a"))
    await channel.unary_unary(path("Get"))(b"x")
    (subchannel,) = subchannels(channel)
    first = dict(subchannel.multicallables)

    await channel.unary_unary(path("Get"))(b"x")

    assert len(first) == 1
    assert subchannel.multicallables == first


async def test_compression_is_per_call(start: Start, open_to: Open) -> None:
    """Compression is chosen per call, as in grpc.aio."""
    get: Any = open_to(await start("a")).unary_unary(path("Get"))

    assert await get(b"x" * 1000, compression=grpc.Compression.Gzip) == b"a:" + b"x" * 1000

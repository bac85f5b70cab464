"""What can't be serialized is never sent; what can't be deserialized is an error.

grpc.aio swallows both: an empty message goes out, None comes back (grpc/grpc#34894).
"""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc import StatusCode

from tests.support.discovery.probe_service import Open, Start, in_flight, path, ready

SERIALIZE = StringValue.SerializeToString


def refuse(message: bytes) -> bytes:
    """A deserializer that rejects every message."""
    raise ValueError("not understood")


@pytest.mark.parametrize(("factory", "method"), [("unary_unary", "Get"), ("unary_stream", "Watch")])
async def test_a_request_that_cannot_be_serialized_raises_at_once(
    start: Start, open_to: Open, factory: str, method: str
) -> None:
    """The serializer's own error is raised where the call is made."""
    server = await start("a")
    channel: Any = open_to(server)
    await ready(channel, 1)

    with pytest.raises(TypeError):
        getattr(channel, factory)(path(method), SERIALIZE)("no message")

    assert server.seen == []


@pytest.mark.parametrize("method", ["Upload", "Chat"])
async def test_a_written_request_that_cannot_be_serialized_raises_at_once(
    start: Start, open_to: Open, method: str
) -> None:
    """`write` raises the serializer's error, and the stream continues with the next request."""
    channel: Any = open_to(await start("a"))
    factory = channel.stream_unary if method == "Upload" else channel.stream_stream
    call = factory(path(method), SERIALIZE)()

    with pytest.raises(TypeError):
        await call.write("no message")
    await call.write(StringValue(value="a"))
    await call.done_writing()

    answer = await (call if method == "Upload" else call.read())
    assert answer == b"a:" + StringValue(value="a").SerializeToString()


@pytest.mark.parametrize("method", ["Upload", "Chat"])
async def test_an_iterated_request_that_cannot_be_serialized_ends_the_stream(
    start: Start, open_to: Open, method: str
) -> None:
    """Awaiting the response raises the serializer's error, not a cancellation."""
    channel: Any = open_to(await start("a"))
    factory = channel.stream_unary if method == "Upload" else channel.stream_stream

    async def requests() -> AsyncIterator[Any]:
        yield "no message"

    call = factory(path(method), SERIALIZE)(requests())

    with pytest.raises(TypeError):
        await (call if method == "Upload" else call.read())
    assert (call.cancelled(), in_flight(channel)) == (True, 0)


async def test_a_response_that_cannot_be_deserialized_is_internal(
    start: Start, open_to: Open
) -> None:
    """The await and `code()` give INTERNAL; the attempt was answered, so it isn't repeated."""
    server = await start("a")
    call = open_to(server).unary_unary(path("Get"), None, refuse)(b"x")

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    assert failed.value.code() is StatusCode.INTERNAL
    assert failed.value.details() == "Exception deserializing response!"
    assert isinstance(failed.value.__cause__, ValueError)
    assert await call.code() is StatusCode.INTERNAL
    assert len(server.seen) == 1


async def test_a_message_that_cannot_be_deserialized_ends_the_stream(
    start: Start, open_to: Open
) -> None:
    """The stream ends with INTERNAL, and the RPC is cancelled."""
    channel = open_to(await start("a"))
    call = channel.unary_stream(path("Watch"), None, refuse)(b"x")

    with pytest.raises(grpc.aio.AioRpcError, match="INTERNAL"):
        await call.read()

    assert (await call.code(), in_flight(channel)) == (StatusCode.INTERNAL, 0)

"""Interceptors of a channel see each call once, as in grpc.aio."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from discovery.rules.method import Kind
from tests.support.discovery.probe_service import Open, Refusal, Start, in_flight, path


class Everything(
    grpc.aio.UnaryUnaryClientInterceptor,
    grpc.aio.UnaryStreamClientInterceptor,
    grpc.aio.StreamUnaryClientInterceptor,
    grpc.aio.StreamStreamClientInterceptor,
):
    """Intercepts every kind of call: adds its name to the metadata and records what it saw."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: list[Any] = []

    async def _go_on(self, continuation: Any, details: Any, request: Any) -> Any:
        self.seen.append(details)
        details.metadata.add("via", self.name)
        return await continuation(details, request)

    intercept_unary_unary = _go_on
    intercept_unary_stream = _go_on
    intercept_stream_unary = _go_on
    intercept_stream_stream = _go_on


async def test_interceptors_of_all_kinds_are_called(start: Start, open_to: Open) -> None:
    """One object may implement all four interfaces; grpc.aio itself uses only the first."""
    server = await start("a")
    one, two = Everything("one"), Everything("two")
    channel = open_to(server, interceptors=[one, two])

    assert await channel.unary_unary(path("Get"))(b"x") == b"a:x"
    watch = channel.unary_stream(path("Watch"))
    assert [message async for message in watch(b"x")] == [b"a:x0", b"a:x1", b"a:x2"]
    assert await channel.stream_unary(path("Upload"))(iter([b"1", b"2"])) == b"a:12"
    chat = channel.stream_stream(path("Chat"))
    assert [answer async for answer in chat(iter([b"1"]))] == [b"a:1"]

    assert [seen.metadata["via"] for seen in server.seen] == ["two"] * 4
    assert len(one.seen) == len(two.seen) == 4


async def test_an_interceptor_sees_a_retried_call_once(start: Start, open_to: Open) -> None:
    """An interceptor sees a call once, however many attempts it takes."""
    server = await start("a")
    server.script.extend([Refusal(StatusCode.UNAVAILABLE)] * 2)
    interceptor = Everything("one")

    assert await open_to(server, interceptors=[interceptor]).unary_unary(path("Get"))(b"x")

    assert (len(interceptor.seen), len(server.seen)) == (1, 3)


async def test_interceptors_get_the_details_that_grpc_gives(start: Start, open_to: Open) -> None:
    """The method is bytes, the metadata a Metadata, and the timeout the caller's."""
    interceptor = Everything("one")
    get = open_to(await start("a"), interceptors=[interceptor]).unary_unary(path("Get"))

    await get(b"x", timeout=3.0, metadata=(("mine", "1"),), wait_for_ready=True)

    (details,) = interceptor.seen
    assert details.method == path("Get").encode()
    assert (details.timeout, details.wait_for_ready) == (3.0, True)
    assert details.metadata["mine"] == "1"


async def test_intercepted_streams_are_written_and_read(start: Start, open_to: Open) -> None:
    """Written requests reach the server through the interceptors."""
    channel = open_to(await start("a"), interceptors=[Everything("one")])

    upload = channel.stream_unary(path("Upload"))()
    await upload.write(b"1")
    await upload.write(b"2")
    await upload.done_writing()
    assert await upload == b"a:12"
    with pytest.raises(asyncio.InvalidStateError):
        await upload.write(b"3")

    chat = channel.stream_stream(path("Chat"))()
    await chat.write(b"1")
    assert await chat.read() == b"a:1"
    await chat.done_writing()
    assert await chat.read() is grpc.aio.EOF
    assert await chat.code() is StatusCode.OK


async def test_writing_to_an_ended_stream_does_not_hang(start: Start, open_to: Open) -> None:
    """Writing to an ended stream raises, whatever the queue in between holds."""
    server = await start("a")
    server.script.append(Refusal(StatusCode.ABORTED))
    call = open_to(server, interceptors=[Everything("one")]).stream_stream(path("Chat"))()

    assert await call.code() is StatusCode.ABORTED
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(b"x")


async def test_a_waiting_writer_is_woken_at_the_end(start: Start, open_to: Open) -> None:
    """A writer that waits for the queue gets an error when the stream ends."""
    server = await start("a")
    server.gate.clear()
    call = open_to(server, interceptors=[Everything("one")]).stream_stream(path("Chat"))()

    async def write_on() -> None:
        while True:
            await call.write(b"x" * 100_000)

    writing = asyncio.create_task(write_on())
    await server.wait_for_calls(1)
    call.cancel()

    with pytest.raises((asyncio.InvalidStateError, asyncio.CancelledError)):
        await writing


class Answers(grpc.aio.UnaryUnaryClientInterceptor, grpc.aio.UnaryStreamClientInterceptor):
    """An interceptor that answers without a call."""

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return b"mine"

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        async def messages() -> AsyncIterator[bytes]:
            yield b"mine"
            yield b"too"

        return messages()


async def test_an_interceptor_may_answer_by_itself(start: Start, open_to: Open) -> None:
    """An interceptor may answer without a call; the interceptors above still get a call."""
    server = await start("a")
    above = Everything("above")
    channel = open_to(server, interceptors=[above, Answers()])

    call = channel.unary_unary(path("Get"))(b"x")
    assert await call == b"mine"
    assert await call.code() is StatusCode.OK
    assert tuple(await call.trailing_metadata()) == ()
    watch = channel.unary_stream(path("Watch"))
    assert [message async for message in watch(b"x")] == [b"mine", b"too"]
    assert server.seen == []


class Continues(grpc.aio.UnaryUnaryClientInterceptor):
    """An interceptor that awaits its continuation's call under a timeout, which the test sets."""

    limit: asyncio.Timeout

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        async with asyncio.timeout(None) as self.limit:
            call = await continuation(details, request)
            await call
        return call


async def test_interceptors_may_use_timeouts_of_their_own(start: Start, open_to: Open) -> None:
    """Interceptors run in a task of their own, so asyncio.timeout ends them and not the caller."""
    server, continues = await start("a"), Continues()
    get = open_to(server, interceptors=[continues]).unary_unary(path("Get"))
    assert await get(b"x") == b"a:x"
    assert ("served-by", "a") in tuple(await get(b"x").trailing_metadata())

    server.gate.clear()
    call = get(b"x")
    await server.wait_for_calls(3)
    continues.limit.reschedule(asyncio.get_running_loop().time())
    with pytest.raises(TimeoutError):
        await call
    await server.was_cancelled()


async def test_an_interceptors_error_ends_the_call(start: Start, open_to: Open) -> None:
    """Any error that an interceptor raises ends the call."""

    class Raises(grpc.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            raise LookupError("no token")

    call = open_to(await start("a"), interceptors=[Raises()]).unary_unary(path("Get"))(b"x")

    with pytest.raises(LookupError):
        await call
    with pytest.raises(LookupError):
        await call.code()


@pytest.mark.parametrize("dropped", [True, False])
async def test_cancelling_an_intercepted_call_cancels_the_rpc(
    start: Start, open_to: Open, *, dropped: bool
) -> None:
    """Cancelling or collecting an intercepted call cancels its RPC."""
    server = await start("a")
    channel = open_to(server, interceptors=[Everything("one")])
    server.gate.clear()
    call = channel.unary_unary(path("Get"))(b"x")
    await server.wait_for_calls(1)

    if not dropped:
        assert call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    del call

    await server.was_cancelled()
    assert in_flight(channel) == 0


async def test_an_interceptor_may_choose_another_method(start: Start, open_to: Open) -> None:
    """If an interceptor changes the method, that method's stack and safety apply."""

    class Reroutes(grpc.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            return await continuation(details._replace(method=path("Put").encode()), request)

    server = await start("a")
    server.script.append(Refusal(StatusCode.UNAVAILABLE))

    assert await open_to(server, interceptors=[Reroutes()]).unary_unary(path("Post"))(b"x")

    assert [seen.method for seen in server.seen] == ["Put", "Put"]


async def test_intercepted_calls_share_one_stack(start: Start, open_to: Open) -> None:
    """The stack of a method is composed once, and not for each intercepted call."""
    channel = open_to(await start("a"), interceptors=[Continues()])
    get, again = channel.unary_unary(path("Get")), channel.unary_unary(path("Get"))
    await get(b"1")
    known = channel._stacks.methods[path("Get"), Kind.UNARY_UNARY]
    stack = channel._stacks.stack(path("Get"), known)

    await get(b"2")
    await again(b"3")

    assert channel._stacks.stack(path("Get"), known) is stack

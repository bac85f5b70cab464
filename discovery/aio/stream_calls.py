"""The three kinds of streaming call, each with the methods of its grpc.aio interface."""

from collections.abc import AsyncIterator, Callable, Generator
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import grpc

from discovery.aio import call_status
from discovery.aio.stream import Stream

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class StreamCall(Protocol):
    """A call that is built on a stream. The functions below are the methods of all three kinds."""

    stream: Stream


def _collected(self: StreamCall) -> None:
    self.stream.collected()


def _text(self: StreamCall) -> str:
    return call_status.text(self, over=self.stream.done())


def _cancel(self: StreamCall) -> bool:
    """End the RPC at once. Returns False if it had ended already."""
    return self.stream.cancel()


def _cancelled(self: StreamCall) -> bool:
    """Whether the RPC ended CANCELLED, by this side or the other."""
    return self.stream.cancelled()


def _done(self: StreamCall) -> bool:
    """Whether the RPC has ended."""
    return self.stream.done()


def _time_remaining(self: StreamCall) -> float | None:
    """Seconds until the deadline, never negative; None without a deadline."""
    return self.stream.time_remaining()


def _add_done_callback(self: StreamCall, callback: Callable[[Any], None]) -> None:
    """Call `callback(call)` when the RPC has ended, or at once if it has."""
    self.stream.add_done_callback(partial(callback, self))


async def _initial_metadata(self: StreamCall) -> grpc.aio.Metadata:
    """Return the initial metadata as soon as it arrives."""
    return await self.stream.initial_metadata()


async def _wait_for_connection(self: StreamCall) -> None:
    """Wait until an instance is connected. Raises the error that prevented it."""
    await self.stream.wait_for_connection()


async def _known(self: StreamCall) -> grpc.aio.Call | grpc.aio.AioRpcError:
    return await self.stream.known()


async def _messages(self: StreamCall) -> AsyncIterator[Any]:
    # This generator refers to the call itself: `async for` keeps no other reference, and a
    # collected call is cancelled.
    while (message := await self.stream.next()) is not grpc.aio.EOF:
        yield message


def _aiter(self: StreamCall) -> AsyncIterator[Any]:
    """Iterate over the responses; raises the error that the stream ended with."""
    return self.stream.iterate(partial(_messages, self))


async def _read(self: StreamCall) -> Any:
    """Return the next response, or grpc.aio.EOF."""
    return await self.stream.read()


async def _write(self: StreamCall, request: Any) -> None:
    """Send one request. Raises what the serializer raises, before anything is sent."""
    await self.stream.write(request)


async def _done_writing(self: StreamCall) -> None:
    """End the requests. A second call does nothing."""
    await self.stream.done_writing()


async def _response(self: StreamCall) -> Any:
    return await self.stream.response()


def _await(self: StreamCall) -> Generator[Any, None, Any]:
    """Await the response; any number of awaiters get it."""
    return _response(self).__await__()


class UnaryStreamCall(grpc.aio.UnaryStreamCall[RequestT, ResponseT], Generic[RequestT, ResponseT]):
    """One request, many responses: `async for`, or `read()` until EOF."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    __aiter__, read = _aiter, _read
    __del__, __repr__, _known = _collected, _text, _known
    cancel, cancelled, done = _cancel, _cancelled, _done
    time_remaining, add_done_callback = _time_remaining, _add_done_callback
    initial_metadata, wait_for_connection = _initial_metadata, _wait_for_connection
    code, details = call_status.code, call_status.details
    trailing_metadata = call_status.trailing_metadata
    debug_error_string = call_status.debug_error_string
    _channel: None = None  # as UnaryCall has it


class StreamUnaryCall(grpc.aio.StreamUnaryCall[RequestT, ResponseT], Generic[RequestT, ResponseT]):
    """Many requests, one response: an iterator or `write()`, then `await`."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    __await__, write, done_writing = _await, _write, _done_writing
    __del__, __repr__, _known = _collected, _text, _known
    cancel, cancelled, done = _cancel, _cancelled, _done
    time_remaining, add_done_callback = _time_remaining, _add_done_callback
    initial_metadata, wait_for_connection = _initial_metadata, _wait_for_connection
    code, details = call_status.code, call_status.details
    trailing_metadata = call_status.trailing_metadata
    debug_error_string = call_status.debug_error_string
    _channel: None = None  # as UnaryCall has it


class StreamStreamCall(
    grpc.aio.StreamStreamCall[RequestT, ResponseT], Generic[RequestT, ResponseT]
):
    """Many requests, many responses."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    __aiter__, read, write, done_writing = _aiter, _read, _write, _done_writing
    __del__, __repr__, _known = _collected, _text, _known
    cancel, cancelled, done = _cancel, _cancelled, _done
    time_remaining, add_done_callback = _time_remaining, _add_done_callback
    initial_metadata, wait_for_connection = _initial_metadata, _wait_for_connection
    code, details = call_status.code, call_status.details
    trailing_metadata = call_status.trailing_metadata
    debug_error_string = call_status.debug_error_string
    _channel: None = None  # as UnaryCall has it

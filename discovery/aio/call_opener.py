"""Sends the streams of one method down its stack: the part that all multicallables share."""

import asyncio
from collections.abc import AsyncIterable, Iterable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import grpc

from discovery.aio.request_stream import IteratedRequests
from discovery.aio.sent import PendingStream, StreamSend, StreamSent
from discovery.aio.stream import Stream
from discovery.aio.uncommitted_attempts import observe_first_message
from discovery.call.call_state import CallState
from discovery.call.serialization import Deserializer, Serializer
from discovery.clock import Clock
from discovery.rules.method import Method

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class CallingChannel(Protocol):
    """A channel, as far as a call needs it.

    That is its clock, its event loop once it has begun, and whether it has credentials.
    """

    @property
    def clock(self) -> Clock: ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None: ...

    @property
    def secure(self) -> bool: ...

    def running_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop, beginning if necessary. Raises UsageError on a closed channel."""
        ...


class StreamOpener(Protocol):
    """Opens the streams of one method; the three streaming multicallables are built on it."""

    def of_request(self, request: Any, call: CallState) -> Stream: ...

    def of_requests(
        self, requests: AsyncIterable[Any] | Iterable[Any] | None, call: CallState
    ) -> Stream: ...


class DirectStreamOpener(Generic[RequestT, ResponseT]):
    """Opens the streams of one method through its stack, without interceptors."""

    def __init__(
        self,
        channel: CallingChannel,
        method: Method,
        send: StreamSend,
        serializer: Serializer[RequestT],
        deserializer: Deserializer[ResponseT],
    ) -> None:
        self._channel = channel
        self._send = send
        self._serializer = serializer
        self._deserializer = deserializer
        self._method = method

    def of_request(self, request: RequestT, call: CallState) -> Stream:
        """A stream of responses to one request."""
        call.request = self._serializer(request)
        return self._stream(call, None)

    def of_requests(
        self, requests: AsyncIterable[RequestT] | Iterable[RequestT] | None, call: CallState
    ) -> Stream:
        """A stream of the iterator's requests, or, for None, of those that are written."""
        given = None if requests is None else IteratedRequests(requests, self._serializer)
        call.request = None if given is None else aiter(given)
        return self._stream(call, given)

    def _stream(self, call: CallState, requests: IteratedRequests | None) -> Stream:
        loop = self._channel.running_loop()
        if call.credentials is not None and not self._channel.secure:
            raise insecure()
        monotonic = self._channel.clock.monotonic
        sent: StreamSent
        try:
            sent = self._send(call)
        except grpc.aio.AioRpcError as error:
            sent = PendingStream(partial(_refused, error))
        stream = Stream(
            sent,
            call,
            requests=requests,
            serializer=self._serializer,
            deserializer=self._deserializer,
            received=lambda call: observe_first_message(self._method, monotonic(), call),
            loop=loop,
            monotonic=monotonic,
        )
        # A stream goes on when the program has dropped its channel.
        stream.channel = self._channel
        if call.telemetry is not None:
            stream.add_done_callback(partial(stream.record_end, call.telemetry))
        if call.on_end is not None:
            stream.add_done_callback(call.on_end)
        return stream


def insecure() -> grpc.aio.UsageError:
    """Return the error of a call with credentials on a channel without any, as grpc.aio has it."""
    return grpc.aio.UsageError("Call credentials are only valid on secure channels")


async def _refused(error: grpc.aio.AioRpcError) -> StreamSent:
    raise error

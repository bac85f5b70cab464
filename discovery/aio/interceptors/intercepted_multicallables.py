"""What a stub calls on a channel that was given interceptors."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc

from discovery.aio.interceptors import chain
from discovery.aio.request_stream import Requests, Written
from discovery.aio.stream import Stream
from discovery.aio.stream_attempts import Later, Opened
from discovery.aio.unary_call import Call
from discovery.call import call_status
from discovery.call.call_state import Outgoing
from discovery.call.metadata import MetadataLike, validated
from discovery.call.serialization import unchanged
from discovery.rules import deadline
from discovery.rules.method import Method

if TYPE_CHECKING:
    from discovery.aio.channel import Channel

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

# Makes the multicallable without interceptors of the method at this path.
Plain = Callable[[str], Callable[..., Any]]


class InterceptedUnaryUnary(
    grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT], Generic[RequestT, ResponseT]
):
    """A unary method below interceptors."""

    def __init__(
        self, channel: "Channel", method: Method, interceptors: tuple[Any, ...], plain: Plain
    ) -> None:
        self._channel = channel
        self._method = method
        self._interceptors = interceptors
        self._plain = plain

    def __call__(
        self,
        request: RequestT,
        *,
        timeout: float | None = None,
        metadata: MetadataLike | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Call[RequestT, ResponseT]:
        """Hand the request to the first interceptor. Raises InvalidMetadataError."""
        loop, monotonic = self._channel.running_loop(), self._channel.clock.monotonic
        pairs = None if metadata is None else validated(metadata)
        outgoing = Outgoing(request, timeout, pairs, credentials, wait_for_ready, compression)
        outgoing.deadline_s = deadline.of_method(timeout, self._method, now_s=monotonic())
        return Call(self._send, outgoing, unchanged, loop, monotonic)

    async def _send(self, outgoing: Outgoing) -> Any:
        loop = self._channel.running_loop()
        running = _run(self._interceptors, self._method, self._plain, outgoing, outgoing.request)
        outgoing.attempt = task = loop.create_task(running)
        try:
            outgoing.attempt = await task
            return await outgoing.attempt
        except (GeneratorExit, asyncio.CancelledError):
            call_status.cancel_collected(partial(_cancel, task), loop)
            raise


def _cancel(task: asyncio.Task[Any]) -> None:
    """Cancel the interceptors, or the call they made."""
    if not task.cancel() and not task.cancelled() and task.exception() is None:
        task.result().cancel()


class InterceptedStreams(Generic[RequestT, ResponseT]):
    """Opens the streams of one method below interceptors."""

    def __init__(
        self, channel: "Channel", method: Method, interceptors: tuple[Any, ...], plain: Plain
    ) -> None:
        self._channel = channel
        self._method = method
        self._interceptors = interceptors
        self._plain = plain

    def of_request(self, request: RequestT, outgoing: Outgoing) -> Stream:
        """A stream of responses to one request."""
        return self._stream(outgoing, partial(self._open, outgoing, request), None)

    def of_requests(
        self, requests: AsyncIterable[RequestT] | Iterable[RequestT] | None, outgoing: Outgoing
    ) -> Stream:
        """A stream of requests: an iterator's, or, for None, those that are written."""
        if requests is not None:
            given = Requests(requests, unchanged)
            return self._stream(outgoing, partial(self._open, outgoing, requests), given)
        return self._stream(outgoing, partial(self._open_written, outgoing), None)

    async def _open(self, outgoing: Outgoing, request: Any) -> Opened:
        return Opened(await _run(self._interceptors, self._method, self._plain, outgoing, request))

    async def _open_written(self, outgoing: Outgoing) -> Opened:
        written = Written()
        rpc = await _run(self._interceptors, self._method, self._plain, outgoing, aiter(written))
        written.carried_by(rpc)
        return Opened(rpc, writer=written)

    def _stream(
        self, outgoing: Outgoing, start: Callable[[], Any], requests: Requests | None
    ) -> Stream:
        loop, monotonic = self._channel.running_loop(), self._channel.clock.monotonic
        outgoing.deadline_s = deadline.of_method(
            outgoing.timeout_s, self._method, now_s=monotonic()
        )
        return Stream(
            Later(start),
            outgoing,
            requests=requests,
            serializer=unchanged,
            deserializer=unchanged,
            received=None,
            loop=loop,
            monotonic=monotonic,
        )


async def _run(
    interceptors: tuple[Any, ...], method: Method, plain: Plain, outgoing: Outgoing, request: Any
) -> Any:
    return await chain.run(
        interceptors,
        method.kind,
        chain.maker(plain, outgoing),
        chain.details_of(method.path, outgoing),
        request,
    )

"""What a stub calls on a channel with interceptors."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from functools import partial
from typing import Any, Generic, TypeVar

import grpc

from discovery.aio import call_status
from discovery.aio.call_opener import CallingChannel
from discovery.aio.interceptors import chain
from discovery.aio.request_stream import IteratedRequests, WrittenRequests
from discovery.aio.sent import PendingStream, StreamAttempt
from discovery.aio.stream import Stream
from discovery.aio.unary_call import UnaryCall
from discovery.call.call_state import CallState
from discovery.call.metadata import MetadataLike, validated
from discovery.call.serialization import unchanged
from discovery.rules import deadline
from discovery.rules.method import Method

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

# Makes the multicallable of the method at a path, without interceptors.
Plain = Callable[[str], Callable[..., Any]]


class InterceptedUnaryUnary(
    grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT], Generic[RequestT, ResponseT]
):
    """A unary method whose calls pass the interceptors first."""

    def __init__(
        self, channel: CallingChannel, method: Method, interceptors: tuple[Any, ...], plain: Plain
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
    ) -> UnaryCall[RequestT, ResponseT]:
        """Pass the request to the first interceptor. Raises InvalidMetadataError."""
        loop, monotonic = self._channel.running_loop(), self._channel.clock.monotonic
        pairs = None if metadata is None else validated(metadata)
        call = CallState(request, timeout, pairs, credentials, wait_for_ready, compression)
        call.deadline_s = _deadline_s(self._method, timeout, monotonic())
        return UnaryCall(self._send, call, unchanged, loop, monotonic)

    async def _send(self, call: CallState) -> Any:
        loop = self._channel.running_loop()
        running = _run(self._interceptors, self._method, self._plain, call, call.request)
        call.attempt = task = loop.create_task(running)
        try:
            call.attempt = await task
            return await call.attempt
        except (GeneratorExit, asyncio.CancelledError):
            call_status.cancel_collected(partial(_cancel, task), loop)
            raise


def _cancel(task: asyncio.Task[Any]) -> None:
    """Cancel the interceptors, or the call they have made."""
    if not task.cancel() and not task.cancelled() and task.exception() is None:
        task.result().cancel()


class InterceptedStreamOpener(Generic[RequestT, ResponseT]):
    """Opens the streams of one method through the interceptors."""

    def __init__(
        self, channel: CallingChannel, method: Method, interceptors: tuple[Any, ...], plain: Plain
    ) -> None:
        self._channel = channel
        self._method = method
        self._interceptors = interceptors
        self._plain = plain

    def of_request(self, request: RequestT, call: CallState) -> Stream:
        """A stream of responses to one request."""
        return self._stream(call, partial(self._open, call, request), None)

    def of_requests(
        self, requests: AsyncIterable[RequestT] | Iterable[RequestT] | None, call: CallState
    ) -> Stream:
        """A stream of the iterator's requests, or, for None, of those that are written."""
        if requests is not None:
            given = IteratedRequests(requests, unchanged)
            return self._stream(call, partial(self._open, call, requests), given)
        return self._stream(call, partial(self._open_written, call), None)

    async def _open(self, call: CallState, request: Any) -> StreamAttempt:
        return StreamAttempt(
            await _run(self._interceptors, self._method, self._plain, call, request)
        )

    async def _open_written(self, call: CallState) -> StreamAttempt:
        written = WrittenRequests()
        rpc = await _run(self._interceptors, self._method, self._plain, call, aiter(written))
        written.carried_by(rpc)
        return StreamAttempt(rpc, writer=written)

    def _stream(
        self, call: CallState, start: Callable[[], Any], requests: IteratedRequests | None
    ) -> Stream:
        loop, monotonic = self._channel.running_loop(), self._channel.clock.monotonic
        call.deadline_s = _deadline_s(self._method, call.timeout_s, monotonic())
        return Stream(
            PendingStream(start),
            call,
            requests=requests,
            serializer=unchanged,
            deserializer=unchanged,
            received=None,
            loop=loop,
            monotonic=monotonic,
        )


def _deadline_s(method: Method, timeout_s: float | None, now_s: float) -> float | None:
    """The deadline of a call that is made now."""
    return deadline.instant(timeout_s, method.timeout_s, method.default_timeout_s, now_s)


async def _run(
    interceptors: tuple[Any, ...], method: Method, plain: Plain, call: CallState, request: Any
) -> Any:
    return await chain.run(
        interceptors,
        method.kind,
        chain.maker(plain, call),
        chain.details_of(method.path, call),
        request,
    )

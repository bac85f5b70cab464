"""One streaming RPC, which all three kinds of streaming call are built on.

A stream may have to wait for its instance (none to pick yet, interceptors run first), and a stream
of responses may be attempted again until its first message. Until then a task opens it. Afterwards
one attempt carries it, and every method passes on to that attempt.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from discovery.aio import call_status
from discovery.aio.request_stream import IteratedRequests
from discovery.aio.sent import PendingStream, StreamAttempt, StreamSent
from discovery.call.call_state import CallState, CallTelemetry
from discovery.call.serialization import Deserializer, Serializer, deserialize
from discovery.telemetry.activation import code_of

_ENDED = "RPC already finished."
_STYLE_ERROR = "The iterator and read/write APIs may not be mixed on a single RPC."


class Stream:
    """One streaming RPC. Cancelling a waiting reader or writer cancels the RPC, as in grpc.aio.

    `sent` is what the stack returned for the call; `received` is called at the first message.
    """

    def __init__(
        self,
        sent: StreamSent,
        call_state: CallState,
        *,
        requests: IteratedRequests | None,
        serializer: Serializer[Any],
        deserializer: Deserializer[Any],
        received: Callable[[CallState], None] | None,
        loop: asyncio.AbstractEventLoop,
        monotonic: Callable[[], float],
    ) -> None:
        self._call_state = call_state
        self._requests = requests
        self._serializer = serializer
        self._deserializer = deserializer
        self._received = received
        self._loop = loop
        self._monotonic = monotonic
        # Keeps its channel from being collected.
        self.channel: object = None
        self._iterates: bool | None = None
        self._iterator: AsyncIterator[Any] | None = None
        self._failure: BaseException | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._attempt: StreamAttempt | None = None
        self._opening: asyncio.Task[Any] | None = None
        if isinstance(sent, PendingStream):
            self._opening = loop.create_task(sent.start())
            self._opening.add_done_callback(self._has_opened)
        else:
            self._attempt = sent if isinstance(sent, StreamAttempt) else StreamAttempt(sent)

    def _has_opened(self, opening: asyncio.Task[Any]) -> None:
        if opening.cancelled():
            self._failure = asyncio.CancelledError()
        elif (error := opening.exception()) is not None:
            self._failure = error
        else:
            made = opening.result()
            self._attempt = made if isinstance(made, StreamAttempt) else StreamAttempt(made)
            if self._attempt.first:
                self._received = None
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            if self.done():
                self._call_back(callback)
            else:
                self.add_done_callback(callback)

    async def _ready(self) -> StreamAttempt:
        """Wait until the stream is open. Raises the error that kept it from opening."""
        if self._attempt is None and self._failure is None and self._opening is not None:
            await asyncio.wait([self._opening])
        if self._failure is not None:
            raise self._failure
        if self._attempt is None:
            raise asyncio.CancelledError
        return self._attempt

    def use(self, *, iterates: bool) -> None:
        """Record how the caller reads. Raises UsageError if it mixes the iterator and `read`."""
        if self._iterates is None:
            self._iterates = iterates
        elif self._iterates is not iterates:
            raise grpc.aio.UsageError(_STYLE_ERROR)

    def iterate(self, messages: Callable[[], AsyncIterator[Any]]) -> AsyncIterator[Any]:
        """Return the iterator over the messages; every call returns the same one."""
        self.use(iterates=True)
        if self._iterator is None:
            self._iterator = messages()
        return self._iterator

    async def next(self) -> Any:
        """Return the next message, or EOF. Raises the error the stream ended with, once."""
        try:
            attempt = await self._ready()
            if attempt.messages is None:
                attempt.messages = aiter(attempt.rpc)
            message = attempt.first.pop() if attempt.first else await anext(attempt.messages)
        except StopAsyncIteration:
            return grpc.aio.EOF
        except asyncio.CancelledError:
            self._raise_instead()
            raise
        return self._message(message)

    async def read(self) -> Any:
        """Return the next message, or EOF. Once the stream is over, raises its error every time."""
        if not self.done():
            self.use(iterates=False)
        message = await self.next()
        rpc = None if self._attempt is None else self._attempt.rpc
        if message is grpc.aio.EOF and rpc is not None and rpc.done():
            # The iterator raises the error only once; `read` of grpc.aio raises it again.
            return await rpc.read()
        return message

    async def response(self) -> Any:
        """Return the response to a stream of requests."""
        try:
            message = await (await self._ready()).rpc
        except asyncio.CancelledError:
            self._raise_instead()
            raise
        return self._message(message)

    def _message(self, message: Any) -> Any:
        """Deserialize a message; report the first one to `received`."""
        if self._received is not None:
            self._received(self._call_state)
            self._received = None
        try:
            return deserialize(self._deserializer, message)
        except grpc.aio.AioRpcError as error:
            self.cancel()
            self._failure = error
            raise

    def _raise_instead(self) -> None:
        """Cancel; where a request could not be serialized, raise that error instead."""
        self.cancel()
        if self._requests is not None and self._requests.error is not None:
            raise self._requests.error

    async def write(self, request: Any) -> None:
        """Send one message. Raises what the serializer raises, before anything is sent."""
        if self._requests is not None:
            raise grpc.aio.UsageError(_STYLE_ERROR)
        if self._attempt is None and self.done():
            raise asyncio.InvalidStateError(_ENDED)
        message = self._serializer(request)
        try:
            attempt = await self._ready()
            self._call_state.now_s = self._monotonic()
            await attempt.writer.write(message)
        except asyncio.CancelledError:
            self.cancel()
            raise

    async def done_writing(self) -> None:
        """End the requests."""
        if self._requests is not None:
            raise grpc.aio.UsageError(_STYLE_ERROR)
        if self._attempt is None and self.done():
            return
        await (await self._ready()).writer.done_writing()

    def cancel(self) -> bool:
        """End the RPC at once. Returns False if it had ended already."""
        if self.done():
            return False
        if self._attempt is not None and self._attempt.rpc is not None:
            ended: bool = self._attempt.rpc.cancel()
            return ended
        self._failure = asyncio.CancelledError()
        if self._opening is not None:
            self._opening.cancel()
        if self._call_state.attempt is not None:
            # The opening task may not have run since the attempt began, so it can't cancel it.
            self._call_state.attempt.cancel()
        return True

    def done(self) -> bool:
        """Whether the RPC has ended."""
        if self._failure is not None:
            return True
        return self._attempt is not None and (self._attempt.rpc is None or self._attempt.rpc.done())

    def cancelled(self) -> bool:
        """Whether the RPC ended CANCELLED, by this side or the other."""
        if self._failure is not None:
            failed = self._failure
            return isinstance(failed, asyncio.CancelledError) or (
                isinstance(failed, grpc.aio.AioRpcError)
                and failed.code() is grpc.StatusCode.CANCELLED
            )
        rpc = None if self._attempt is None else self._attempt.rpc
        return rpc is not None and bool(rpc.cancelled())

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, never negative; None without a deadline."""
        deadline_s = self._call_state.deadline_s
        return None if deadline_s is None else max(0.0, deadline_s - self._monotonic())

    def add_done_callback(self, callback: Callable[[], None]) -> None:
        """Call back when the RPC has ended, or at once if it has."""
        if self._attempt is not None and self._attempt.rpc is not None:
            self._attempt.rpc.add_done_callback(lambda _: self._call_back(callback))
        elif self.done():
            callback()
        else:
            self._callbacks.append(callback)

    def _call_back(self, callback: Callable[[], None]) -> None:
        """Call back; report an error to the loop, so that it doesn't stop the other callbacks."""
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - reported
            context = {"message": "a done callback raised", "exception": error}
            self._loop.call_exception_handler(context)

    async def known(self) -> grpc.aio.Call | grpc.aio.AioRpcError:
        """Wait until the stream is open; return what has its status.

        That is its attempt, or the error that kept it from opening.
        """
        if self._opening is not None and not self._opening.done():
            await asyncio.wait([self._opening])
        if isinstance(self._failure, asyncio.CancelledError):
            return call_status.cancelled()
        if isinstance(self._failure, grpc.aio.AioRpcError):
            return self._failure
        attempt = await self._ready()
        rpc: grpc.aio.Call | None = attempt.rpc
        return call_status.snapshot(grpc.StatusCode.OK) if rpc is None else rpc

    async def initial_metadata(self) -> grpc.aio.Metadata:
        """Return the first initial metadata that arrives; afterwards the stream isn't repeated."""
        if self._call_state.uncommitted is not None and self._opening is not None:
            seen = await self._call_state.uncommitted.initial_metadata(self._opening)
            if seen is not None:
                return seen
        known = await self.known()
        if isinstance(known, grpc.aio.AioRpcError):
            return known.initial_metadata() or grpc.aio.Metadata()
        return await known.initial_metadata()

    async def wait_for_connection(self) -> None:
        """Wait until the attempt is connected. Raises the error it ended with."""
        await (await self._ready()).rpc.wait_for_connection()

    def record_end(self, telemetry: CallTelemetry) -> None:
        """Record the end of the stream: that of its last attempt, or the error on this side."""
        rpc = None if self._attempt is None else self._attempt.rpc
        if self._failure is not None:
            telemetry.end(code_of(self._failure))
        elif rpc is None:
            telemetry.end(None)
        else:
            call_status.when_final(rpc, telemetry.end)

    def collected(self) -> None:
        """Cancel the RPC if it is unfinished when its call is collected, as grpc.aio does."""
        if not self.done():
            call_status.cancel_collected(self.cancel, self._loop)

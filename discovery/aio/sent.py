"""What the asyncio stack returns for a call: an awaitable response, or a stream."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol

import grpc

from discovery.call.stack_building import Layer, Send


class Writer(Protocol):
    """Takes the requests of a stream."""

    async def write(self, request: Any) -> None: ...

    async def done_writing(self) -> None: ...


class PendingStream:
    """A stream that isn't open yet: `start` makes the coroutine that opens it.

    It is not the coroutine itself, which would have to be awaited even where the call is cancelled
    before it starts.
    """

    __slots__ = ("start",)

    def __init__(self, start: "Callable[[], Coroutine[Any, Any, StreamSent]]") -> None:
        self.start = start


class StreamAttempt:
    """The attempt that carries a stream; `first` holds what was read of `messages` already.

    `rpc` is grpc.aio's call; None where an interceptor answers without a call.
    """

    __slots__ = ("first", "messages", "rpc", "writer")

    def __init__(
        self,
        rpc: Any,
        *,
        messages: AsyncIterator[Any] | None = None,
        first: list[Any] | None = None,
        writer: Writer | None = None,
    ) -> None:
        self.rpc = rpc
        self.messages = messages
        self.first = first or []
        self.writer = writer or rpc


# A unary call returns a coroutine of the response's bytes (below interceptors, of the message).
UnarySent = Coroutine[Any, Any, Any]
# A stream returns grpc.aio's own call to the picked instance if it is open at once.
StreamSent = grpc.aio.Call | PendingStream | StreamAttempt
Sent = UnarySent | StreamSent

UnarySend = Send[UnarySent]
StreamSend = Send[StreamSent]
AioLayer = Layer[Sent]

"""How a stream comes to the attempt that carries it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol

import grpc


class Writer(Protocol):
    """Where a stream's requests are written to."""

    async def write(self, request: Any) -> None: ...

    async def done_writing(self) -> None: ...


class Later:
    """A stream that isn't open at once: `start` makes the coroutine that opens it.

    Not the coroutine itself, which would have to be awaited even by a call that is cancelled first.
    """

    __slots__ = ("start",)

    def __init__(self, start: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.start = start


class Opened:
    """The attempt that carries a stream; `first` is what was read of `messages` already.

    `rpc` is None where an interceptor answers by itself.
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


class Opening:
    """The attempts of a stream of responses that may still be repeated.

    `committed`: the caller has seen something of an attempt, which therefore is the last.
    """

    def __init__(self) -> None:
        self.committed = False
        self._attempt: Any = None
        self._following = asyncio.get_running_loop().create_future()

    async def first_message(self, sent: Any) -> Opened:
        """Wait for the attempt, and read its first message. Raises what the attempt ended with."""
        attempt = await sent.start() if isinstance(sent, Later) else sent
        self._attempt = attempt
        self._following.set_result(None)
        self._following = asyncio.get_running_loop().create_future()
        messages = aiter(attempt)
        try:
            return Opened(attempt, messages=messages, first=[await anext(messages)])
        except StopAsyncIteration:
            return Opened(attempt, messages=messages)

    async def initial_metadata(self, opening: asyncio.Task[Opened]) -> grpc.aio.Metadata | None:
        """The initial metadata of the first attempt that got any; None: opening was over before."""
        while not opening.done():
            attempt, following = self._attempt, self._following
            if attempt is not None:
                metadata: grpc.aio.Metadata = await attempt.initial_metadata()
                if not attempt.done():
                    self.committed = True
                    return metadata
            await asyncio.wait([opening, following], return_when=asyncio.FIRST_COMPLETED)
        return None

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
    """The attempts of a stream of responses that may still be repeated, or raced.

    `shown` is the attempt of which the caller has seen something; it is the last, then.
    """

    def __init__(self) -> None:
        self.shown: Any = None
        self._attempts: list[Any] = []
        self._following = asyncio.get_running_loop().create_future()

    @property
    def committed(self) -> bool:
        """Whether the caller has seen something of an attempt."""
        return self.shown is not None

    async def first_message(self, sent: Any) -> Opened:
        """Wait for the attempt, and read its first message. Raises what the attempt ended with."""
        attempt = await sent.start() if isinstance(sent, Later) else sent
        if isinstance(attempt, Opened):
            return attempt
        self._attempts = [one for one in self._attempts if not one.done()] + [attempt]
        self._following.set_result(None)
        self._following = asyncio.get_running_loop().create_future()
        messages = aiter(attempt)
        try:
            return Opened(attempt, messages=messages, first=[await anext(messages)])
        except StopAsyncIteration:
            return Opened(attempt, messages=messages)

    async def initial_metadata(self, opening: asyncio.Task[Opened]) -> grpc.aio.Metadata | None:
        """The initial metadata of the first attempt that got any; None: opening was over before."""
        loop = asyncio.get_running_loop()
        while not opening.done():
            following = self._following
            asked: dict[asyncio.Task[grpc.aio.Metadata], Any] = {
                loop.create_task(attempt.initial_metadata()): attempt
                for attempt in self._attempts
                if not attempt.done()
            }
            try:
                await asyncio.wait(
                    [opening, following, *asked], return_when=asyncio.FIRST_COMPLETED
                )
                for told, attempt in asked.items():
                    if told.done() and not attempt.done():
                        self._show(attempt)
                        return told.result()
            finally:
                for told in asked:
                    told.cancel()
        return None

    def _show(self, attempt: Any) -> None:
        """The caller sees this one: the others are not needed any more."""
        self.shown = attempt
        for other in self._attempts:
            if other is not attempt:
                other.cancel()

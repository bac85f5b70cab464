"""Gives a synchronous channel the methods of an asynchronous one, for programs that compare.

The same program then runs with grpc.aio, with grpc and with both of our channels. What a
synchronous call waits for, a thread waits for here.
"""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import grpc


class AwaitableChannel:
    """A synchronous channel that the comparing programs can use."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        """Return the method that makes the multicallables of one kind of call."""
        return partial(_multicallable, getattr(self.channel, kind), kind)

    async def channel_ready(self) -> None:
        """Wait until the channel is connected."""
        ready = grpc.channel_ready_future(self.channel)
        await in_thread(partial(ready.result, 60))
        ready.cancel()

    async def states_until(self, wanted: grpc.ChannelConnectivity) -> list[Any]:
        """Connect, and collect the states that subscribers see, until this one."""
        loop = asyncio.get_running_loop()
        seen: list[grpc.ChannelConnectivity] = []
        over = asyncio.Event()

        def changed(state: grpc.ChannelConnectivity) -> None:
            seen.append(state)
            if state is wanted:
                loop.call_soon_threadsafe(over.set)

        self.channel.subscribe(changed, try_to_connect=wanted is not grpc.ChannelConnectivity.IDLE)
        await over.wait()
        self.channel.unsubscribe(changed)
        return seen

    async def close(self, grace: float | None = None) -> None:
        """Close the channel; a synchronous one knows no grace."""
        del grace
        await in_thread(self.channel.close)


async def in_thread(function: Callable[[], Any]) -> Any:
    """Run a function in a thread of its own: a pool could be full of waiting ones."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def run() -> None:
        try:
            value, error = function(), None
        except BaseException as raised:  # noqa: BLE001 - raised again where it is awaited
            value, error = None, raised
        loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, daemon=True).start()
    return await done


def _multicallable(factory: Any, kind: str, *arguments: Any) -> Callable[..., "AwaitableCall"]:
    made = factory(*arguments)
    unary = kind.endswith("unary")
    begin, call_type = (made.future, AwaitableCall) if unary else (made, AwaitableStream)

    def call(request: Any = None, **keywords: Any) -> AwaitableCall:
        if not kind.startswith("stream"):
            return call_type(begin(request, **keywords), None)
        written = WrittenRequests() if request is None else None
        return call_type(begin(written or _iterator(request), **keywords), written)

    return call


def _iterator(requests: Any) -> Iterator[Any]:
    if not hasattr(requests, "__aiter__"):
        return iter(requests)
    return _waited_for(aiter(requests), asyncio.get_running_loop())


def _waited_for(requests: Any, loop: asyncio.AbstractEventLoop) -> Iterator[Any]:
    async def following() -> Any:
        return await anext(requests)

    while True:
        try:
            yield asyncio.run_coroutine_threadsafe(following(), loop).result()
        except StopAsyncIteration:
            return


class WrittenRequests:
    """Requests that a program writes one by one."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.put = self._queue.put

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """Return the next request; None ends the iterator."""
        request = self._queue.get()
        if request is None:
            raise StopIteration
        return request


class AwaitableCall:
    """A synchronous call under way."""

    def __init__(self, call: Any, written: WrittenRequests | None) -> None:
        self.call = call
        self._written = written

    def __getattr__(self, name: str) -> Any:
        """Return what doesn't wait, such as `cancel` and `done`, unchanged."""
        return getattr(self.call, name)

    def __await__(self) -> Any:
        """Wait for the response."""
        return in_thread(self.call.result).__await__()

    async def write(self, request: Any) -> None:
        """Hand one request to the call."""
        assert self._written is not None
        self._written.put(request)

    async def done_writing(self) -> None:
        """End the requests."""
        await self.write(None)

    async def code(self) -> Any:
        return await in_thread(self.call.code)

    async def details(self) -> Any:
        return await in_thread(self.call.details)

    async def debug_error_string(self) -> Any:
        # grpc waits for ever for the text of a call that was cancelled on this side.
        if await self.code() is grpc.StatusCode.CANCELLED:
            return ""
        return await in_thread(self.call.debug_error_string) or ""

    async def initial_metadata(self) -> Any:
        return await in_thread(self.call.initial_metadata)

    async def trailing_metadata(self) -> Any:
        return await in_thread(self.call.trailing_metadata)

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Call back with this call, in the event loop."""
        loop = asyncio.get_running_loop()
        self.call.add_done_callback(lambda _: loop.call_soon_threadsafe(callback, self))


class AwaitableStream(AwaitableCall):
    """A synchronous call with many responses."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    async def read(self) -> Any:
        """Return the next response, or EOF."""
        return await in_thread(lambda: next(self.call, grpc.aio.EOF))

"""An event loop in one thread, for the calls of a channel that no thread of the program waits for.

A thread for each of them would be simpler, but 2,000 futures in flight would be 2,000 threads, and
in a pool of fewer threads calls that wait for each other could wait for ever.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any


class CallLoop:
    """Runs coroutines and timers; the thread starts with the first of them, and ends with `close`.

    It makes calls only with grpc's own futures, so nothing blocks it but a program's callback.
    `closing` is set by `close`, for the calls that wait in a thread of the program.
    """

    def __init__(self, service: str) -> None:
        self._name = f"discovery-calls-{service}"
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]], context: Context) -> None:
        """Run the coroutine that `work` makes, in the context."""
        loop = self._running()
        loop.call_soon_threadsafe(_create_task, loop, work, context)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after `delay_s` seconds; return what cancels that."""
        loop = self._running()
        made: list[asyncio.TimerHandle] = []
        loop.call_soon_threadsafe(lambda: made.append(loop.call_later(delay_s, callback)))

        def cancel() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_cancel_first, made)

        return cancel

    def close(self) -> None:
        """Cancel all tasks; the thread ends with the last one. No task may be begun afterwards."""
        self.closing.set()
        self._end_thread()

    def _end_thread(self) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_cancel_all, loop)

    # Takes no lock: the garbage collector may run in a thread that holds one.
    __del__ = _end_thread

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=_run, args=(self._loop,), name=self._name, daemon=True
                ).start()
            return self._loop


def resolve_soon(future: "asyncio.Future[None]") -> None:
    """Resolve a future of an event loop from any thread, if nobody has done so before."""
    with suppress(RuntimeError):  # the loop is closed
        future.get_loop().call_soon_threadsafe(_resolve, future)


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _cancel_first(timers: list[asyncio.TimerHandle]) -> None:
    timers[0].cancel()


def _create_task(
    loop: asyncio.AbstractEventLoop,
    work: Callable[[], Coroutine[Any, Any, None]],
    context: Context,
) -> None:
    task = loop.create_task(work(), context=context)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


# The event loop itself refers to its tasks weakly.
_tasks: set["asyncio.Task[None]"] = set()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is closed; it must not keep the `CallLoop` alive."""
    with suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_until_cancelled(loop))


async def _until_cancelled(loop: asyncio.AbstractEventLoop) -> None:
    await loop.create_future()

"""An event loop in one thread, for the calls of a channel that no thread of the program waits for.

A thread for each of them would be simpler, but 2,000 futures in flight would be 2,000 threads, and
in a pool of fewer threads calls that wait for each other could wait for ever.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeAlias

# What is under way, with its task once it has one. The event loop refers to its tasks weakly.
_Tasks: TypeAlias = "dict[Callable[[], None], asyncio.Task[None] | None]"


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
        self._tasks: _Tasks = {}

    def begin(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        abandon: Callable[[], None],
        context: Context,
    ) -> None:
        """Run the coroutine that `work` makes, in the context.

        `abandon` is called when the coroutine has ended, and by `close` while it still runs. It has
        to end the call if nothing else has, so that none is open when `close` returns.
        """
        loop = self._running()
        with self._lock:
            is_open = not self.closing.is_set()
            if is_open:
                self._tasks[abandon] = None
                loop.call_soon_threadsafe(_create_task, loop, work, context, self._tasks, abandon)
        if not is_open:
            abandon()

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
        """Abandon and cancel all that was begun; the thread ends with the last task."""
        with self._lock:
            self.closing.set()
        self._end_thread()
        for abandon in tuple(self._tasks):
            abandon()

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
    tasks: "_Tasks",
    abandon: Callable[[], None],
) -> None:
    task = loop.create_task(work(), context=context)
    tasks[abandon] = task

    def end(_: "asyncio.Task[None]") -> None:
        tasks.pop(abandon)
        # A task that is cancelled before it begins runs nothing of its coroutine.
        abandon()

    task.add_done_callback(end)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is closed; it must not keep the `CallLoop` alive."""
    with suppress(asyncio.CancelledError), asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_until_cancelled(loop))


async def _until_cancelled(loop: asyncio.AbstractEventLoop) -> None:
    await loop.create_future()

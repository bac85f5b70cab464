"""Runs a command until it ends or Ctrl-C is pressed, and says what its suite then waits for."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import uvloop

from scripts.suite.processes.slot import ProcessSlot

T = TypeVar("T")
Runner = Callable[[Coroutine[Any, Any, T]], T]


def run(
    running: Coroutine[Any, Any, T],
    *,
    runner: Runner[T] = uvloop.run,
    on_first: Callable[[], None] = lambda: None,
    on_further: Callable[[], None] = lambda: None,
) -> T:
    """Run a coroutine. Raises KeyboardInterrupt after Ctrl-C, once everything is cleaned up.

    The first Ctrl-C calls `on_first` and cancels the coroutine. A second one would interrupt the
    cleanup and leave processes behind, so each further one only calls `on_further`.
    """
    try:
        return runner(_interruptible(running, on_first, on_further))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _interruptible(
    running: Coroutine[Any, Any, T], on_first: Callable[[], None], on_further: Callable[[], None]
) -> T:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this coroutine runs in one
    loop = asyncio.get_running_loop()

    def handle(*_: object) -> None:
        loop.call_soon_threadsafe(_on_interrupt, task, on_first, on_further)

    # Not the loop's own method, which restores the default handler for a moment at the end.
    former = signal.signal(signal.SIGINT, handle)
    try:
        return await running
    finally:
        # An interrupted command only prints a line from here on.
        signal.signal(signal.SIGINT, signal.SIG_IGN if task.cancelling() else former)


def _on_interrupt(
    task: asyncio.Task[Any], on_first: Callable[[], None], on_further: Callable[[], None]
) -> None:
    if task.cancelling():
        on_further()
    else:
        on_first()
        task.cancel()


class SuiteStop:
    """Knows the processes that an interrupted command has to end; `say` prints a line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._slots: list[ProcessSlot] = []
        self._cut_short = False

    def include(self, slots: Iterable[ProcessSlot]) -> None:
        """Add slots whose processes end with the suite; they need not have started yet."""
        self._slots.extend(slots)

    def begin(self) -> None:
        """Say which processes still run, and what they do before they end."""
        number = len(self._running())
        if number:
            self._say(
                f"stopping {number} processes, which drain for some seconds, then Consul;"
                " Ctrl-C again ends them at once"
            )

    def at_once(self) -> None:
        """Kill the processes, so that nothing is left to wait for."""
        running = self._running()
        if running and not self._cut_short:
            self._cut_short = True
            self._say(f"killing {', '.join(slot.name for slot in running)}")
        for slot in running:
            slot.send(signal.SIGKILL)

    def _running(self) -> list[ProcessSlot]:
        return [slot for slot in self._slots if not slot.ended]

"""Runs a command until it ends or Ctrl-C is pressed, however often."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")
Runner = Callable[[Coroutine[Any, Any, T]], T]


def run(running: Coroutine[Any, Any, T], *, runner: Runner[T] = uvloop.run) -> T:
    """Run a coroutine. Raises KeyboardInterrupt after Ctrl-C, once everything is cleaned up.

    A second Ctrl-C would interrupt the cleanup and leave processes behind, so it changes nothing.
    """
    try:
        return runner(_interruptible(running))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _interruptible(running: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this coroutine runs in one
    loop = asyncio.get_running_loop()
    former = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, _cancel_once, task)
    try:
        return await running
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        # An interrupted command only prints a line from here on.
        signal.signal(signal.SIGINT, signal.SIG_IGN if task.cancelling() else former)


def _cancel_once(task: asyncio.Task[Any]) -> None:
    if not task.cancelling():
        task.cancel()

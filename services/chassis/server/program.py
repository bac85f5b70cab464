"""Runs a service as a program: logs from the first line, and one line for what stops its start."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

from services.chassis.environment import SettingError
from services.chassis.server.errors import CannotListenError
from services.chassis.telemetry import logs

# EX_CONFIG of sysexits.h: starting again doesn't help before somebody changes a setting.
WRONG_SETTINGS = 78
FAILED = 1
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run a service until it is stopped; return the exit status of the process.

    0: stopped by a signal, also before it served. 78: a setting can't be right. 1: anything else.
    """
    level = os.environ.get("TRADEPOST_LOG_LEVEL", "")
    logs.configure(level=level if level in logs.LEVELS else "info")
    try:
        uvloop.run(_stoppable(main))
    except asyncio.CancelledError:
        logs.get_logger("program").info("stopped before it served")
    except Exception as error:  # noqa: BLE001 - the log is where an operator looks
        return _report(error)
    return 0


@contextmanager
def set_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` on SIGTERM and SIGINT until the block ends."""
    loop = asyncio.get_running_loop()
    former = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
            # Not the default, which would end a program that is still closing its database.
            signal.signal(number, former[number])


def _report(error: Exception) -> int:
    """Log why the service ended; return the exit status."""
    log = logs.get_logger("program")
    match error:
        case SettingError():
            log.error("cannot start", setting=error.variable, cause=error.cause)
            return WRONG_SETTINGS
        case CannotListenError():
            log.error("cannot start", setting=error.setting, cause=str(error))
        case _:
            log.error("failed", exc_info=error)
    return FAILED


async def _stoppable(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Let a signal cancel the start; a server that runs replaces the handlers by its own.

    Further signals change nothing: the stop goes on, and has its own time limits.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this coroutine runs in one
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, _cancel_once, task)
    try:
        await main()
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


def _cancel_once(task: asyncio.Task[Any]) -> None:
    if not task.cancelling():
        task.cancel()

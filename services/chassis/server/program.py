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


def run(
    main: Callable[[], Coroutine[Any, Any, None]],
    *,
    service: str,
    instance_setting: str = "TRADEPOST_INSTANCE_ID",
) -> int:
    """Run `service` until it is stopped; return the exit status of the process.

    0: stopped by a signal, also before it served. 78: a setting can't be right. 1: anything else.
    Log lines name the instance as `instance_setting` does, until the server knows better.
    """
    logs.identify(service=service, instance=os.environ.get(instance_setting, ""))
    level = os.environ.get("TRADEPOST_LOG_LEVEL", "")
    logs.configure(level=level if level in logs.LEVELS else "info")
    try:
        uvloop.run(_stoppable(main))
    except asyncio.CancelledError:
        logs.get_logger("program").info("stopped_before_serving")
    except Exception as error:  # noqa: BLE001 - the log is where an operator looks
        return _report(error)
    return 0


@contextmanager
def on_first_signal(begin_stop: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Call `begin_stop` in the loop on the first SIGTERM or SIGINT that comes during the block.

    Yields a function that does the same as a signal, for a stop that somebody asks for otherwise.
    From then on the process ignores further ones until its end: a stop has its own time limits. The
    loop's own methods for signals are not used, because they restore the default handler, which
    ends the process, when a handler is removed or the loop is closed.
    """
    loop = asyncio.get_running_loop()

    def handle(*_: object) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        loop.call_soon_threadsafe(begin_stop)

    former = {number: signal.signal(number, handle) for number in STOP_SIGNALS}
    try:
        yield handle
    finally:
        for number, handler in former.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)


def _report(error: Exception) -> int:
    """Log why the service ended; return the exit status."""
    log = logs.get_logger("program")
    match error:
        case SettingError():
            log.error("cannot_start", setting=error.variable, cause=error.cause)
            return WRONG_SETTINGS
        case CannotListenError():
            log.error("cannot_start", setting=error.setting, cause=str(error))
        case _:
            log.error("failed", exc_info=error)
    return FAILED


async def _stoppable(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Let a signal cancel the start; a server that runs handles signals itself."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this coroutine runs in one
    with on_first_signal(task.cancel):
        await main()

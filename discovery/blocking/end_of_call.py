"""Calls back when a call has ended, wakes the task that waits for it, and describes the call."""

import asyncio
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, runtime_checkable

import grpc

from discovery.blocking.call_loop import resolve_soon
from discovery.blocking.native import StatusOf, is_made_by_grpc

# Called once with the status code that a call ended with, in the thread that sees it end.
OnEnd = Callable[[grpc.StatusCode], None]


@runtime_checkable
class ReportsOwnEnd(Protocol):
    """A call that may be attempted again, so that the end of an attempt isn't yet its own."""

    def on_call_end(self, on_end: OnEnd) -> None:
        """Call back once, with the code the call ended with."""
        ...


def on_call_end(sent: Any, on_end: OnEnd) -> None:
    """Call back when the call has ended, including all of its attempts."""
    if isinstance(sent, ReportsOwnEnd):
        sent.on_call_end(on_end)
    else:
        on_attempt_end(sent, on_end)


def on_attempt_end(rpc: Any, on_end: OnEnd) -> None:
    """Call back when a call has ended, of grpc's own or of ours, that isn't attempted again.

    Keeps no reference to the call, unlike grpc's own done callbacks: grpc cancels a call that is
    collected, and this must stay possible. A reader may drop one of grpc's own as soon as it has
    ended, before grpc calls back, so the code is then read from the call's state.
    """
    read_code = StatusOf(rpc).code if is_made_by_grpc(rpc) else partial(_code_of, weakref.ref(rpc))
    if not rpc.add_callback(lambda: on_end(read_code())):
        on_end(read_code())


async def wait_for_end(rpc: Any) -> None:
    """Wait until one of grpc's own calls has ended; cancel it if the waiting task is cancelled."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    rpc.add_done_callback(lambda _: resolve_soon(over))
    try:
        await over
    except asyncio.CancelledError:
        rpc.cancel()
        raise


def described(call: Any, ended: Any) -> str:
    """Describe a call for logs and debuggers, in the form of grpc's own.

    `ended` has its status; None while the call is under way.
    """
    name = type(call).__name__
    if ended is None:
        return f"<{name} object>"
    try:
        code, details = ended.code(), ended.details()
        # grpc waits for ever for the text of a call that was cancelled on this side.
        debug = None if code is grpc.StatusCode.CANCELLED else ended.debug_error_string()
    except Exception:  # noqa: BLE001 - it ended in an error that has no status
        return f"<{name} object>"
    lines = f'\tstatus = {code}\n\tdetails = "{details}"\n'
    if code is not grpc.StatusCode.OK:
        lines += f'\tdebug_error_string = "{debug}"\n'
    return f"<{name} of RPC that terminated with:\n{lines}>"


def _code_of(reference: "weakref.ref[Any]") -> grpc.StatusCode:
    """The code of an ended call; UNKNOWN where it ended in an error that has no status."""
    if (rpc := reference()) is None:
        return grpc.StatusCode.CANCELLED
    try:
        code: grpc.StatusCode = rpc.code()
    except Exception:  # noqa: BLE001 - the call itself raises it to its caller
        return grpc.StatusCode.UNKNOWN
    return code


class EndOfCall:
    """The end of a call that may be attempted again: the end of its last attempt.

    It keeps no reference to the call or its attempts, so a call that nobody reads can be collected.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._code: grpc.StatusCode | None = None
        self._is_last = False
        self._on_end: list[OnEnd] = []

    def attempt_began(self) -> None:
        """Another attempt is under way."""
        self._code = None

    def attempt_ended(self, code: grpc.StatusCode) -> None:
        """The attempt under way ended."""
        with self._lock:
            self._code = code
        self._check()

    def is_last(self) -> None:
        """No attempt follows the current one."""
        with self._lock:
            self._is_last = True
        self._check()

    def on_call_end(self, on_end: OnEnd) -> None:
        """Call back once, with the code of the last attempt."""
        with self._lock:
            self._on_end.append(on_end)
        self._check()

    def _check(self) -> None:
        with self._lock:
            code = self._code
            if code is None or not self._is_last:
                return
            callbacks, self._on_end = self._on_end, []
        for on_end in callbacks:
            on_end(code)

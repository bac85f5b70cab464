"""A unary call in the channel's loop: what `future()` returns."""

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import grpc

from discovery.blocking.balancer import closed_meanwhile
from discovery.blocking.call_loop import CallLoop
from discovery.blocking.end_of_call import described
from discovery.blocking.errors import as_call, traceback_of
from discovery.blocking.sent import BlockingSend
from discovery.call.call_state import CallState
from discovery.clock import Clock

logger = logging.getLogger(__name__)

# The words of grpc.
_CANCELLED_DETAILS = "Locally cancelled by application!"


class UnaryCall(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A grpc.Future that is a grpc.Call as well, as grpc's own are.

    `send` returns the coroutine that makes the call.
    """

    def __init__(self, send: BlockingSend, call_state: CallState, clock: Clock) -> None:
        super().__init__()
        self._send: Any = send
        self._call_state = call_state
        self._clock = clock
        self._changed = threading.Condition()
        self._task: asyncio.Task[None] | None = None
        self._rpc: Any = None
        self._done = False
        self._cancelled = False
        self._response: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Any], None]] = []

    def begin(self, call_loop: CallLoop) -> None:
        """Make the call in the loop, in the caller's context."""
        call_loop.begin(self._work, self._abandon, contextvars.copy_context())

    async def _work(self) -> None:
        with self._changed:
            if self._cancelled:
                return
            self._task = asyncio.current_task()
        response, rpc = None, None
        error: BaseException | None = None
        try:
            response, rpc = await self._send(self._call_state)
        except grpc.RpcError as raised:
            error = as_call(raised)
        except asyncio.CancelledError:
            error = closed_meanwhile()
        except BaseException as raised:  # noqa: BLE001 - stored: it is the call's outcome
            error = raised
        with self._changed:
            self._task = None
            if not self._done:
                self._response, self._rpc, self._error = response, rpc, error
        self._settle()

    def _abandon(self) -> None:
        """End a call that is still under way: its channel is closed."""
        with self._changed:
            if self._done:
                return
            self._error = closed_meanwhile()
        self._settle()

    def _settle(self) -> None:
        with self._changed:
            if self._done:
                return
            self._done = True
            callbacks, self._callbacks = self._callbacks, []
            self._changed.notify_all()
        for callback in callbacks:
            try:
                callback(self)
            except Exception:
                # As grpc does: the other callbacks are called all the same.
                logger.exception("a callback of a call raised")

    def __repr__(self) -> str:
        return described(self, self if self._done else None)

    __str__ = __repr__

    def cancel(self) -> bool:
        """End the call. Returns False if it had ended already."""
        with self._changed:
            if self._done:
                return False
            self._cancelled = True
            task = self._task
        if task is not None:
            with suppress(RuntimeError):  # the loop is closed
                task.get_loop().call_soon_threadsafe(task.cancel)
        self._settle()
        return True

    def cancelled(self) -> bool:
        """Whether the call was cancelled on this side."""
        return self._cancelled

    def running(self) -> bool:
        return not self._done

    def done(self) -> bool:
        return self._done

    def is_active(self) -> bool:
        return not self._done

    def result(self, timeout: float | None = None) -> Any:
        """Return the response.

        Raises FutureTimeoutError, FutureCancelledError, or the call's error.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        return self._response

    def exception(self, timeout: float | None = None) -> Any:
        """Return the call's error, or None.

        Raises FutureTimeoutError and FutureCancelledError.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._done, timeout):
                raise grpc.FutureTimeoutError
        if self._cancelled:
            raise grpc.FutureCancelledError
        return self._error

    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        """Return the traceback of the error, or None."""
        error = self.exception(timeout)
        return None if error is None else traceback_of(error)

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Call `fn(self)` when the call has ended, or at once if it has."""
        with self._changed:
            if not self._done:
                self._callbacks.append(fn)
                return
        fn(self)

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Call back when the call has ended.

        If it has ended already, return False and don't call back, as grpc does.
        """
        with self._changed:
            if self._done:
                return False
            self._callbacks.append(lambda _: callback())
            return True

    def time_remaining(self) -> Any:
        """Seconds until the deadline; None without one."""
        deadline_s = self._call_state.deadline_s
        return None if deadline_s is None else max(0.0, deadline_s - self._clock.monotonic())

    def code(self) -> Any:
        """Return the status code once the call has ended."""
        return grpc.StatusCode.CANCELLED if self._is_cancelled() else self._ended().code()

    def details(self) -> Any:
        """Return the status details once the call has ended."""
        return _CANCELLED_DETAILS if self._is_cancelled() else self._ended().details()

    def initial_metadata(self) -> Any:
        """Return the initial metadata once the call has ended."""
        return () if self._is_cancelled() else self._ended().initial_metadata()

    def trailing_metadata(self) -> Any:
        """Return the trailing metadata once the call has ended."""
        return () if self._is_cancelled() else self._ended().trailing_metadata()

    def debug_error_string(self) -> Any:
        """Return C-core's description of an error."""
        return "" if self._is_cancelled() else self._ended().debug_error_string()

    def _is_cancelled(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._done)
        return self._cancelled

    def _ended(self) -> Any:
        """Return what has the status: the error, or the attempt that was answered."""
        if self._error is None:
            return self._rpc
        if isinstance(self._error, grpc.RpcError):
            return self._error
        raise self._error

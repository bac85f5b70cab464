"""A unary call in a thread of its own: what `future()` returns."""

import contextvars
import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, cast

import grpc

from discovery.blocking.errors import as_call, traceback_of
from discovery.blocking.sent import BlockingSend, Outcome
from discovery.call.call_state import CallState
from discovery.clock import Clock

logger = logging.getLogger(__name__)

# The words of grpc.
_CANCELLED_DETAILS = "Locally cancelled by application!"


class UnaryCall(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A grpc.Future that is a grpc.Call as well, as grpc's own are.

    `send` makes the call in the thread of the future, and calls `attempt_began` for each attempt.
    """

    def __init__(self, send: BlockingSend, call_state: CallState, clock: Clock) -> None:
        super().__init__()
        self._send = send
        self._call_state = call_state
        self._clock = clock
        self._changed = threading.Condition()
        self._attempts: list[Any] = []
        self._rpc: Any = None
        self._done = False
        self._cancelled = False
        self._response: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Any], None]] = []

    def start(self) -> None:
        """Start the thread, in the caller's context."""
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._work,), name="discovery-future", daemon=True
        ).start()

    def attempt_began(self, attempt: Any) -> None:
        """Keep an attempt that has begun; cancel it if the call was cancelled in the meantime."""
        with self._changed:
            self._attempts = [one for one in self._attempts if not one.done()] + [attempt]
            cancelled = self._cancelled
        if cancelled:
            attempt.cancel()

    def _work(self) -> None:
        response, rpc = None, None
        error: BaseException | None = None
        try:
            response, rpc = cast("Outcome", self._send(self._call_state))
        except grpc.RpcError as raised:
            error = as_call(raised)
        except BaseException as raised:  # noqa: BLE001 - stored: it is the call's outcome
            error = raised
        with self._changed:
            if not self._done:
                self._response, self._rpc, self._error = response, rpc, error
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

    def cancel(self) -> bool:
        """End the call. Returns False if it had ended already."""
        with self._changed:
            if self._done:
                return False
            self._cancelled = True
            attempts = self._attempts
        for attempt in attempts:
            attempt.cancel()
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

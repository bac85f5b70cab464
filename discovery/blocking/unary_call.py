"""A unary call in a thread of its own: what `future()` answers with."""

import contextvars
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, cast

import grpc

from discovery.blocking.errors import as_call
from discovery.blocking.sent import BlockingSend, Outcome
from discovery.call.call_state import CallState
from discovery.clock import Clock

# The words of grpc.
_CANCELLED_DETAILS = "Locally cancelled by application!"


class UnaryCall(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A grpc.Future that is a grpc.Call as well, as grpc's own.

    `send` makes the call in the future's thread, and tells it each attempt with `began`.
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
        """Begin, in the caller's context."""
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._work,), name="discovery-future", daemon=True
        ).start()

    def attempt_began(self, attempt: Any) -> None:
        """An attempt is on its way; it is cancelled where the call was meanwhile."""
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
            callback(self)

    def cancel(self) -> bool:
        """End the call. False where it had ended already."""
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
        """Whether this side cancelled it."""
        return self._cancelled

    def running(self) -> bool:
        return not self._done

    def done(self) -> bool:
        return self._done

    def is_active(self) -> bool:
        return not self._done

    def result(self, timeout: float | None = None) -> Any:
        """The response. Raises FutureTimeoutError, FutureCancelledError, or the call's error."""
        error = self.exception(timeout)
        if error is not None:
            raise error
        return self._response

    def exception(self, timeout: float | None = None) -> Any:
        """The error, None where it was answered. Raises as `result` for the rest."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._done, timeout):
                raise grpc.FutureTimeoutError
        if self._cancelled:
            raise grpc.FutureCancelledError
        return self._error

    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        """Where the error came from."""
        error = self.exception(timeout)
        return None if error is None else error.__traceback__

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Call `fn(self)` when the call has ended; at once where it has."""
        with self._changed:
            if not self._done:
                self._callbacks.append(fn)
                return
        fn(self)

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """As grpc's: False where the call has ended, and the callback is not called."""
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
        """The status code, once the call has ended."""
        return grpc.StatusCode.CANCELLED if self._is_cancelled() else self._ended().code()

    def details(self) -> Any:
        """The status details, once the call has ended."""
        return _CANCELLED_DETAILS if self._is_cancelled() else self._ended().details()

    def initial_metadata(self) -> Any:
        """The initial metadata, once the call has ended."""
        return () if self._is_cancelled() else self._ended().initial_metadata()

    def trailing_metadata(self) -> Any:
        """The trailing metadata, once the call has ended."""
        return () if self._is_cancelled() else self._ended().trailing_metadata()

    def debug_error_string(self) -> Any:
        """What C-core has to say about an error."""
        return "" if self._is_cancelled() else self._ended().debug_error_string()

    def _is_cancelled(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._done)
        return self._cancelled

    def _ended(self) -> Any:
        """What knows the status: the error, or the attempt that answered."""
        if self._error is None:
            return self._rpc
        if isinstance(self._error, grpc.RpcError):
            return self._error
        raise self._error

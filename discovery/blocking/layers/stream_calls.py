"""The one streaming call that may be attempted again: a stream of responses."""

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc

from discovery.blocking.end_of_call import EndOfCall, OnEnd, described, on_attempt_end
from discovery.blocking.errors import EndedCallError, as_call
from discovery.blocking.repeater import Repeater
from discovery.blocking.sent import BlockingSend
from discovery.call.call_state import CallState


def _give_up(call: "weakref.ref[UnaryStreamCall]", attempt: "weakref.ref[Any]") -> None:
    """Tell the call, unless it was collected: a timer must not keep it."""
    known, given_up = call(), attempt()
    if known is not None and given_up is not None:
        known.give_up(given_up)


def _nothing_to_stop() -> None:
    """Stop no timer: the attempt has no limit."""


class UnaryStreamCall(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A stream of responses, attempted again where it fails before its first message.

    It is an RpcError and a Future as well, as grpc's own calls are, because an interceptor may pass
    it on as the outcome.

    The reading thread does the work: `next()` waits, retries and commits. Reading the metadata or
    the status commits the attempt under way, so that no other follows it.
    """

    def __init__(self, call_state: CallState, below: BlockingSend, repeater: Repeater) -> None:
        super().__init__()
        self._call_state = call_state
        self._below = below
        self._repeater = repeater
        self._committed = False
        self._cancelled = False
        self._retries = repeater.begin(call_state)
        self._end = EndOfCall()
        # A timer gives up an attempt without an answer; `_limit_s` is its time, `_gave_up` the
        # attempt.
        self._stop_timer: Callable[[], None] = _nothing_to_stop
        self._limit_s = 0.0
        self._gave_up: Any = None
        self._attempt: Any = None
        self._attempt = self._begin()

    def _begin(self) -> Any:
        """Begin the next attempt and return it; if nothing was sent, the error as an ended call."""
        self._end.attempt_began()
        attempt: Any
        try:
            attempt = self._below(self._call_state)
        except grpc.RpcError as error:
            attempt = as_call(error)
        except BaseException:
            # What isn't an answer, such as an error of the program's own policy, ends the call.
            self._end.attempt_ended(grpc.StatusCode.UNKNOWN)
            self._end.is_last()
            raise
        if self._cancelled:
            attempt.cancel()
        on_attempt_end(attempt, self._end.attempt_ended)
        self._bound(attempt)
        return attempt

    def _bound(self, attempt: Any) -> None:
        """Give the attempt up after its time, if it has a limit."""
        limit_s = self._repeater.limit_s(self._call_state)
        if limit_s is None or self._call_state.subchannel is None:
            return
        self._limit_s = limit_s
        self._stop_timer = self._repeater.call_later(
            limit_s, partial(_give_up, weakref.ref(self), weakref.ref(attempt))
        )

    def give_up(self, attempt: Any) -> None:
        """Cancel an attempt that has had no answer in its time."""
        if attempt is self._attempt and not self._committed and not self._cancelled:
            self._gave_up = attempt
            attempt.cancel()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """Return the next response. Raises the error that the stream ended with."""
        while True:
            try:
                response = next(self._attempt)
            except StopIteration:
                self._arrived()
                raise
            except grpc.RpcError as error:
                self._stop_timer()
                given_up = self._gave_up is self._attempt and not self._committed
                self._wait(
                    self._repeater.gave_up(self._call_state, self._limit_s) if given_up else error
                )
                self._attempt = self._begin()
                continue
            self._arrived()
            return response

    def _arrived(self) -> None:
        """Commit the attempt at its first message or its good end."""
        if not self._committed:
            self._repeater.first_message(self._call_state)
            self._commit()

    def _wait(self, error: grpc.RpcError) -> None:
        """Wait for the next attempt. Raises the error if there is none."""
        try:
            if self._committed or self._cancelled:
                raise error
            self._repeater.wait(self._retries, self._call_state, error)
        except grpc.RpcError as final:
            self._commit()
            if final is not error or isinstance(final, EndedCallError):
                # The status of the call is that of its error.
                self._attempt = final
            raise

    def _commit(self) -> Any:
        """Make the attempt under way the last one, and return it."""
        self._stop_timer()
        self._committed = True
        self._end.is_last()
        return self._attempt

    def on_call_end(self, on_end: OnEnd) -> None:
        """Call back with the code, once, when the stream's last attempt has ended."""
        self._end.on_call_end(on_end)

    def __repr__(self) -> str:
        # Another attempt may follow one that failed and isn't committed.
        over = (self._committed or self._cancelled) and not self.is_active()
        return described(self, self._attempt if over else None)

    __str__ = __repr__

    def __del__(self) -> None:
        """Cancel a stream that is collected unfinished, as grpc does."""
        self.cancel()

    def cancel(self) -> bool:
        """End the stream. Returns False if it had ended already."""
        self._cancelled = True
        self._end.is_last()
        return self._attempt is not None and bool(self._attempt.cancel())

    def is_active(self) -> bool:
        return bool(self._attempt.is_active())

    def time_remaining(self) -> Any:
        """Seconds until the deadline; None without one."""
        return self._attempt.time_remaining()

    def add_callback(self, callback: Any) -> bool:
        """Call back when the attempt under way has ended."""
        return bool(self._attempt.add_callback(callback))

    def initial_metadata(self) -> Any:
        """Return the initial metadata as soon as it arrives."""
        return self._commit().initial_metadata()

    def trailing_metadata(self) -> Any:
        """Return the trailing metadata once the stream has ended."""
        return self._commit().trailing_metadata()

    def code(self) -> Any:
        """Return the status code once the stream has ended."""
        return self._commit().code()

    def details(self) -> Any:
        """Return the status details once the stream has ended."""
        return self._commit().details()

    def debug_error_string(self) -> Any:
        """Return C-core's description of an error."""
        return self._commit().debug_error_string()

    def add_done_callback(self, fn: Any) -> None:
        """Call `fn(self)` when the attempt under way has ended."""
        self._commit().add_done_callback(lambda _: fn(self))

    def done(self) -> bool:
        return not self.is_active()

    def running(self) -> bool:
        return self.is_active()

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end; return None, as grpc does. Raises the error the stream ended with."""
        return self._commit().result(timeout)

    def exception(self, timeout: float | None = None) -> Any:
        """Wait for the end; return the error the stream ended with, or None."""
        return self._commit().exception(timeout)

    def traceback(self, timeout: float | None = None) -> Any:
        """Wait for the end; return the traceback of the error, or None."""
        return self._commit().traceback(timeout)

    def cancelled(self) -> bool:
        return bool(self._attempt.cancelled())

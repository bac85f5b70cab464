"""A stream of responses, read by the thread that called."""

from collections.abc import Iterator
from typing import Any

import grpc

from discovery.blocking.end_of_call import EndOfCall, OnEnd, on_attempt_end
from discovery.blocking.errors import as_call
from discovery.blocking.repeater import Repeater
from discovery.blocking.sent import BlockingSend
from discovery.call.call_state import CallState


class UnaryStreamCall(grpc.RpcError, grpc.Call):
    """A stream of responses, attempted again where it fails before its first message.

    An RpcError as well, as grpc's own are: it may be what an interceptor hands on as the outcome.

    Reading drives it: `next()` waits, retries and commits. Whoever asks for metadata or status
    first commits the attempt that is under way.
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
        self._attempt: Any = self._begin()

    def _begin(self) -> Any:
        """The next attempt; where nothing could be sent, the error, as an ended call."""
        self._end.attempt_began()
        attempt: Any
        try:
            attempt = self._below(self._call_state)
        except grpc.RpcError as error:
            attempt = as_call(error)
        if self._cancelled:
            attempt.cancel()
        on_attempt_end(attempt, self._end.attempt_ended)
        return attempt

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """The next response. Raises the error that the stream ended with."""
        while True:
            try:
                response = next(self._attempt)
            except StopIteration:
                self._arrived()
                raise
            except grpc.RpcError as error:
                self._wait(error)
                self._attempt = self._begin()
                continue
            self._arrived()
            return response

    def _arrived(self) -> None:
        """A message, or a good end: the first of them makes the attempt the last one."""
        if not self._committed:
            self._repeater.first_message(self._call_state)
            self._commit()

    def _wait(self, error: grpc.RpcError) -> None:
        """Wait for the next attempt. Raises the error where there is none."""
        try:
            if self._committed or self._cancelled:
                raise error
            self._repeater.wait(self._retries, self._call_state, error)
        except grpc.RpcError:
            self._commit()
            raise

    def _commit(self) -> Any:
        """The attempt under way is the last; answers it."""
        self._committed = True
        self._end.is_last()
        return self._attempt

    def on_call_end(self, on_end: OnEnd) -> None:
        """Tell the code, once the stream's last attempt has ended."""
        self._end.on_call_end(on_end)

    def __del__(self) -> None:
        """Nobody reads it any more: it is over, and cancelled, as grpc's own would be."""
        self.cancel()

    def cancel(self) -> bool:
        """End the stream. False where it had ended already."""
        self._cancelled = True
        self._end.is_last()
        return bool(self._attempt.cancel())

    def is_active(self) -> bool:
        return bool(self._attempt.is_active())

    def time_remaining(self) -> Any:
        """Seconds until the deadline; None without one."""
        return self._attempt.time_remaining()

    def add_callback(self, callback: Any) -> bool:
        """Call back when the attempt under way has ended."""
        return bool(self._attempt.add_callback(callback))

    def initial_metadata(self) -> Any:
        """The initial metadata, as soon as it arrives."""
        return self._commit().initial_metadata()

    def trailing_metadata(self) -> Any:
        """The trailing metadata, once the stream has ended."""
        return self._commit().trailing_metadata()

    def code(self) -> Any:
        """The status code, once the stream has ended."""
        return self._commit().code()

    def details(self) -> Any:
        """The status details, once the stream has ended."""
        return self._commit().details()

    def debug_error_string(self) -> Any:
        """What C-core has to say about an error."""
        return self._commit().debug_error_string()

    def add_done_callback(self, fn: Any) -> None:
        """Call `fn(self)` when the attempt under way has ended."""
        self._commit().add_done_callback(lambda _: fn(self))

    def done(self) -> bool:
        return not self.is_active()

    def cancelled(self) -> bool:
        return bool(self._attempt.cancelled())

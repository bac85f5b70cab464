"""Waits between the attempts of a call: in the thread that makes it, or in the channel's loop."""

import asyncio
import threading
from typing import Any

import grpc

from discovery.balancing import attempt_outcome
from discovery.balancing.unconnected import was_not_sent
from discovery.blocking.call_loop import CallLoop
from discovery.blocking.errors import EndedCallError
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules.method import Method
from discovery.rules.retry_decision import (
    CallRetries,
    ChannelRetries,
    attempt_limit_s,
    gave_up,
)


class Repeater:
    """The retries of one method's calls; counts and budget are changed under the lock."""

    def __init__(
        self,
        method: Method,
        retrying: ChannelRetries,
        *,
        lock: threading.Condition,
        call_loop: CallLoop,
        clock: Clock,
    ) -> None:
        self._method = method
        self._retrying = retrying
        self._lock = lock
        self._closing = call_loop.closing
        self.call_later = call_loop.call_later
        self._clock = clock

    def begin(self, call: CallState) -> CallRetries:
        """Begin a call, which counts for the budget."""
        with self._lock:
            self._retrying.budget.deposit(call.now_s)
            return self._retrying.of(self._method)

    def wait(self, retries: CallRetries, call: CallState, error: grpc.RpcError) -> None:
        """Wait, then prepare the next attempt.

        If there is no next attempt or the channel is closed, raises the error, or that of an
        earlier attempt if only that one was sent.
        """
        delay_s, final = self._next_attempt(retries, call, error)
        if self._closing.wait(delay_s):
            raise final
        self._turn_to_next(call, final)

    async def wait_in_loop(
        self, retries: CallRetries, call: CallState, error: grpc.RpcError
    ) -> None:
        """Do the same as `wait` in the channel's loop, whose tasks a closing channel cancels."""
        delay_s, final = self._next_attempt(retries, call, error)
        try:
            await self._clock.sleep(delay_s)
        except asyncio.CancelledError:
            raise final from None
        self._turn_to_next(call, final)

    def _next_attempt(
        self, retries: CallRetries, call: CallState, error: grpc.RpcError
    ) -> tuple[float, Any]:
        """The delay before the next attempt, and the error if it isn't made after all."""
        failure: Any = error
        with self._lock:
            delay_s = retries.delay_s(
                failure,
                now_s=self._clock.monotonic(),
                deadline_s=call.deadline_s,
                tried=(*call.excluded, call.subchannel),
                was_sent=not was_not_sent(failure, call.subchannel),
            )
        final: Any = retries.final(failure)
        if delay_s is None:
            raise final
        return delay_s, final

    def _turn_to_next(self, call: CallState, final: Any) -> None:
        call.now_s = self._clock.monotonic()
        if call.deadline_s is not None and call.now_s >= call.deadline_s:
            raise final
        call.turn_to_next()

    def limit_s(self, call: CallState) -> float | None:
        """How long the attempt under way may wait for its first message; None: without a limit."""
        method = self._method
        return attempt_limit_s(method.retry, call.failed_before, safe=method.safe)

    def gave_up(self, call: CallState, limit_s: float) -> EndedCallError:
        """Count the attempt that was given up as a failure of its instance; return its error."""
        subchannel: Any = call.subchannel
        error: Any = EndedCallError(grpc.StatusCode.DEADLINE_EXCEEDED, gave_up(limit_s))
        with self._lock:
            attempt_outcome.failed(
                self._method,
                subchannel.record,
                error,
                latency_s=limit_s,
                timeout_s=limit_s,
                now_s=self._clock.monotonic(),
            )
        ended: EndedCallError = error
        return ended

    def succeeded(self) -> None:
        """Record that a call succeeded."""
        if self._retrying.throttle is not None:
            with self._lock:
                self._retrying.succeeded()

    def first_message(self, call: CallState) -> None:
        """Record that a stream succeeded, with its first message or a good end without any."""
        subchannel: Any = call.subchannel
        now_s = self._clock.monotonic()
        with self._lock:
            attempt_outcome.succeeded(self._method, subchannel.record, now_s - call.now_s, now_s)
            self._retrying.succeeded()

"""Repeats a failed attempt on another instance, within the deadline and the budget (gRFC A6)."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from discovery import attempts
from discovery.attempt import first_message
from discovery.backoff import retry_delays
from discovery.budget import RetryBudget, Throttle
from discovery.clock import Clock
from discovery.latency import Latencies
from discovery.method import Kind, Method
from discovery.opening import Later, Opened, Opening
from discovery.outgoing import Layer, Outgoing, Send
from discovery.retry_policy import STOP_S, RetryPolicy, is_retriable, pushback_s


class Retries:
    """The retries of one call: after each failure, how long to wait, or that it was the last."""

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        safe: bool,
        budget: RetryBudget,
        rng: random.Random,
        latencies: Latencies | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._policy = policy
        self._safe = safe
        self._budget = budget
        self._rng = rng
        self._latencies = latencies
        self._throttle = throttle
        self._delays_s = self._backoff()
        self._made = 1

    def delay_s(
        self, error: grpc.aio.AioRpcError, *, now_s: float, deadline_s: float | None
    ) -> float | None:
        """Seconds to wait before the next attempt; None: there is none, raise the error.

        Taken in order: only the nearest layer retries; the number of attempts; safety and code;
        the throttle; the server's pushback, exact, after which the backoff starts over; an attempt
        that can't finish in what would remain (less than the p50) isn't made; the budget.
        """
        if attempts.current() or self._made >= self._policy.max_attempts:
            return None
        told_s = pushback_s(error.trailing_metadata())
        retriable = is_retriable(error, self._policy, safe=self._safe, pushback_s=told_s)
        if self._throttled(counts=retriable or told_s == STOP_S) or not retriable:
            return None
        if told_s is None:
            delay_s = next(self._delays_s)
        else:
            delay_s = told_s
            self._delays_s = self._backoff()
        if not self._can_finish(now_s, delay_s, deadline_s) or not self._budget.withdraw(now_s):
            return None
        self._made += 1
        return delay_s

    def _throttled(self, *, counts: bool) -> bool:
        if self._throttle is None:
            return False
        if counts:
            self._throttle.failed()
        return not self._throttle.allows

    def _can_finish(self, now_s: float, delay_s: float, deadline_s: float | None) -> bool:
        if deadline_s is None:
            return True
        remaining_s = deadline_s - now_s - delay_s
        usual_s = self._latencies.percentile(0.5, now_s=now_s) if self._latencies else None
        return remaining_s > 0 if usual_s is None else remaining_s >= usual_s

    def _backoff(self) -> Iterator[float]:
        policy = self._policy
        return retry_delays(
            self._rng,
            initial_s=policy.initial_backoff_s,
            ceiling_s=policy.max_backoff_s,
            multiplier=policy.backoff_multiplier,
        )


@dataclass(frozen=True, slots=True)
class Retrying:
    """What the retries of one channel share."""

    clock: Clock
    rng: random.Random
    budget: RetryBudget
    throttle: Throttle | None

    def of(self, method: Method) -> Retries:
        """The retries of one call of this method."""
        return Retries(
            method.retry,
            safe=method.safe,
            budget=self.budget,
            rng=self.rng,
            latencies=method.latencies,
            throttle=self.throttle,
        )

    async def wait(
        self, retries: Retries, failure: grpc.aio.AioRpcError, outgoing: Outgoing
    ) -> None:
        """Wait, and turn the call to its next attempt, on another instance while there is one.

        Raises the failure where it was the last.
        """
        now_s = self.clock.monotonic()
        delay_s = retries.delay_s(failure, now_s=now_s, deadline_s=outgoing.deadline_s)
        if delay_s is None:
            raise failure
        await self.clock.sleep(delay_s)
        outgoing.now_s = self.clock.monotonic()
        if outgoing.deadline_s is not None and outgoing.now_s >= outgoing.deadline_s:
            raise failure
        if outgoing.subchannel is not None:
            # Where nothing was picked, nothing was sent, and no attempt came before the next.
            outgoing.attempts += 1
            outgoing.excluded = (*outgoing.excluded, outgoing.subchannel)
            outgoing.subchannel = None


def layer(
    *, clock: Clock, rng: random.Random, budget: RetryBudget, throttle: Throttle | None
) -> Layer:
    """Repeat unary calls, and streams of responses before their first message."""
    retrying = Retrying(clock, rng, budget, throttle)

    def build(method: Method, below: Send) -> Send:
        if method.kind is Kind.UNARY_UNARY:
            return _unary(method, below, retrying)
        if method.kind is Kind.UNARY_STREAM and method.retry.max_attempts > 1:
            return _responses(method, below, retrying)
        # The requests of a client stream are gone once they were sent.
        return below

    return build


def _unary(method: Method, below: Send, retrying: Retrying) -> Send:
    budget, throttle = retrying.budget, retrying.throttle

    async def send(outgoing: Outgoing) -> Any:
        budget.deposit(outgoing.now_s)
        try:
            response = await below(outgoing)
        except grpc.aio.AioRpcError as error:
            failure = error
        else:
            if throttle is not None:
                throttle.succeeded()
            return response
        return await send_again(outgoing, failure)

    async def send_again(outgoing: Outgoing, failure: grpc.aio.AioRpcError) -> Any:
        retries = retrying.of(method)
        while True:
            await retrying.wait(retries, failure, outgoing)
            try:
                response = await below(outgoing)
            except grpc.aio.AioRpcError as error:
                failure = error
            except grpc.aio.UsageError:
                # The channel was closed in between.
                raise failure from None
            else:
                if throttle is not None:
                    throttle.succeeded()
                return response

    return send


def _responses(method: Method, below: Send, retrying: Retrying) -> Send:
    def send(outgoing: Outgoing) -> Any:
        retrying.budget.deposit(outgoing.now_s)
        outgoing.opening = Opening()
        sent = below(outgoing)
        return Later(partial(until_first_message, sent, outgoing, outgoing.opening))

    async def until_first_message(sent: Any, outgoing: Outgoing, opening: Opening) -> Opened:
        retries = retrying.of(method)
        while True:
            try:
                opened = await opening.first_message(sent)
            except grpc.aio.AioRpcError as error:
                if opening.committed:
                    raise
                failure = error
            else:
                first_message(method, retrying.clock.monotonic(), outgoing)
                if retrying.throttle is not None:
                    retrying.throttle.succeeded()
                return opened
            await retrying.wait(retries, failure, outgoing)
            try:
                sent = below(outgoing)
            except grpc.aio.UsageError:
                raise failure from None

    return send

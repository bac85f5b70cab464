"""Repeats a failed attempt on another instance, within the deadline and the budget (gRFC A6)."""

import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import grpc

from discovery import attempts
from discovery.attempt import first_message
from discovery.backoff import retry_delays
from discovery.budget import RetryBudget
from discovery.clock import Clock
from discovery.latency import Latencies
from discovery.method import Kind, Method
from discovery.opening import Later, Opened, Opening
from discovery.outgoing import Layer, Outgoing, Send
from discovery.retry_policy import RetryPolicy, is_retriable, pushback_s


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
    ) -> None:
        self._policy = policy
        self._safe = safe
        self._budget = budget
        self._rng = rng
        self._latencies = latencies
        self._delays_s = self._backoff()
        self._made = 1

    def delay_s(
        self, error: grpc.aio.AioRpcError, *, now_s: float, deadline_s: float | None
    ) -> float | None:
        """Seconds to wait before the next attempt; None: there is none, raise the error.

        Taken in order: only the nearest layer retries; the number of attempts; safety and code;
        the server's pushback, exact, after which the backoff starts over; an attempt that can't
        finish in what would remain (less than the p50) isn't made; the budget.
        """
        if attempts.current() or self._made >= self._policy.max_attempts:
            return None
        told_s = pushback_s(error.trailing_metadata())
        if not is_retriable(error, self._policy, safe=self._safe, pushback_s=told_s):
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


def layer(*, clock: Clock, rng: random.Random, budget: RetryBudget) -> Layer:
    """Repeat unary calls, and streams of responses before their first message."""

    def build(method: Method, below: Send) -> Send:
        if method.kind is Kind.UNARY_UNARY:
            return _unary(method, below, clock, rng, budget)
        if method.kind is Kind.UNARY_STREAM and method.retry.max_attempts > 1:
            return _responses(method, below, clock, rng, budget)
        # The requests of a client stream are gone once they were sent.
        return below

    return build


def _unary(
    method: Method, below: Send, clock: Clock, rng: random.Random, budget: RetryBudget
) -> Send:
    async def send(outgoing: Outgoing) -> Any:
        budget.deposit(outgoing.now_s)
        try:
            return await below(outgoing)
        except grpc.aio.AioRpcError as error:
            failure = error
        return await send_again(outgoing, failure)

    async def send_again(outgoing: Outgoing, failure: grpc.aio.AioRpcError) -> Any:
        retries = retries_of(method, budget=budget, rng=rng)
        while True:
            await _wait(retries, failure, outgoing, clock)
            try:
                return await below(outgoing)
            except grpc.aio.AioRpcError as error:
                failure = error

    return send


def _responses(
    method: Method, below: Send, clock: Clock, rng: random.Random, budget: RetryBudget
) -> Send:
    def send(outgoing: Outgoing) -> Any:
        budget.deposit(outgoing.now_s)
        outgoing.opening = Opening()
        sent = below(outgoing)
        return Later(partial(until_first_message, sent, outgoing, outgoing.opening))

    async def until_first_message(sent: Any, outgoing: Outgoing, opening: Opening) -> Opened:
        retries = retries_of(method, budget=budget, rng=rng)
        while True:
            try:
                opened = await opening.first_message(sent)
            except grpc.aio.AioRpcError as error:
                if opening.committed:
                    raise
                failure = error
            else:
                first_message(method, clock.monotonic(), outgoing)
                return opened
            await _wait(retries, failure, outgoing, clock)
            sent = below(outgoing)

    return send


async def _wait(
    retries: Retries, failure: grpc.aio.AioRpcError, outgoing: Outgoing, clock: Clock
) -> None:
    """Wait, and turn the call to its next attempt. Raises the failure where it was the last."""
    delay_s = retries.delay_s(failure, now_s=clock.monotonic(), deadline_s=outgoing.deadline_s)
    if delay_s is None:
        raise failure
    await clock.sleep(delay_s)
    begin_again(outgoing, clock.monotonic())


def retries_of(method: Method, *, budget: RetryBudget, rng: random.Random) -> Retries:
    """The retries of one call of this method."""
    return Retries(
        method.retry, safe=method.safe, budget=budget, rng=rng, latencies=method.latencies
    )


def begin_again(outgoing: Outgoing, now_s: float) -> None:
    """Turn the call to its next attempt, on another instance while there is one."""
    outgoing.attempts += 1
    outgoing.now_s = now_s
    if outgoing.subchannel is not None:
        outgoing.excluded = (*outgoing.excluded, outgoing.subchannel)
        outgoing.subchannel = None

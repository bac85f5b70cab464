"""Repeats a failed attempt on another instance, by the rules of `discovery.rules.retry_decision`.

A call that waits for its next attempt waits in the event loop.
"""

import asyncio
import random
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from discovery.aio.balancer import Balancer
from discovery.aio.layers.attempt_timeout import first_message
from discovery.aio.layers.by_kind import by_kind
from discovery.aio.sent import (
    AioLayer,
    PendingStream,
    StreamSend,
    StreamSent,
    UnarySend,
)
from discovery.aio.uncommitted_attempts import UncommittedAttempts, observe_first_message
from discovery.aio.waiting_calls import WaitingCalls
from discovery.balancing.unconnected import was_not_sent
from discovery.balancing.unserved import is_served_elsewhere
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules.method import Kind, Method
from discovery.rules.retry_budget import RetryBudget, Throttle
from discovery.rules.retry_decision import CallRetries, ChannelRetries


def layer(
    balancer: Balancer,
    *,
    clock: Clock,
    rng: random.Random,
    budget: RetryBudget,
    throttle: Throttle | None,
) -> AioLayer:
    """Repeat unary calls, and streams of responses until their first message."""

    def served_elsewhere(method: Method, tried: Collection[object]) -> bool:
        return is_served_elsewhere(method, balancer.subchannels, tried)

    retrying = ChannelRetries(rng, budget, throttle, served_elsewhere)
    pause = _Pause(balancer.waiting_calls, clock)
    return by_kind(unary=partial(_unary, retrying, pause), stream=partial(_stream, retrying, pause))


@dataclass(frozen=True, slots=True)
class _Pause:
    """The wait between two attempts of a call."""

    waiting_calls: WaitingCalls
    clock: Clock

    async def wait(
        self, retries: CallRetries, failure: grpc.aio.AioRpcError, call: CallState
    ) -> None:
        """Wait, then prepare the next attempt.

        Raises the failure if there is no next attempt, also because the channel is closed.
        """
        now_s = self.clock.monotonic()
        tried = (*call.excluded, call.subchannel)
        delay_s = retries.delay_s(
            failure,
            now_s=now_s,
            deadline_s=call.deadline_s,
            tried=tried,
            was_sent=not was_not_sent(failure, call.subchannel),
        )
        if delay_s is None:
            raise retries.final(failure)
        sleeping = asyncio.get_running_loop().create_task(self.clock.sleep(delay_s))
        try:
            with self.waiting_calls.one(sleeping.cancel):
                await asyncio.wait([sleeping])
        finally:
            sleeping.cancel()
        call.now_s = self.clock.monotonic()
        late = call.deadline_s is not None and call.now_s >= call.deadline_s
        if late or self.waiting_calls.ended:
            raise retries.final(failure)
        call.turn_to_next()


def _unary(retrying: ChannelRetries, pause: _Pause, method: Method, below: UnarySend) -> UnarySend:
    budget, throttle = retrying.budget, retrying.throttle

    async def send(call: CallState) -> Any:
        budget.deposit(call.now_s)
        try:
            response = await below(call)
        except grpc.aio.AioRpcError as error:
            failure = error
        else:
            if throttle is not None:
                throttle.succeeded()
            return response
        return await send_again(call, failure)

    async def send_again(call: CallState, failure: grpc.aio.AioRpcError) -> Any:
        retries = retrying.of(method)
        while True:
            await pause.wait(retries, failure, call)
            try:
                response = await below(call)
            except grpc.aio.AioRpcError as error:
                failure = error
            except grpc.aio.UsageError:
                # The channel was closed between two attempts.
                raise retries.final(failure) from None
            else:
                retrying.succeeded()
                return response

    return send


def _stream(
    retrying: ChannelRetries, pause: _Pause, method: Method, below: StreamSend
) -> StreamSend:
    if method.kind is Kind.UNARY_STREAM and method.retry.max_attempts > 1:
        return _responses(retrying, pause, method, below)
    # The requests of a client stream can't be sent twice: the caller's iterator is used up.
    return below


def _responses(
    retrying: ChannelRetries, pause: _Pause, method: Method, below: StreamSend
) -> StreamSend:
    def send(call: CallState) -> StreamSent:
        retrying.budget.deposit(call.now_s)
        attempts = call.uncommitted = UncommittedAttempts()
        sent = below(call)
        return PendingStream(partial(until_first_message, sent, call, attempts))

    async def until_first_message(
        sent: StreamSent, call: CallState, attempts: UncommittedAttempts
    ) -> StreamSent:
        retries = retrying.of(method)
        following: StreamSent | None = sent
        failure: grpc.aio.AioRpcError | None = None
        while True:
            try:
                attempt = await first_message(method, pause.clock, following or below(call), call)
            except grpc.aio.AioRpcError as error:
                if attempts.committed:
                    raise
                failure = error
            except grpc.aio.UsageError as closed:
                raise (retries.final(failure) if failure else closed) from None
            else:
                observe_first_message(method, pause.clock.monotonic(), call)
                retrying.succeeded()
                return attempt
            await pause.wait(retries, failure, call)
            following = None

    return send

"""Repeats a failed attempt on another instance, within the deadline and the budget.

The rules are those of `discovery.rules.retry_decision`; here the call waits in its event loop.
"""

import random
from functools import partial
from typing import Any

import grpc

from discovery.aio.layers.attempt import first_message
from discovery.aio.stream_attempts import Later, Opened, Opening
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.clock import Clock
from discovery.rules.method import Kind, Method
from discovery.rules.retry_budget import RetryBudget, Throttle
from discovery.rules.retry_decision import Retries, Retrying


def layer(
    *, clock: Clock, rng: random.Random, budget: RetryBudget, throttle: Throttle | None
) -> Layer:
    """Repeat unary calls, and streams of responses before their first message."""
    retrying = Retrying(rng, budget, throttle)

    def build(method: Method, below: Send) -> Send:
        if method.kind is Kind.UNARY_UNARY:
            return _unary(method, below, retrying, clock)
        if method.kind is Kind.UNARY_STREAM and method.retry.max_attempts > 1:
            return _responses(method, below, retrying, clock)
        # The requests of a client stream are gone once they were sent.
        return below

    return build


async def _wait(
    clock: Clock, retries: Retries, failure: grpc.aio.AioRpcError, outgoing: Outgoing
) -> None:
    """Wait, and turn the call to its next attempt. Raises the failure where it was the last."""
    delay_s = retries.delay_s(failure, now_s=clock.monotonic(), deadline_s=outgoing.deadline_s)
    if delay_s is None:
        raise failure
    await clock.sleep(delay_s)
    outgoing.now_s = clock.monotonic()
    if outgoing.deadline_s is not None and outgoing.now_s >= outgoing.deadline_s:
        raise failure
    outgoing.turn_to_next()


def _unary(method: Method, below: Send, retrying: Retrying, clock: Clock) -> Send:
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
            await _wait(clock, retries, failure, outgoing)
            try:
                response = await below(outgoing)
            except grpc.aio.AioRpcError as error:
                failure = error
            except grpc.aio.UsageError:
                # The channel was closed in between.
                raise failure from None
            else:
                retrying.succeeded()
                return response

    return send


def _responses(method: Method, below: Send, retrying: Retrying, clock: Clock) -> Send:
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
                first_message(method, clock.monotonic(), outgoing)
                retrying.succeeded()
                return opened
            await _wait(clock, retries, failure, outgoing)
            try:
                sent = below(outgoing)
            except grpc.aio.UsageError:
                raise failure from None

    return send

"""Repeats a failed attempt on another instance, by the rules of `discovery.rules.retry_decision`.

A call that waits for its next attempt waits in the thread that makes it, or in the channel's loop.
"""

import random
from collections.abc import Collection
from typing import Any

import grpc

from discovery.balancing.unserved import is_served_elsewhere
from discovery.blocking.balancer import Balancer
from discovery.blocking.call_loop import CallLoop
from discovery.blocking.layers.stream_calls import UnaryStreamCall
from discovery.blocking.repeater import Repeater
from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules.method import Kind, Method
from discovery.rules.retry_budget import RetryBudget, Throttle
from discovery.rules.retry_decision import ChannelRetries


def layer(
    balancer: Balancer,
    *,
    call_loop: CallLoop,
    clock: Clock,
    rng: random.Random,
    budget: RetryBudget,
    throttle: Throttle | None,
) -> BlockingLayer:
    """Repeat unary calls, and streams of responses until their first message."""
    lock = balancer.changed

    def served_elsewhere(method: Method, tried: Collection[object]) -> bool:
        return is_served_elsewhere(method, balancer.subchannels, tried)

    retrying = ChannelRetries(rng, budget, throttle, served_elsewhere)

    def build(method: Method, below: BlockingSend) -> BlockingSend:
        repeater = Repeater(method, retrying, lock=lock, call_loop=call_loop, clock=clock)
        if method.kind is Kind.UNARY_UNARY:
            return _unary(repeater, below)
        if method.kind is Kind.UNARY_STREAM:
            return lambda call: UnaryStreamCall(call, below, repeater)
        # The requests of a client stream can't be sent twice: the caller's iterator is used up.
        return below

    return build


def _unary(repeater: Repeater, below: BlockingSend) -> BlockingSend:
    below_in_loop: Any = below

    def send(call: CallState) -> Sent:
        if call.in_loop:
            return send_in_loop(call)
        retries = repeater.begin(call)
        while True:
            try:
                answered = below(call)
            except grpc.RpcError as error:
                repeater.wait(retries, call, error)
            else:
                repeater.succeeded()
                return answered

    async def send_in_loop(call: CallState) -> Any:
        retries = repeater.begin(call)
        while True:
            try:
                answered = await below_in_loop(call)
            except grpc.RpcError as error:
                await repeater.wait_in_loop(retries, call, error)
            else:
                repeater.succeeded()
                return answered

    return send

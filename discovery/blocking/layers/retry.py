"""Repeats a failed attempt on another instance, by the rules of `discovery.rules.retry_decision`.

A call that waits for its next attempt waits in the thread that makes it.
"""

import random
import threading
from collections.abc import Collection

import grpc

from discovery.balancing.unserved import is_served_elsewhere
from discovery.blocking.balancer import Balancer
from discovery.blocking.repeater import Repeater
from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.blocking.stream_calls import UnaryStreamCall
from discovery.call.call_state import CallState
from discovery.clock import Clock
from discovery.rules.method import Kind, Method
from discovery.rules.retry_budget import RetryBudget, Throttle
from discovery.rules.retry_decision import ChannelRetries


def layer(
    balancer: Balancer,
    *,
    closing: threading.Event,
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
        repeater = Repeater(method, retrying, lock=lock, closing=closing, clock=clock)
        if method.kind is Kind.UNARY_UNARY:
            return _unary(repeater, below)
        if method.kind is Kind.UNARY_STREAM:
            return lambda call: UnaryStreamCall(call, below, repeater)
        # The requests of a client stream can't be sent twice: the caller's iterator is used up.
        return below

    return build


def _unary(repeater: Repeater, below: BlockingSend) -> BlockingSend:
    def send(call: CallState) -> Sent:
        retries = repeater.begin(call)
        while True:
            try:
                answered = below(call)
            except grpc.RpcError as error:
                repeater.wait(retries, call, error)
            else:
                repeater.succeeded()
                return answered

    return send

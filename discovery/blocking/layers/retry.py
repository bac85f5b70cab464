"""Repeats a failed attempt in the calling thread, by the rules of `retry_decision`."""

import random
import threading
from typing import Any

import grpc

from discovery.blocking.layers.retry_loop import Repeater
from discovery.blocking.response_stream import Responses
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.clock import Clock
from discovery.rules.method import Kind, Method
from discovery.rules.retry_budget import RetryBudget, Throttle
from discovery.rules.retry_decision import Retrying


def layer(
    *,
    lock: threading.Condition,
    closing: threading.Event,
    clock: Clock,
    rng: random.Random,
    budget: RetryBudget,
    throttle: Throttle | None,
) -> Layer:
    """Repeat unary calls, and streams of responses before their first message."""
    retrying = Retrying(rng, budget, throttle)

    def build(method: Method, below: Send) -> Send:
        repeater = Repeater(method, retrying, lock=lock, closing=closing, clock=clock)
        if method.kind is Kind.UNARY_UNARY:
            return _unary(repeater, below)
        if method.kind is Kind.UNARY_STREAM:
            return lambda outgoing: Responses(outgoing, below, repeater)
        # The requests of a client stream are gone once they were sent.
        return below

    return build


def _unary(repeater: Repeater, below: Send) -> Send:
    def send(outgoing: Outgoing) -> Any:
        retries = repeater.begin(outgoing)
        while True:
            try:
                answered = below(outgoing)
            except grpc.RpcError as error:
                repeater.wait(retries, outgoing, error)
            else:
                repeater.succeeded()
                return answered

    return send

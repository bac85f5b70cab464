"""The client stack, from the caller down to the wire.

Every attempt passes what stands below `retry`, so each is picked, marked and measured by itself.

| rule            | unary_unary      | unary_stream              | client streams               |
|-----------------|------------------|---------------------------|------------------------------|
| deadline        | 10 s by default  | where asked for           | where asked for              |
| bulkhead        | the call         | until the stream ends     | until the stream ends        |
| retry, budget   | safe methods     | safe, before a message or | never: the requests are gone |
|                 |                  | the metadata was seen     |                              |
| hedging         | safe, if it asks | safe, if it asks, before  | never: the requests are gone |
|                 |                  | the same, no later        |                              |
| breaker         | each attempt     | each attempt              | once, as it begins           |
| in flight       | each attempt     | until the stream ends     | until the stream ends        |
| latency         | to the answer    | to the first message      | from the last request to the |
|                 |                  |                           | first message                |
| failures        | by the status    | by the status, after the first message too               |
"""

import random
from typing import TYPE_CHECKING

from discovery.aio.balancer import Balancer
from discovery.aio.layers import attempt, bulkhead, hedging, pick, retry
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.clock import Clock
from discovery.rules import attempt_number, breaker, deadline
from discovery.rules.breaker import Breakers
from discovery.rules.bulkhead import Bulkhead
from discovery.rules.method import Method
from discovery.rules.retry_budget import RetryBudget, Throttle
from discovery.telemetry import recorder as telemetry

if TYPE_CHECKING:
    from discovery.telemetry.spans import Recorder


def client_stack(
    *,
    balancer: Balancer,
    budget: RetryBudget,
    throttle: Throttle | None,
    places: Bulkhead | None,
    breakers: Breakers,
    clock: Clock,
    rng: random.Random,
    recorder: "Recorder | None" = None,
) -> list[Layer]:
    """The layers of one channel, top to bottom."""
    return [
        # Topmost: all that the caller waits for is the call, below deadline its refusals weren't.
        telemetry.call_layer(recorder),
        # One instant bounds the whole call: below retry, each attempt would get the full timeout.
        deadline.layer(clock=clock),
        # Below the deadline, which bounds the wait for a place; above retry, or a call would stand
        # in line again for each attempt.
        bulkhead.layer(places, clock=clock),
        # Above the pick, so that the next attempt goes elsewhere: below it, the same instance
        # would be asked again.
        retry.layer(clock=clock, rng=rng, budget=budget, throttle=throttle),
        # Below retry, which repeats what both attempts failed at; above the breaker and the pick,
        # which each of them passes.
        hedging.layer(clock=clock, budget=budget, throttle=throttle),
        # Below retry, since it counts attempts; above the pick, since it judges the service as a
        # whole: an instance shall not be charged with a call that wasn't sent.
        breaker.layer(breakers),
        # Below retry, which counts: above it, every attempt would claim to be the first.
        attempt_number.layer(),
        # Just above the attempt: higher up, an instance could be gone again by the time it is used.
        pick.layer(balancer, clock=clock),
        # Below the pick, or nobody could tell whose attempt it is, nor make it the server's parent.
        telemetry.attempt_layer(recorder),
        # The wire. Only here is it known which instance answered, and how long it took.
        attempt.layer(clock=clock),
    ]


def compose(layers: list[Layer], method: Method) -> Send:
    """Build one method's stack out of the layers."""
    send: Send = _nothing_below
    for layer in reversed(layers):
        send = layer(method, send)
    return send


def _nothing_below(_outgoing: Outgoing) -> None:
    raise RuntimeError("the last layer of a stack has nothing below it")

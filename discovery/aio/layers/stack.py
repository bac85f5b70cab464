"""The asyncio client stack, from the caller down to the wire.

Each attempt passes the layers below `retry` anew, so each is picked, numbered and measured for
itself.

| rule            | unary_unary      | unary_stream              | client streams               |
|-----------------|------------------|---------------------------|------------------------------|
| deadline        | 10 s by default  | if the caller gives one   | if the caller gives one      |
| bulkhead        | the call         | until the stream ends     | until the stream ends        |
| retry, budget   | safe methods     | safe methods, before the  | never: the requests can't be |
|                 |                  | caller has seen a message | sent twice                   |
|                 |                  | or the metadata           |                              |
| hedging         | safe methods, if | as unary_unary, before    | never: the requests can't be |
|                 | configured       | the caller has seen any   | sent twice                   |
| breaker         | each attempt     | each attempt              | once, as the stream begins   |
| attempt timeout | as configured    | as configured, to the     | never: they aren't retried   |
|                 |                  | first message             |                              |
| in flight       | each attempt     | until the stream ends     | until the stream ends        |
| latency         | to the response  | to the first message      | from the last request to the |
|                 |                  |                           | first message                |
| failures        | by the status    | by the status, after the first message too               |
"""

import random
from typing import TYPE_CHECKING

from discovery.aio.balancer import Balancer
from discovery.aio.layers import (
    attempt,
    attempt_timeout,
    breaker,
    bulkhead,
    hedging,
    pick,
    retry,
    telemetry,
)
from discovery.aio.sent import AioLayer
from discovery.call.shared_layers import attempt_number_layer, deadline_layer
from discovery.clock import Clock
from discovery.rules.breaker import MethodBreakers
from discovery.rules.bulkhead import Bulkhead
from discovery.rules.retry_budget import RetryBudget, Throttle

if TYPE_CHECKING:
    from discovery.telemetry.call_recording import Recorder


def client_stack(
    *,
    balancer: Balancer,
    budget: RetryBudget,
    throttle: Throttle | None,
    permits: Bulkhead | None,
    breakers: MethodBreakers,
    clock: Clock,
    rng: random.Random,
    recorder: "Recorder | None" = None,
) -> list[AioLayer]:
    """The layers of one channel, from top to bottom."""
    return [
        # First, so that it also records calls which the layers below refuse.
        telemetry.call_layer(recorder),
        # Above retry, so that one instant bounds the call; below it, each attempt would get the
        # whole timeout again.
        deadline_layer(clock=clock),
        # Below the deadline, which bounds the wait in the queue; above retry, so that a call queues
        # once and not for each attempt.
        bulkhead.layer(permits, waiting_calls=balancer.waiting_calls, clock=clock),
        # Above the pick, so that the next attempt goes to another instance; below it, the same
        # instance would be tried again.
        retry.layer(balancer, clock=clock, rng=rng, budget=budget, throttle=throttle),
        # Below retry, which repeats a call only when both attempts failed; above the breaker and
        # the pick, which both attempts must pass.
        hedging.layer(clock=clock, budget=budget, throttle=throttle),
        # Below retry, because it counts attempts; above the pick, because it judges the service as
        # a whole, and a refused attempt must not count against an instance.
        breaker.layer(breakers),
        # Below retry, which counts the attempts; above it, every attempt would look like the first.
        attempt_number_layer(),
        # Directly above the attempt, because a picked instance may be gone a moment later.
        pick.layer(balancer, clock=clock),
        # Below the pick, because a span names the instance of its attempt and is the parent of the
        # server's span.
        telemetry.attempt_layer(recorder),
        # Below the pick, whose wait belongs to the call and not to an attempt.
        attempt_timeout.layer(),
        # Last: only here is it known which instance answered, and how long it took.
        attempt.layer(clock=clock),
    ]

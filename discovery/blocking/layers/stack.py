"""The stack of a blocking channel; `discovery.aio.layers.stack` has the reasons for its order.

| rule            | unary_unary      | unary_stream              | client streams               |
|-----------------|------------------|---------------------------|------------------------------|
| deadline        | 10 s by default  | where asked for           | where asked for              |
| bulkhead        | the call         | until the stream ends     | until the stream ends        |
| retry, budget   | safe methods     | safe, as it is read, for  | never: the requests are gone |
|                 |                  | its first message         |                              |
| hedging         | safe, if it asks | never: only a thread of   | never                        |
|                 |                  | its own could wait for two|                              |
| breaker         | each attempt     | each attempt              | once, as it begins           |
| in flight       | each attempt     | until the stream ends     | until the stream ends        |
| latency         | to the answer    | to the first message      | stream_unary: to the answer; |
|                 |                  |                           | stream_stream: not measured  |
| failures        | by the status    | by the status, after the first message too               |

Waiting for a place, an instance or the next attempt is done in the thread that calls; with
`future()` of a unary method in a thread of its own, with that of a client stream and with
stream_stream where it is made.
"""

import random
import threading
from typing import TYPE_CHECKING

from discovery.blocking.balancer import Balancer
from discovery.blocking.layers import (
    attempt,
    breaker,
    bulkhead,
    future,
    hedging,
    pick,
    retry,
    telemetry,
)
from discovery.blocking.sent import BlockingLayer
from discovery.call.shared_layers import attempt_number_layer, deadline_layer
from discovery.clock import Clock
from discovery.rules.breaker import Breakers
from discovery.rules.bulkhead import Bulkhead
from discovery.rules.retry_budget import RetryBudget, Throttle

if TYPE_CHECKING:
    from discovery.telemetry.spans import Recorder


def blocking_stack(
    *,
    balancer: Balancer,
    budget: RetryBudget,
    throttle: Throttle | None,
    places: Bulkhead | None,
    breakers: Breakers,
    closing: threading.Event,
    clock: Clock,
    rng: random.Random,
    recorder: "Recorder | None",
) -> list[BlockingLayer]:
    """The layers of one channel in one process, top to bottom.

    What counts (places, budgets, outcomes, loads) is touched under the balancer's lock.
    """
    lock = balancer.changed
    return [
        telemetry.call_layer(recorder),
        deadline_layer(clock=clock),
        # Below the deadline, which begins where `future()` is called; above all that waits.
        future.layer(clock=clock),
        bulkhead.layer(places, lock=lock, closing=closing, clock=clock),
        retry.layer(
            lock=lock, closing=closing, clock=clock, rng=rng, budget=budget, throttle=throttle
        ),
        hedging.layer(lock=lock, clock=clock, budget=budget, throttle=throttle),
        breaker.layer(breakers, lock=lock),
        attempt_number_layer(),
        pick.layer(balancer, clock=clock),
        telemetry.attempt_layer(recorder),
        attempt.layer(lock=lock, clock=clock),
    ]

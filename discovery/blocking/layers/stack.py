"""The blocking client stack, from the caller down to the wire.

The order and its reasons are those of `discovery.aio.layers.stack`; this driver adds `future`.

| rule            | unary_unary      | unary_stream              | client streams               |
|-----------------|------------------|---------------------------|------------------------------|
| deadline        | 10 s by default  | if the caller gives one   | if the caller gives one      |
| bulkhead        | the call         | until the stream ends     | until the stream ends        |
| retry, budget   | safe methods     | safe methods, while the   | never: the requests can't be |
|                 |                  | caller waits for the      | sent twice                   |
|                 |                  | first message             |                              |
| hedging         | safe methods, if | never: it would need a    | never: the requests can't be |
|                 | configured       | thread for each attempt   | sent twice                   |
| breaker         | each attempt     | each attempt              | once, as the stream begins   |
| attempt timeout | as configured    | as configured, to the     | never: they aren't retried   |
|                 |                  | first message             |                              |
| in flight       | each attempt     | until the stream ends     | until the stream ends        |
| latency         | to the response  | to the first message      | stream_unary: to the         |
|                 |                  |                           | response; stream_stream: not |
|                 |                  |                           | measured                     |
| failures        | by the status    | by the status, after the first message too               |

The thread that makes a call also waits: for its turn, an instance or the next attempt. Two
exceptions: the `future()` of a unary method waits in the channel's loop (`CallLoop`), and a stream
of responses waits for its next attempt in the thread that reads it.
"""

import random
from typing import TYPE_CHECKING

from discovery.blocking.balancer import Balancer
from discovery.blocking.call_loop import CallLoop
from discovery.blocking.layers import (
    attempt,
    attempt_timeout,
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
from discovery.rules.breaker import MethodBreakers
from discovery.rules.bulkhead import Bulkhead
from discovery.rules.retry_budget import RetryBudget, Throttle

if TYPE_CHECKING:
    from discovery.telemetry.call_recording import Recorder


def blocking_stack(
    *,
    balancer: Balancer,
    budget: RetryBudget,
    throttle: Throttle | None,
    permits: Bulkhead | None,
    breakers: MethodBreakers,
    call_loop: CallLoop,
    clock: Clock,
    rng: random.Random,
    recorder: "Recorder | None",
) -> list[BlockingLayer]:
    """The layers of one channel in one process, from top to bottom.

    Queues, budgets, outcomes and loads are changed under the balancer's lock.
    """
    lock = balancer.changed
    return [
        # First, so that it also records calls which the layers below refuse.
        telemetry.call_layer(recorder),
        # Above retry, so that one instant bounds the call with all its attempts.
        deadline_layer(clock=clock),
        # Below the deadline, which starts when `future()` is called; above all layers that wait.
        future.layer(call_loop, clock=clock),
        # Above retry, so that a call queues once and not for each attempt.
        bulkhead.layer(permits, lock=lock, closing=call_loop.closing, clock=clock),
        # Above the pick, so that the next attempt goes to another instance.
        retry.layer(
            balancer, call_loop=call_loop, clock=clock, rng=rng, budget=budget, throttle=throttle
        ),
        # Below retry, which repeats a call only when both attempts failed; above the breaker and
        # the pick, which both attempts must pass.
        hedging.layer(lock=lock, clock=clock, budget=budget, throttle=throttle),
        # Above the pick: a refused attempt must not count against an instance.
        breaker.layer(breakers, lock=lock),
        # Below retry, which counts the attempts.
        attempt_number_layer(),
        # Directly above the attempt, because a picked instance may be gone a moment later.
        pick.layer(balancer, clock=clock),
        # Below the pick, because a span names the instance of its attempt.
        telemetry.attempt_layer(recorder),
        # Below the pick, whose wait belongs to the call and not to an attempt.
        attempt_timeout.layer(),
        # Last: only here is it known which instance answered, and how long it took.
        attempt.layer(lock=lock, clock=clock),
    ]

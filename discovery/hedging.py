"""Sends a second attempt beside a slow first one, to another instance; the first OK wins.

For methods whose service config has a hedgingPolicy and whose contract says that they are safe,
unary ones only. The second attempt leaves after the p95 of the last 10 s (nobody is hedged while
there is none), if the shared budget pays for it without its reserve, if no layer above retries
already, and if there is another instance. The loser is cancelled; what it took so far counts as
its latency, or a slow instance that always loses would never look slow.
"""

import asyncio
from collections.abc import Coroutine
from copy import copy
from dataclasses import dataclass
from typing import Any

import grpc

from discovery import attempts
from discovery.budget import RetryBudget, Throttle
from discovery.clock import Clock
from discovery.hedging_policy import DELAY_PERCENTILE, HedgingPolicy
from discovery.method import Kind, Method
from discovery.outgoing import Layer, Outgoing, Send
from discovery.retry_policy import STOP_S, pushback_s

# A percentile is found by sorting: not for each call.
_DELAY_HOLDS_S = 0.1


@dataclass(frozen=True, slots=True)
class Hedging:
    """What the hedges of one channel share."""

    clock: Clock
    budget: RetryBudget
    throttle: Throttle | None

    def allows(self, now_s: float) -> bool:
        """Whether a hedge may be sent now."""
        if self.throttle is not None and not self.throttle.allows:
            return False
        return self.budget.pays(now_s, reserve=False)


def layer(*, clock: Clock, budget: RetryBudget, throttle: Throttle | None) -> Layer:
    """Hedge the methods that ask for it; the others cost nothing."""
    hedging = Hedging(clock, budget, throttle)

    def build(method: Method, below: Send) -> Send:
        policy = method.hedging
        if policy is None or not method.safe or method.kind is not Kind.UNARY_UNARY:
            return below
        return _hedged(Delay(method, policy), policy, below, hedging)

    return build


class Delay:
    """How long the first attempt of a method has for itself."""

    def __init__(self, method: Method, policy: HedgingPolicy) -> None:
        self._method = method
        self._policy = policy
        self._delay_s: float | None = None
        self._holds_until_s = float("-inf")

    def of(self, outgoing: Outgoing) -> float | None:
        """Seconds; None: no hedge, since there is no p95, no time or a retry above."""
        now_s = outgoing.now_s
        if now_s >= self._holds_until_s:
            usual_s = self._method.latencies.percentile(DELAY_PERCENTILE, now_s=now_s)
            self._delay_s = None if usual_s is None else max(usual_s, self._policy.least_delay_s)
            self._holds_until_s = now_s + _DELAY_HOLDS_S
        delay_s = self._delay_s
        if delay_s is None or attempts.current():
            return None
        if outgoing.deadline_s is not None and now_s + delay_s >= outgoing.deadline_s:
            return None
        return delay_s


def _hedged(delay: Delay, policy: HedgingPolicy, below: Send, hedging: Hedging) -> Send:
    async def send(outgoing: Outgoing) -> Any:
        delay_s = delay.of(outgoing)
        if delay_s is None:
            return await below(outgoing)
        first = _task(below(outgoing))
        pause = _task(hedging.clock.sleep(delay_s))
        tasks = [first, pause]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            second_outgoing = None if first.done() else _second(outgoing, hedging)
            sent = None if second_outgoing is None else _sent(below, second_outgoing, hedging)
            if second_outgoing is None or sent is None:
                await asyncio.wait([first])
                return first.result()
            second = _task(sent)
            tasks.append(second)
            return await _first_ok(
                {first: outgoing, second: second_outgoing}, outgoing, policy, hedging.clock
            )
        finally:
            for task in tasks:
                task.cancel()

    return send


def _second(outgoing: Outgoing, hedging: Hedging) -> Outgoing | None:
    """The same call on its way to another instance; None where it may not be sent."""
    now_s = hedging.clock.monotonic()
    if outgoing.subchannel is None or not hedging.allows(now_s):
        return None
    second = copy(outgoing)
    second.attempt = second.subchannel = None
    second.attempts = outgoing.attempts + 1
    second.excluded = (*outgoing.excluded, outgoing.subchannel)
    second.elsewhere = True
    second.now_s = now_s
    return second


def _sent(below: Send, outgoing: Outgoing, hedging: Hedging) -> Coroutine[Any, Any, Any] | None:
    """The hedge, paid for; None where there is no other instance, or it is refused here."""
    try:
        sent: Coroutine[Any, Any, Any] = below(outgoing)
    except grpc.aio.AioRpcError:
        return None
    hedging.budget.withdraw(outgoing.now_s, reserve=False)
    return sent


async def _first_ok(
    racing: dict["asyncio.Task[Any]", Outgoing],
    outgoing: Outgoing,
    policy: HedgingPolicy,
    clock: Clock,
) -> Any:
    """The first response. Raises the first fatal error, or, where all failed, the last error.

    An error that says "don't try again" is raised before the others, so that retry sees it.
    """
    pending = set(racing)
    failures: list[grpc.aio.AioRpcError] = []
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in racing if task in done]:
            error = task.exception()
            if error is None:
                _lost([racing[loser] for loser in pending], clock.monotonic())
                outgoing.attempt = racing[task].attempt
                return task.result()
            if not isinstance(error, grpc.aio.AioRpcError) or error.code() not in policy.non_fatal:
                raise error
            failures.append(error)
    outgoing.attempts += len(racing) - 1
    outgoing.excluded += tuple(
        other.subchannel
        for other in racing.values()
        if other is not outgoing and other.subchannel is not None
    )
    stops = [one for one in failures if pushback_s(one.trailing_metadata()) == STOP_S]
    raise (stops or failures)[-1]


def _lost(losers: list[Outgoing], now_s: float) -> None:
    """They would have taken at least so long."""
    for loser in losers:
        if loser.subchannel is not None:
            load, took_s = loser.subchannel.load, now_s - loser.now_s
            if took_s > load.latency_s(now_s):
                load.observe(took_s, now_s)


def _task(coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    task = asyncio.get_running_loop().create_task(coroutine)
    task.add_done_callback(_seen)
    return task


def _seen(task: "asyncio.Task[Any]") -> None:
    """A loser's error is nobody's."""
    if not task.cancelled():
        task.exception()

"""Sends a second attempt beside a slow first one, to another instance; the first OK wins.

The rules are those of `discovery.call.hedge_race`, followed with asyncio tasks. A unary call
is won by the first OK, a stream of responses by the first message (or a good end without any), or
by the first metadata, where the caller asked for it: what its caller sees commits a call (gRFC A6).
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from discovery.aio.stream_attempts import Later
from discovery.call.call_state import Layer, Outgoing, Send
from discovery.call.hedge_race import Delay, Hedges, Race
from discovery.clock import Clock
from discovery.rules.hedging_policy import HedgingPolicy
from discovery.rules.method import Kind, Method
from discovery.rules.retry_budget import RetryBudget, Throttle


def layer(*, clock: Clock, budget: RetryBudget, throttle: Throttle | None) -> Layer:
    """Hedge the methods that ask for it; the others cost nothing."""
    hedges = Hedges(budget, throttle)

    def build(method: Method, below: Send) -> Send:
        policy = method.hedging
        if policy is None or not method.safe:
            return below
        delay = Delay(method, policy)
        if method.kind is Kind.UNARY_UNARY:
            return _unary(delay, Hedging(hedges, policy, below, _response, clock))
        if method.kind is Kind.UNARY_STREAM:
            return _responses(delay, Hedging(hedges, policy, below, _first_message, clock))
        return below

    return build


@dataclass(frozen=True, slots=True)
class Hedging:
    """The hedges of one method; `answer` waits for what an attempt is raced for."""

    hedges: Hedges
    policy: HedgingPolicy
    below: Send
    answer: Callable[[Outgoing, Any], Coroutine[Any, Any, Any]]
    clock: Clock

    async def first_ok(self, outgoing: Outgoing, sent: Any, delay_s: float) -> Any:
        """What the attempt that was sent answers, or the one that is sent after the delay."""
        first = _task(self.answer(outgoing, sent))
        pause = _task(self.clock.sleep(delay_s))
        try:
            await asyncio.wait([first, pause], return_when=asyncio.FIRST_COMPLETED)
            second = None if first.done() else self._second(outgoing)
            if second is not None:
                return await self._race(first, outgoing, *second)
            await asyncio.wait([first])
            return first.result()
        finally:
            first.cancel()
            pause.cancel()

    def _second(self, outgoing: Outgoing) -> "tuple[asyncio.Task[Any], Outgoing] | None":
        """Another attempt, on its way to another instance; None where it may not be sent."""
        if outgoing.opening is not None and outgoing.opening.committed:
            return None
        second = self.hedges.second(outgoing, self.clock.monotonic())
        sent = None if second is None else self.hedges.send(self.below, second)
        if second is None or sent is None:
            return None
        return _task(self.answer(second, sent)), second

    async def _race(
        self,
        first: "asyncio.Task[Any]",
        outgoing: Outgoing,
        other: "asyncio.Task[Any]",
        second: Outgoing,
    ) -> Any:
        """The first response. Raises the first fatal error, or, where both failed, one of them."""
        race = Race(self.policy, outgoing, second)
        runners = {first: outgoing, other: second}
        won = False
        try:
            pending = set(runners)
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in runners if task in done]:
                    if _is_beaten(runners[task]):
                        continue
                    error = task.exception()
                    if error is None:
                        won = True
                        race.won(runners[task], self.clock.monotonic())
                        return task.result()
                    race.failed(error)
            raise race.lost()
        finally:
            if not won:
                race.stop()
            for task in runners:
                task.cancel()


def _unary(delay: Delay, hedging: Hedging) -> Send:
    below = hedging.below

    async def send(outgoing: Outgoing) -> Any:
        delay_s = delay.of(outgoing)
        if delay_s is None:
            return await below(outgoing)
        return await hedging.first_ok(outgoing, below(outgoing), delay_s)

    return send


def _responses(delay: Delay, hedging: Hedging) -> Send:
    def send(outgoing: Outgoing) -> Any:
        sent = hedging.below(outgoing)
        delay_s = delay.of(outgoing)
        if delay_s is None:
            return sent
        return Later(partial(hedging.first_ok, outgoing, sent, delay_s))

    return send


async def _response(_outgoing: Outgoing, sent: Any) -> Any:
    return await sent


async def _first_message(outgoing: Outgoing, sent: Any) -> Any:
    opening: Any = outgoing.opening
    return await opening.first_message(sent)


def _is_beaten(runner: Outgoing) -> bool:
    """Whether the caller has seen the metadata of the other attempt."""
    opening = runner.opening
    return opening is not None and opening.committed and runner.attempt is not opening.shown


def _task(coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    task = asyncio.get_running_loop().create_task(coroutine)
    task.add_done_callback(_seen)
    return task


def _seen(task: "asyncio.Task[Any]") -> None:
    """A loser's error is nobody's."""
    if not task.cancelled():
        task.exception()

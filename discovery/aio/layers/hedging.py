"""Sends a second attempt in parallel with a slow first one, to another instance; the first OK wins.

The rules are those of `discovery.call.hedge_race`; the attempts are asyncio tasks. A unary call is
won by the first OK. A stream of responses is won by the first message (or a good end without any),
or by the first metadata where the caller asked for it: an attempt that the caller has seen
something of is committed (gRFC A6).
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic

import grpc

from discovery.aio.layers.by_kind import by_kind
from discovery.aio.sent import AioLayer, PendingStream, StreamSend, StreamSent, UnarySend, UnarySent
from discovery.call.call_state import CallState
from discovery.call.hedge_race import Delay, HedgeLimits, Race
from discovery.call.stack_building import Send, SentT
from discovery.clock import Clock
from discovery.rules.hedging_policy import HedgingPolicy
from discovery.rules.method import Kind, Method
from discovery.rules.retry_budget import RetryBudget, Throttle


def layer(*, clock: Clock, budget: RetryBudget, throttle: Throttle | None) -> AioLayer:
    """Hedge the safe methods whose service config says so; other calls don't pass this layer."""
    hedges = HedgeLimits(budget, throttle)
    return by_kind(unary=partial(_unary, hedges, clock), stream=partial(_stream, hedges, clock))


@dataclass(frozen=True, slots=True)
class HedgedMethod(Generic[SentT]):
    """The hedges of one method; `answer` waits for what decides the race."""

    hedges: HedgeLimits
    policy: HedgingPolicy
    below: Send[SentT]
    answer: Callable[[CallState, SentT], Coroutine[Any, Any, Any]]
    clock: Clock

    async def first_ok(self, call: CallState, sent: SentT, delay_s: float) -> Any:
        """The answer of the attempt that was sent, or of a second one sent after the delay."""
        first = _task(self.answer(call, sent))
        pause = _task(self.clock.sleep(delay_s))
        try:
            await asyncio.wait([first, pause], return_when=asyncio.FIRST_COMPLETED)
            second = None if first.done() else self._second(call)
            if second is not None:
                return await self._race(first, call, *second)
            await asyncio.wait([first])
            return first.result()
        finally:
            first.cancel()
            pause.cancel()

    def _second(self, call: CallState) -> "tuple[asyncio.Task[Any], CallState] | None":
        """Send a second attempt to another instance; None where it may not be sent."""
        if call.uncommitted is not None and call.uncommitted.committed:
            return None
        second = self.hedges.second(call, self.clock.monotonic())
        try:
            sent = None if second is None else self.hedges.send(self.below, second)
        except grpc.aio.UsageError:
            # The channel was closed during the delay.
            return None
        if second is None or sent is None:
            return None
        return _task(self.answer(second, sent)), second

    async def _race(
        self,
        first: "asyncio.Task[Any]",
        call: CallState,
        other: "asyncio.Task[Any]",
        second: CallState,
    ) -> Any:
        """The first answer. Raises the first fatal error, or one of the two if both failed."""
        race = Race(self.policy, call, second)
        runners = {first: call, other: second}
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


def _unary(hedges: HedgeLimits, clock: Clock, method: Method, below: UnarySend) -> UnarySend:
    policy = method.hedging
    if policy is None or not method.safe:
        return below
    delay = Delay(method.latencies, policy)
    hedging = HedgedMethod(hedges, policy, below, _response, clock)

    async def send(call: CallState) -> Any:
        delay_s = delay.of(call)
        if delay_s is None:
            return await below(call)
        return await hedging.first_ok(call, below(call), delay_s)

    return send


def _stream(hedges: HedgeLimits, clock: Clock, method: Method, below: StreamSend) -> StreamSend:
    policy = method.hedging
    if policy is None or not method.safe or method.kind is not Kind.UNARY_STREAM:
        return below
    delay = Delay(method.latencies, policy)
    hedging = HedgedMethod(hedges, policy, below, _first_message, clock)

    def send(call: CallState) -> StreamSent:
        sent = below(call)
        delay_s = delay.of(call)
        if delay_s is None:
            return sent
        return PendingStream(partial(hedging.first_ok, call, sent, delay_s))

    return send


async def _response(_call: CallState, sent: UnarySent) -> Any:
    return await sent


async def _first_message(call: CallState, sent: StreamSent) -> Any:
    attempts: Any = call.uncommitted
    return await attempts.first_message(sent)


def _is_beaten(runner: CallState) -> bool:
    """Whether the caller has seen the metadata of the other attempt."""
    attempts = runner.uncommitted
    return (
        attempts is not None
        and attempts.committed
        and runner.attempt is not attempts.committed_attempt
    )


def _task(coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    task = asyncio.get_running_loop().create_task(coroutine)
    task.add_done_callback(_retrieve_error)
    return task


def _retrieve_error(task: "asyncio.Task[Any]") -> None:
    """Retrieve a loser's error, which asyncio would log otherwise."""
    if not task.cancelled():
        task.exception()

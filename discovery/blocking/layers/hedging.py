"""Sends a second attempt in parallel with a slow first one, to another instance; the first OK wins.

The rules are those of `discovery.call.hedge_race`; the attempts are two of grpc's futures, and the
calling thread waits for both, or a task of the channel's loop. Streams of responses are not hedged:
only a reading thread sees their first message, and another thread for each attempt costs about as
much as a hedge saves.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import grpc

from discovery.blocking.end_of_call import wait_for_end
from discovery.blocking.sent import BlockingLayer, BlockingSend, Sent
from discovery.call.call_state import CallState
from discovery.call.hedge_race import Delay, HedgeLimits, Race
from discovery.clock import Clock
from discovery.rules.hedging_policy import HedgingPolicy
from discovery.rules.method import Kind, Method
from discovery.rules.retry_budget import RetryBudget, Throttle


def layer(
    *, lock: threading.Condition, clock: Clock, budget: RetryBudget, throttle: Throttle | None
) -> BlockingLayer:
    """Hedge the safe unary methods whose service config says so; other calls skip this layer."""
    hedges = HedgeLimits(budget, throttle)

    def build(method: Method, below: BlockingSend) -> BlockingSend:
        if method.kind is not Kind.UNARY_UNARY:
            return below
        policy = method.hedging
        if policy is None or not method.safe:
            return _not_hedged(below)
        delay = Delay(method.latencies, policy)
        hedging = HedgedMethod(hedges, policy, below, lock, clock)
        not_hedged = _not_hedged(below)

        def send(call: CallState) -> Sent:
            with lock:
                delay_s = delay.of(call)
            if delay_s is None:
                return not_hedged(call)
            first_ok = hedging.first_ok_in_loop if call.in_loop else hedging.first_ok
            return first_ok(call, delay_s)

        return send

    return build


def _not_hedged(below: BlockingSend) -> BlockingSend:
    below_in_loop: Any = below

    async def answer(call: CallState) -> Any:
        await wait_for_end(await below_in_loop(call))
        return _outcome(call)

    return lambda call: answer(call) if call.in_loop else below(call)


@dataclass(frozen=True, slots=True)
class HedgedMethod:
    """The hedges of one method."""

    hedges: HedgeLimits
    policy: HedgingPolicy
    below: BlockingSend
    lock: threading.Condition
    clock: Clock

    def first_ok(self, call: CallState, delay_s: float) -> tuple[Any, Any]:
        """The response and ended call of the first attempt, or of one sent after the delay."""
        ended: SimpleQueue[CallState] = SimpleQueue()
        call.returns_rpc = True
        try:
            first: Any = self.below(call)
            self._follow(first, call, ended.put)
            try:
                return self._unless_slow(call, ended, delay_s)
            except BaseException:
                # For example KeyboardInterrupt.
                first.cancel()
                raise
        finally:
            call.returns_rpc = False

    def _unless_slow(
        self, call: CallState, ended: SimpleQueue[CallState], delay_s: float
    ) -> tuple[Any, Any]:
        try:
            ended.get(timeout=delay_s)
        except Empty:
            second = self._second(call, ended.put)
            if second is not None:
                return self._race(Race(self.policy, call, second), ended)
            ended.get()
        return _outcome(call)

    async def first_ok_in_loop(self, call: CallState, delay_s: float) -> tuple[Any, Any]:
        """Do the same as `first_ok` in the channel's loop."""
        ended: asyncio.Queue[CallState] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def report(runner: CallState) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(ended.put_nowait, runner)

        below_in_loop: Any = self.below
        first = await below_in_loop(call)
        self._follow(first, call, report)
        try:
            return await self._unless_slow_in_loop(call, ended, delay_s, report)
        except BaseException:
            # For example CancelledError.
            first.cancel()
            raise

    async def _unless_slow_in_loop(
        self,
        call: CallState,
        ended: asyncio.Queue[CallState],
        delay_s: float,
        report: Callable[[CallState], None],
    ) -> tuple[Any, Any]:
        try:
            async with asyncio.timeout(delay_s):
                await ended.get()
        except TimeoutError:
            second = self._second(call, report)
            if second is not None:
                return await self._race_in_loop(Race(self.policy, call, second), ended)
            await ended.get()
        return _outcome(call)

    def _second(self, call: CallState, report: Callable[[CallState], None]) -> CallState | None:
        """Send a second attempt to another instance; None where it may not be sent."""
        with self.lock:
            second = self.hedges.second(call, self.clock.monotonic())
            sent = None if second is None else self.hedges.send(self.below, second)
        if second is None or sent is None:
            return None
        self._follow(sent, second, report)
        return second

    def _race(self, race: Race, ended: SimpleQueue[CallState]) -> tuple[Any, Any]:
        """The first response. Raises the first fatal error, or one of the two if both failed."""
        try:
            outcome = self._judge(race, ended.get()) or self._judge(race, ended.get())
            if outcome is None:
                raise race.lost()
        except BaseException:
            race.stop()
            raise
        return outcome

    async def _race_in_loop(self, race: Race, ended: asyncio.Queue[CallState]) -> tuple[Any, Any]:
        try:
            outcome = self._judge(race, await ended.get())
            outcome = outcome or self._judge(race, await ended.get())
            if outcome is None:
                raise race.lost()
        except BaseException:
            race.stop()
            raise
        return outcome

    def _judge(self, race: Race, runner: CallState) -> tuple[Any, Any] | None:
        """The outcome if this attempt wins. Raises its error if that is fatal."""
        try:
            outcome = _outcome(runner)
        except grpc.RpcError as error:
            race.failed(error)
            return None
        with self.lock:
            race.won(runner, self.clock.monotonic())
        return outcome

    @staticmethod
    def _follow(sent: Any, call: CallState, report: Callable[[CallState], None]) -> None:
        sent.add_done_callback(lambda _: report(call))


def _outcome(runner: CallState) -> tuple[Any, Any]:
    """Return the response and the call of an ended attempt. Raises its error."""
    rpc: Any = runner.attempt
    return rpc.result(), rpc

"""Sends a second attempt in parallel with a slow first one, to another instance; the first OK wins.

The rules are those of `discovery.call.hedge_race`; the attempts are two of grpc's futures, and the
calling thread waits for both. Streams of responses are not hedged: only a reading thread sees their
first message, and another thread for each attempt costs about as much as a hedge saves.
"""

import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import grpc

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
        policy = method.hedging
        if policy is None or not method.safe or method.kind is not Kind.UNARY_UNARY:
            return below
        delay = Delay(method.latencies, policy)
        hedging = HedgedMethod(hedges, policy, below, lock, clock)

        def send(call: CallState) -> Sent:
            with lock:
                delay_s = delay.of(call)
            return below(call) if delay_s is None else hedging.first_ok(call, delay_s)

        return send

    return build


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
            self._follow(first, call, ended)
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
            second = self._second(call, ended)
            if second is not None:
                return self._race(Race(self.policy, call, second), ended)
            ended.get()
        return _outcome(call)

    def _second(self, call: CallState, ended: SimpleQueue[CallState]) -> CallState | None:
        """Send a second attempt to another instance; None where it may not be sent."""
        with self.lock:
            second = self.hedges.second(call, self.clock.monotonic())
            sent = None if second is None else self.hedges.send(self.below, second)
        if second is None or sent is None:
            return None
        self._follow(sent, second, ended)
        return second

    def _race(self, race: Race, ended: SimpleQueue[CallState]) -> tuple[Any, Any]:
        """The first response. Raises the first fatal error, or one of the two if both failed."""
        try:
            for _ in range(2):
                runner = ended.get()
                try:
                    outcome = _outcome(runner)
                except grpc.RpcError as error:
                    race.failed(error)
                    continue
                with self.lock:
                    race.won(runner, self.clock.monotonic())
                return outcome
            raise race.lost()
        except BaseException:
            race.stop()
            raise

    @staticmethod
    def _follow(sent: Any, call: CallState, ended: SimpleQueue[CallState]) -> None:
        sent.add_done_callback(lambda _: ended.put(call))


def _outcome(runner: CallState) -> tuple[Any, Any]:
    """Return the response and the call of an ended attempt. Raises its error."""
    rpc: Any = runner.attempt
    return rpc.result(), rpc

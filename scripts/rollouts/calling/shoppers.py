"""The callers of a rollout: they place orders and read them, until they are stopped."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import grpc

from discovery.clock import Clock
from scripts.replay.observations import Observations, OrderOutcome
from scripts.replay.order_placer import NeverSettledError
from scripts.replay.order_plan import CustomerAction, PlannedOrder

Place: TypeAlias = Callable[[PlannedOrder], Awaitable[OrderOutcome]]
Read: TypeAlias = Callable[[str], Awaitable[None]]

BUYERS, READERS = 4, 8
# So many reads to an order: a shop is looked at more often than it sells, and reads are the calls
# that a verdict gets cheaply.
READS_PER_ORDER = 30


class Shoppers:
    """Runs buyers and readers; `placing` and `reading` have the ways to the service, in turns.

    At most `reads_per_s` reads are made, and as many orders as belong to them.
    """

    def __init__(
        self,
        orders: Sequence[PlannedOrder],
        *,
        placing: Iterator[Place],
        reading: Iterator[Read],
        reads_per_s: float,
        observations: Observations,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._queue = iter([_patient(order) for order in orders])
        self._placing = placing
        self._reading = reading
        self._read_pause_s = READERS / reads_per_s
        self._buy_pause_s = BUYERS * READS_PER_ORDER / reads_per_s
        self._observations = observations
        self._clock = clock
        self._rng = rng
        self._stopped = False

    async def run(self) -> None:
        """Place orders and read them until `stop`; an order that was begun is settled."""
        async with asyncio.TaskGroup() as callers:
            for _ in range(BUYERS):
                callers.create_task(self._buy())
            for _ in range(READERS):
                callers.create_task(self._look())

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True

    async def _buy(self) -> None:
        for planned in self._queue:
            if self._stopped:
                return
            try:
                await next(self._placing)(planned)
            except (NeverSettledError, grpc.aio.AioRpcError) as error:
                self._observations.violations.append(f"request {planned.request_id}: {error}")
            await self._pause(self._buy_pause_s)

    async def _look(self) -> None:
        while not self._stopped:
            await self._pause(self._read_pause_s)
            if self._observations.outcomes:
                outcome = self._rng.choice(self._observations.outcomes)
                await self._read(outcome.order_id)

    async def _pause(self, mean_s: float) -> None:
        await self._clock.sleep(mean_s * self._rng.uniform(0.5, 1.5))

    async def _read(self, order_id: str) -> None:
        try:
            await next(self._reading)(order_id)
        except grpc.aio.AioRpcError as error:
            self._observations.count_failure("GetOrder", error)


def _patient(planned: PlannedOrder) -> PlannedOrder:
    """Without short deadlines, which fail on good versions, too."""
    if planned.action is CustomerAction.CANCEL_EARLY:
        return replace(planned, action=CustomerAction.KEEP)
    return planned

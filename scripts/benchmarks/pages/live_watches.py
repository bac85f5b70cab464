"""What open live streams cost in memory, and how soon they tell what has happened."""

import asyncio
import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import aiohttp
from tradepost.order.v1.order_service_pb2 import FulfillOrderRequest

from discovery.clock import Clock
from scripts.benchmarks.pages.measured_pages import OK, MeasuredPages, one_failure
from scripts.benchmarks.shared.contender import CALL_TIMEOUT_S
from scripts.benchmarks.shared.medians import percentile
from scripts.suite.run_folder import StartError

TARGET_KIB = 60.0
PERCENTILES = (50, 95, 99)
# Streams that are open before memory is first looked at, so that what is made once is made.
_FIRST = 50
_SETTLE_S = 2.0
# Orders that are shipped a second while everything is watched.
_SHIPPED_PER_S = 2.0
_DATA = b"data:"
# The newest event of an order that is confirmed, and those of one that is shipped.
_NEWEST_AT_FIRST, _SHIPPED = "OrderConfirmed", ("FulfillmentStarted", "OrderFulfilled")
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """KiB of each service for one more stream, and the lag of what they tell, in ms."""

    watches: int
    kib: Mapping[str, float]
    told: int
    lag_ms: Mapping[int, float]


@dataclass(slots=True)
class _Watched:
    """How many streams have told all of the past, and the lag of each version after that."""

    clock: Clock
    up_to_date: int = 0
    lags_ms: list[float] = field(default_factory=list)

    async def follow(self, measured: MeasuredPages, order_id: str) -> None:
        """Follow the stream of an order to its end. Raises StartError."""
        path, told = f"/mobile/v1/orders/{order_id}/live", ""
        headers = {**measured.phone, "accept": "text/event-stream"}
        async with measured.http.get(path, headers=headers, timeout=_NO_TIMEOUT) as answer:
            if answer.status != OK:
                raise StartError(f"GET {path} was answered {answer.status}")
            async for line in answer.content:
                if (entry := _entry(line)) is not None:
                    told = entry["event"]
                    self._note(told, datetime.fromisoformat(entry["happened"]))
        if told != _SHIPPED[-1]:
            raise StartError(f"GET {path} broke off after {told or 'nothing'}")

    def _note(self, event: str, happened: datetime) -> None:
        if event == _NEWEST_AT_FIRST:
            self.up_to_date += 1
        elif event in _SHIPPED:
            # The time in an event is taken before its COMMIT.
            self.lags_ms.append(1_000 * (self.clock.now() - happened).total_seconds())


def _entry(line: bytes) -> dict[str, str] | None:
    """What happened, if the line of a stream tells it."""
    if not line.startswith(_DATA):
        return None
    found: dict[str, str] | None = json.loads(line[len(_DATA) :]).get("entry")
    return found


async def watch_orders(
    measured: MeasuredPages, *, watches: int, rng: random.Random, clock: Clock
) -> LiveFigures:
    """Open so many streams, the same number for each order, then ship all orders.

    Raises StartError for a stream that is refused or breaks off.
    """
    watched = _Watched(clock)
    orders = [measured.orders[number % len(measured.orders)] for number in range(watches)]
    async with one_failure(), asyncio.TaskGroup() as people:

        async def open_up_to(number: int) -> Mapping[str, int]:
            for order_id in orders[watched.up_to_date : number]:
                people.create_task(watched.follow(measured, order_id))
                # One after the other, as people come.
                await clock.sleep(0)
            while watched.up_to_date < number:
                await clock.sleep(0.1)
            await clock.sleep(_SETTLE_S)
            return measured.resident_kib()

        before = await open_up_to(min(_FIRST, watches // 2))
        opened = watches - watched.up_to_date
        after = await open_up_to(watches)
        for order_id in dict.fromkeys(orders):
            request_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
            fulfil = FulfillOrderRequest(request_id=request_id, order_id=order_id)
            await measured.calls.FulfillOrder(fulfil, timeout=CALL_TIMEOUT_S)
            await clock.sleep(1 / _SHIPPED_PER_S)
    return LiveFigures(
        watches,
        {service: (after[service] - before[service]) / opened for service in after},
        len(watched.lags_ms),
        {each: percentile(watched.lags_ms, each) for each in PERCENTILES},
    )

"""Runs `./scripts/bench retention`: places orders, fulfils them, and looks at the tables.

Without a retention the tables show what an order leaves. With one they must stop growing once the
first orders are old enough.
"""

import asyncio
import random
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1.order_pb2 import OrderState
from tradepost.order.v1.order_service_pb2 import CreateOrderRequest, FulfillOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceAsyncStub, OrderServiceStub

import discovery
from discovery.clock import Clock
from scripts.benchmarks.retention.retention_report import RetentionReport, StoredSample
from scripts.benchmarks.retention.table_bytes import table_bytes
from scripts.benchmarks.shared import machine
from scripts.benchmarks.shared.contender import CALL_TIMEOUT_S, OrderFailedError
from scripts.benchmarks.shared.demand import read_demand
from scripts.suite import cluster
from scripts.suite.items import create_items

INSTANCES = 2
SAMPLES = 20
# What follows an order after its answer: the summary, mails, the end of a pass.
SETTLE_S = 5.0
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """So many orders, `concurrency` at once; what ended `keep_s` ago goes, if that is set."""

    orders: int
    concurrency: int
    keep_s: float | None
    postgres: bool


async def run_retention(
    plan: RetentionPlan, folder: Path, *, rng: random.Random, clock: Clock
) -> RetentionReport:
    """Measure. Raises StartError and OrderFailedError."""
    before = machine.moment()
    demand = await asyncio.to_thread(read_demand)
    archive = folder / "archive"
    shutil.rmtree(archive, ignore_errors=True)
    archive.mkdir(parents=True)
    async with (
        cluster.running(
            folder / "suite",
            instances=INSTANCES,
            clock=clock,
            rng=rng,
            environment=_environment(plan, archive),
            postgres=plan.postgres,
        ) as suite,
        discovery.open_channel(suite.target("inventory")) as inventory,
        discovery.open_channel(suite.target("order")) as orders,
    ):
        await create_items(InventoryServiceStub(inventory), demand.products, demand.units, rng=rng)
        stub = OrderServiceStub(orders)
        urls = {slot.service: slot.environment["DATABASE_URL"] for slot in suite.slots}
        samples = [await _sample(urls, 0, clock)]
        requests = demand.requests(plan.orders, rng)
        step = max(1, plan.orders // SAMPLES)
        for begin in range(0, len(requests), step):
            part = requests[begin : begin + step]
            await _sell(stub, part, plan.concurrency, rng)
            samples.append(await _sample(urls, begin + len(part), clock))
    archived = sum(file.stat().st_size for file in archive.iterdir())
    conditions = machine.conditions(before, machine.moment())
    return RetentionReport(plan.orders, plan.keep_s, samples, archived, conditions)


def _environment(plan: RetentionPlan, archive: Path) -> Mapping[str, str]:
    if plan.keep_s is None:
        return {}
    return {
        "TRADEPOST_RETENTION_DAYS": str(plan.keep_s / _DAY_S),
        "TRADEPOST_RETENTION_FOLDER": str(archive),
        "TRADEPOST_RETENTION_INTERVAL_S": "1",
    }


async def _sell(
    stub: OrderServiceAsyncStub,
    requests: Sequence[CreateOrderRequest],
    concurrency: int,
    rng: random.Random,
) -> None:
    queue = iter(requests)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(_sell_from(stub, queue, rng))
    except ExceptionGroup as errors:
        raise OrderFailedError(str(errors.exceptions[0])) from errors


async def _sell_from(
    stub: OrderServiceAsyncStub, queue: Iterator[CreateOrderRequest], rng: random.Random
) -> None:
    """Place orders and fulfil them, so that nothing is left to do."""
    for request in queue:
        order = (await stub.CreateOrder(request, timeout=CALL_TIMEOUT_S)).order
        # On a machine with much else to do an order may miss its deadline, and is over, too.
        if order.state == OrderState.ORDER_STATE_CONFIRMED:
            request_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
            fulfil = FulfillOrderRequest(request_id=request_id, order_id=order.order_id)
            await stub.FulfillOrder(fulfil, timeout=CALL_TIMEOUT_S)


async def _sample(urls: Mapping[str, str], orders: int, clock: Clock) -> StoredSample:
    await clock.sleep(SETTLE_S)
    tables = {
        f"{service}.{table}": number
        for service, url in sorted(urls.items())
        for table, number in (await asyncio.to_thread(table_bytes, url)).items()
    }
    return StoredSample(orders, clock.monotonic(), tables)

"""A measured suite that already holds many orders; a later run uses the same orders again."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tradepost.event.v1.event_service_pb2_grpc import EventFeedServiceStub
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

import discovery
from discovery.clock import Clock
from scripts.benchmarks.shared.demand import Demand
from scripts.benchmarks.shared.measured_suite import INSTANCES, MeasuredSuite, open_suite
from scripts.benchmarks.stored.order_copies import copy_orders
from scripts.suite.cluster import START_TIMEOUT_S, Cluster
from scripts.suite.idle import summary_is_current, wait_until
from scripts.suite.processes.slot import UNSHARED, Installation
from scripts.suite.run_folder import StartError
from scripts.tools import stamps
from scripts.tools.paths import ROOT

# The code that the stored orders depend on: they are used again until one of these files changes.
MADE_FROM = (
    "services/*/store/migrations/*.py",
    "scripts/benchmarks/shared/demand.py",
    "scripts/benchmarks/stored/*.py",
)


@dataclass(frozen=True, slots=True)
class SuiteKind:
    """The database of a suite, how many orders it holds, its instances, and whose code they run."""

    postgres: bool
    stored: int = 0
    instances: int = INSTANCES
    installation: Installation = UNSHARED

    @property
    def database(self) -> str:
        """The database's name, for people and for folders."""
        return "postgres" if self.postgres else "sqlite"


@asynccontextmanager
async def open_prefilled_suite(
    folder: Path, demand: Demand, kind: SuiteKind, *, clock: Clock, rng: random.Random
) -> AsyncIterator[MeasuredSuite]:
    """A suite with the stored orders of its kind. Raises StartError and OrderFailedError.

    Orders that an earlier run has stored in `folder` are used again.
    """
    files = sorted(file for pattern in MADE_FROM for file in ROOT.glob(pattern))
    key = stamps.digest(str(kind.stored), *files)
    stamp = folder / "data" / "stored"
    keep = kind.stored > 0 and stamps.is_fresh(stamp, key)
    async with open_suite(
        folder,
        demand,
        postgres=kind.postgres,
        clock=clock,
        rng=rng,
        keep=keep,
        instances=kind.instances,
        installation=kind.installation,
    ) as suite:
        if kind.stored and not keep:
            await _store_orders(suite, kind.stored, demand, rng)
            stamps.leave(stamp, key)
        yield suite


async def _store_orders(
    suite: MeasuredSuite, orders: int, demand: Demand, rng: random.Random
) -> None:
    """Fill the databases of a new suite to at least so many orders.

    The first few are placed, the others are copies of them. All instances are restarted. Raises
    OrderFailedError and StartError.
    """
    for request in demand.requests(min(orders, len(demand.baskets)), rng):
        await suite.place(request)
    await _wait_for_summary(suite.cluster)
    await asyncio.gather(*(slot.stop() for slot in suite.cluster.slots))
    await asyncio.to_thread(copy_orders, _database_urls(suite.cluster), orders)
    for slot in suite.cluster.slots:
        await slot.start()
    await suite.cluster.wait_registered()


async def _wait_for_summary(cluster: Cluster) -> None:
    """Wait until the customer summary holds all orders. Raises StartError when the time is up."""
    async with (
        discovery.open_channel(cluster.target("order")) as orders,
        discovery.open_channel(cluster.target("payment")) as payments,
    ):
        is_current = partial(
            summary_is_current,
            OrderServiceStub(orders),
            EventFeedServiceStub(orders),
            EventFeedServiceStub(payments),
        )
        give_up_s = cluster.clock.monotonic() + START_TIMEOUT_S
        if not await wait_until(is_current, clock=cluster.clock, give_up_s=give_up_s):
            raise StartError("the customer summary doesn't follow its feeds")


def _database_urls(cluster: Cluster) -> Mapping[str, str]:
    """The URLs of the services' databases and of the processor's, by name."""
    urls = {slot.service: slot.environment["DATABASE_URL"] for slot in cluster.slots}
    processors = {slot.environment["TRADEPOST_PROCESSOR_URL"] for slot in cluster.slots}
    return {**urls, "processor": processors.pop()}

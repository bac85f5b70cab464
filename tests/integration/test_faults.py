"""A suite that is broken while it takes orders: nothing is lost, no safe call fails.

Real processes, a real Consul agent, real signals. The tests share one suite, which has to stand
all of them one after the other.
"""

from uuid import UUID

import grpc
import pytest
from tradepost.inventory.v1.inventory_service_pb2 import AdjustStockRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1.order_pb2 import Coordination
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from scripts.replay.fault_plan import CONSUL_ROUNDS, KILL_ROUNDS, REWIND_ROUNDS, Fault
from scripts.replay.replay_report import ReplayReport
from tests.support.suite.breakable_suite import INSTANCES, SERVICES, WAIT_S, BreakableSuite

ORCHESTRATED = Coordination.COORDINATION_ORCHESTRATED
CHOREOGRAPHED = Coordination.COORDINATION_CHOREOGRAPHED
# At least the summary's of orders and of payments, and the notification service's.
CONSUMERS_MIN = 3

pytestmark = pytest.mark.asyncio(loop_scope="module")


def assert_nothing_is_wrong(report: ReplayReport, orders: int) -> None:
    """No order lost, no call failed, no promise broken, books balanced, no saga stuck."""
    wrong = [line for line in report.books if not line.ok]
    assert (wrong, report.observations.violations, report.observations.failed_calls) == ([], [], {})
    assert (len(report.observations.outcomes), report.needs_review) == (orders, 0)
    assert report.observations.reads.total() > 0


async def test_killed_instances_lose_nothing(breakable: BreakableSuite) -> None:
    """SIGKILL for one instance of each service, twice, while orders flow."""
    report = await breakable.replay(1, Fault.KILL)

    assert report.faults == {Fault.KILL: KILL_ROUNDS * SERVICES}
    assert_nothing_is_wrong(report, orders=60)


async def test_a_forgetful_consul_loses_nothing(breakable: BreakableSuite) -> None:
    """The agent dies and comes back empty: calls go on, and all register again."""
    report = await breakable.replay(2, Fault.CONSUL)

    assert report.faults == {Fault.CONSUL: CONSUL_ROUNDS}
    assert_nothing_is_wrong(report, orders=60)


async def test_a_rolling_restart_loses_nothing(breakable: BreakableSuite) -> None:
    """Every instance leaves and is replaced, one of each service at a time."""
    report = await breakable.replay(3, Fault.DRAIN)

    assert report.faults == {Fault.DRAIN: INSTANCES * SERVICES}
    assert_nothing_is_wrong(report, orders=60)


@pytest.mark.parametrize("coordination", [ORCHESTRATED, CHOREOGRAPHED])
async def test_rewound_consumers_do_nothing_twice(
    breakable: BreakableSuite, coordination: Coordination
) -> None:
    """Put back to zero twice while orders flow and once at rest: no stock, money, mail moves again.

    No read model counts anything twice, and nothing is set aside.
    """
    report = await breakable.replay(50 + coordination, Fault.REWIND, coordination=coordination)

    assert report.faults[Fault.REWIND] >= (REWIND_ROUNDS + 1) * CONSUMERS_MIN
    assert_nothing_is_wrong(report, orders=60)
    assert {line.name for line in report.books} >= {
        "kinds of records changed by a rewind of the idle suite",
        "mails sent again by a rewind of the idle suite",
    }


async def test_a_request_id_outlives_the_processes_that_saw_it(breakable: BreakableSuite) -> None:
    """After SIGKILL for everybody, the same request on each instance is the same effect."""
    request = await breakable.a_request(4)
    adjust = AdjustStockRequest(
        request_id=str(UUID(int=4)), sku=request.lines[0].sku, delta=7, reason="counted"
    )
    order = (await breakable.stubs.orders.CreateOrder(request, timeout=WAIT_S)).order
    stock = await breakable.stubs.inventory.AdjustStock(adjust)

    await breakable.kill_all()

    for instance in await breakable.cluster.instances("order"):
        async with grpc.aio.insecure_channel(instance.endpoint) as channel:
            call = OrderServiceStub(channel).CreateOrder(request)
            assert (await call).order == order
            assert ("tradepost-replayed", "true") in tuple(await call.trailing_metadata())
    for instance in await breakable.cluster.instances("inventory"):
        async with grpc.aio.insecure_channel(instance.endpoint) as channel:
            adjusted = InventoryServiceStub(channel).AdjustStock(adjust)
            assert await adjusted == stock
            assert ("tradepost-replayed", "true") in tuple(await adjusted.trailing_metadata())

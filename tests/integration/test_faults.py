"""A suite that breaks while it takes orders loses nothing, and no safe call fails.

Real processes, a real Consul agent, real signals. The tests share one suite, which has to survive
all of them one after another.
"""

from pathlib import Path
from uuid import UUID

import grpc
import pytest
from tradepost.inventory.v1.inventory_service_pb2 import AdjustStockRequest
from tradepost.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from tradepost.order.v1.order_pb2 import Coordination
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from scripts.replay.faults.fault_plan import (
    CONSUL_ROUNDS,
    EDGE_ROUNDS,
    KILL_ROUNDS,
    REWIND_ROUNDS,
    Disruption,
    Fault,
)
from scripts.replay.replay_report import ReplayReport
from scripts.suite.edge import running_edge
from scripts.suite.processes.slot import THIS_INSTALLATION
from tests.support.limits import WAIT_S
from tests.support.suite.breakable_suite import INSTANCES, SERVICES, BreakableSuite
from tests.support.suite.other_versions import last_release_here, next_version

ORCHESTRATED = Coordination.COORDINATION_ORCHESTRATED
CHOREOGRAPHED = Coordination.COORDINATION_CHOREOGRAPHED
# At least the summary's consumers of orders and payments, and the notification service's.
CONSUMERS_MIN = 3

pytestmark = pytest.mark.asyncio(loop_scope="module")


def assert_nothing_is_wrong(report: ReplayReport, orders: int) -> None:
    """No order was lost, no call failed, no guarantee was violated; the books balance."""
    wrong = [line for line in report.books if not line.ok]
    assert (wrong, report.observations.violations, report.observations.first_details) == (
        [],
        [],
        {},
    )
    assert (len(report.observations.outcomes), report.needs_review) == (orders, 0)
    assert report.observations.reads.total() > 0


async def test_killed_instances_lose_nothing(breakable: BreakableSuite) -> None:
    """One instance of each service is killed, twice, while orders are placed."""
    report = await breakable.replay(1, Fault.KILL)

    assert report.faults == {Fault.KILL: KILL_ROUNDS * SERVICES}
    assert_nothing_is_wrong(report, orders=60)


async def test_a_forgetful_consul_loses_nothing(breakable: BreakableSuite) -> None:
    """Consul comes back without its registrations: calls go on, and all instances register
    again.
    """
    report = await breakable.replay(2, Fault.CONSUL)

    assert report.faults == {Fault.CONSUL: CONSUL_ROUNDS}
    assert_nothing_is_wrong(report, orders=60)


async def test_a_killed_edge_loses_nothing(breakable: BreakableSuite, tmp_path: Path) -> None:
    """Envoy is killed, and the control plane with it, while instances are killed too.

    A caller at the edge repeats a request that nobody answers; whatever is answered is no failure.
    """
    (tmp_path / "logs").mkdir()
    async with running_edge(breakable.cluster, tmp_path) as edge:
        report = await breakable.replay(5, Fault.KILL, Fault.EDGE, edge=edge)

    assert report.faults == {Fault.KILL: KILL_ROUNDS * SERVICES, Fault.EDGE: EDGE_ROUNDS}
    assert_nothing_is_wrong(report, orders=60)
    # An Envoy that is killed takes its last lines with it.
    assert '"path":"/v1/orders"' in edge.slot.log.read_text()


async def test_a_rolling_restart_loses_nothing(breakable: BreakableSuite) -> None:
    """Every instance is drained and replaced, one of each service at a time."""
    report = await breakable.replay(3, Fault.DRAIN)

    assert report.faults == {Fault.DRAIN: INSTANCES * SERVICES}
    assert_nothing_is_wrong(report, orders=60)


@pytest.mark.parametrize("coordination", [ORCHESTRATED, CHOREOGRAPHED])
async def test_rewound_consumers_do_nothing_twice(
    breakable: BreakableSuite, coordination: Coordination
) -> None:
    """Rewound consumers move no stock or money again, and send no mail again.

    They are rewound twice while orders are placed and once when the suite is idle. No read model
    counts anything twice, and there are no dead letters.
    """
    report = await breakable.replay(50 + coordination, Fault.REWIND, coordination=coordination)

    assert report.faults[Fault.REWIND] >= (REWIND_ROUNDS + 1) * CONSUMERS_MIN
    assert_nothing_is_wrong(report, orders=60)
    assert {line.name for line in report.books} >= {
        "kinds of records changed by a rewind of the idle suite",
        "mails sent again by a rewind of the idle suite",
    }


async def test_a_request_id_outlives_the_processes_that_saw_it(breakable: BreakableSuite) -> None:
    """After all instances were killed, a repeated request has no second effect on any of them."""
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


async def test_other_versions_take_part(breakable: BreakableSuite, tmp_path: Path) -> None:
    """One instance of each service becomes the last release, as on the way back from a bad one.

    Then an instance of the order service becomes the next version, which changes the tables under
    the other one, and that instance starts again with this version, on the newer tables. A clone
    without the release's commit takes the second half alone. It is the last test of this suite.
    """
    names = tuple(slot.name for slot in breakable.cluster.slots if slot.number == 1)
    release = last_release_here()
    back = [Disruption(0.3, drained=names, replaced_by=release)] if release else []
    order = [
        Disruption(0.3, drained=("order-1",), replaced_by=version)
        for version in (next_version(tmp_path), THIS_INSTALLATION)
    ]

    report = await breakable.replay(6, orders=24, disruptions=[*back, *order])

    assert_nothing_is_wrong(report, orders=24)
    assert report.faults[Fault.DRAIN] == len(order) + len(names if release else ())
    logs = {slot.name: slot.log.read_text() for slot in breakable.slots("order")}
    served_on_newer = {name for name, log in logs.items() if "tables_of_newer_version" in log}
    assert served_on_newer == {"order-1"}

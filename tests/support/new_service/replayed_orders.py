"""For a copy of the checkout: replays orders on its suite, and prints what a service did.

    python -m tests.support.new_service.replayed_orders SERVICE FOLDER

Its last line is JSON: what is wrong in the report, how many orders were confirmed, the orders
of the service's tasks, what the console's pages lack, and how the drained instance ended.
"""

import asyncio
import json
import random
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from tradepost.event.v1.event_service_pb2 import ReadEventsRequest
from tradepost.order.v1.order_event_pb2 import OrderConfirmed

from scripts.suite import cluster
from scripts.suite.stubs import open_stubs
from tests.support.console.running_console import Visitor, running_console, visitor
from tests.support.limits import WAIT_S
from tests.support.suite.breakable_suite import CLOCK, POLL_S, BreakableSuite

ORDERS = 12
# Bytecode is kept beside the code, where the checks have left some, and it is gone with the copy.
SETTINGS = {"TRADEPOST_DRAIN_S": "0", "PYTHONPYCACHEPREFIX": ""}


async def main(service: str, folder: Path) -> dict[str, Any]:
    """Return what is to be printed."""
    rng = random.Random(1)
    async with (
        cluster.running(folder, instances=1, clock=CLOCK, rng=rng, environment=SETTINGS) as suite,
        open_stubs(suite) as stubs,
    ):
        breakable = BreakableSuite(suite, stubs)
        report = await breakable.replay(1, orders=ORDERS)
        confirmed = await stubs.feeds["order"].ReadEvents(
            ReadEventsRequest(types=[OrderConfirmed.DESCRIPTOR.full_name])
        )
        order_ids = {event.aggregate_id for event in confirmed.events}
        async with running_console(suite) as url, visitor(url) as operator:
            return {
                "wrong": [line.name for line in report.books if not line.ok],
                "confirmed": sorted(order_ids),
                "tasks": await _orders_of_tasks(suite, service, len(order_ids)),
                "missing": await _missing(operator, service),
                "ended": await _drained(operator, breakable, service),
            }


async def _orders_of_tasks(suite: cluster.Cluster, service: str, number: int) -> list[str]:
    """The orders that have a task, once there are so many."""
    contract = import_module(f"tradepost.{service}.v1.{service}_service_pb2")
    stubs = import_module(f"tradepost.{service}.v1.{service}_service_pb2_grpc")
    async with suite.open_channel(service) as channel, asyncio.timeout(WAIT_S):
        stub = getattr(stubs, f"{service.title()}ServiceStub")(channel)
        while len(tasks := (await stub.ListTasks(contract.ListTasksRequest())).tasks) < number:
            await CLOCK.sleep(POLL_S)
    return sorted(task.order_id for task in tasks)


async def _missing(operator: Visitor, service: str) -> list[str]:
    """The pages of the console that don't answer, or don't show what is the service's."""
    shown = {
        "overview": service,
        "instances": f"{service}-1",
        "feeds": f"{service}-of-orders",
    }
    pages = {path: await operator.page(path) for path in shown}
    return [
        f"{path}: {page.status_code}"
        for path, page in pages.items()
        if page.status_code != 200 or shown[path] not in page.text
    ]


async def _drained(operator: Visitor, suite: BreakableSuite, service: str) -> str | None:
    """Drain the instance on the console's page; how its process ended."""
    (slot,) = suite.slots(service)
    form = {"service": service, "instance_id": slot.name, "back": "/console/instances"}
    await operator.send("instances/drain", 1, form)
    async with asyncio.timeout(WAIT_S):
        while slot.ended is None:
            await CLOCK.sleep(POLL_S)
    return slot.ended


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(sys.argv[1], Path(sys.argv[2])))) + "\n")

"""An instance of `order` as a process: it registers, drains, and tells its name by ListOrders.

TRADEPOST_INSTANCE_ID=first python -m tests.support.edge.named_process
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tradepost.order.v1.order_service_pb2 import ListOrdersRequest, ListOrdersResponse
from tradepost.order.v1.order_service_pb2_grpc import (
    OrderServiceServicer,
    add_OrderServiceServicer_to_server,
)

from discovery.clock import SystemClock
from scripts.suite.processes.slot import ProcessSlot
from services.chassis.ids import IdFactory
from services.chassis.request.context import Context
from services.chassis.server.lifecycle import serve
from services.chassis.server.registrar import registrar_of
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import RegistrySettings, ServerSettings


class NamingServicer(OrderServiceServicer):  # type: ignore[misc]
    """Answers with its name as the page token."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def ListOrders(self, _: ListOrdersRequest, __: Context) -> ListOrdersResponse:
        return ListOrdersResponse(next_page_token=self._name)


async def main() -> None:
    """Serve until the process is asked to stop."""
    settings, clock = ServerSettings(), SystemClock()
    servicer = NamingServicer(settings.instance_id)
    rng = random.Random(settings.instance_id)
    async with registrar_of(RegistrySettings(), settings, clock=clock, rng=rng) as registrar:
        await serve(
            Service(
                name="order",
                servicers=[lambda server: add_OrderServiceServicer_to_server(servicer, server)],
                service_names=["tradepost.order.v1.OrderService"],
            ),
            settings=settings,
            registrar=registrar,
            clock=clock,
            ids=IdFactory(clock=clock, rng=rng),
            rng=rng,
        )


@asynccontextmanager
async def named_process(name: str, *, consul: str, folder: Path) -> AsyncIterator[ProcessSlot]:
    """Run an instance of this name until the block ends, its log in the folder."""
    environment = {"CONSUL_HTTP_ADDR": consul, "TRADEPOST_INSTANCE_ID": name}
    module = "tests.support.edge.named_process"
    slot = ProcessSlot("order", 1, module, folder / f"{name}.log", environment)
    await slot.start()
    try:
        yield slot
    finally:
        await slot.stop()


if __name__ == "__main__":
    asyncio.run(main())

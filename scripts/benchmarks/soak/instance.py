"""The instance that a soak calls: two safe methods of the inventory's contract, without a store.

    python -m scripts.suite.child_process scripts.benchmarks.soak.instance

It is built on the chassis, drains as every service does, and has the same settings. An answer takes
up to 10 ms, so that a fault meets calls that are under way.
"""

import os
import random
from typing import Any

import grpc
import uvloop
from tradepost.inventory.v1.inventory_service_pb2 import (
    AdjustStockRequest,
    AdjustStockResponse,
    GetStockRequest,
    GetStockResponse,
)
from tradepost.inventory.v1.item_pb2 import StockLevel

from discovery.clock import Clock, SystemClock
from scripts.benchmarks.shared.unary_handler import unary_handler
from services.chassis.ids import IdFactory
from services.chassis.server.lifecycle import serve
from services.chassis.server.registrar import registrar_of
from services.chassis.server.service_definition import Service
from services.chassis.server.settings import RegistrySettings, ServerSettings

NAME = "soak"
CONTRACT = "tradepost.inventory.v1.InventoryService"
LONGEST_ANSWER_S = 0.010


def build(clock: Clock, rng: random.Random) -> Service:
    """The service; each answer repeats the requested sku."""

    async def get(request: GetStockRequest, _: Any) -> GetStockResponse:
        await clock.sleep(rng.uniform(0, LONGEST_ANSWER_S))
        return GetStockResponse(stock=StockLevel(sku=request.sku))

    async def adjust(request: AdjustStockRequest, _: Any) -> AdjustStockResponse:
        await clock.sleep(rng.uniform(0, LONGEST_ANSWER_S))
        return AdjustStockResponse(stock=StockLevel(sku=request.sku))

    handlers = grpc.method_handlers_generic_handler(
        CONTRACT,
        {
            "GetStock": unary_handler(get, GetStockRequest, GetStockResponse),
            "AdjustStock": unary_handler(adjust, AdjustStockRequest, AdjustStockResponse),
        },
    )

    def add(server: grpc.aio.Server) -> None:
        server.add_generic_rpc_handlers((handlers,))

    return Service(name=NAME, servicers=[add], service_names=[CONTRACT])


async def main() -> None:
    """Serve until the process is asked to stop."""
    settings, clock = ServerSettings(), SystemClock()
    rng = random.Random(f"{settings.instance_id} {os.getpid()}")
    async with registrar_of(RegistrySettings(), settings, clock=clock, rng=rng) as registrar:
        await serve(
            build(clock, rng),
            settings=settings,
            registrar=registrar,
            clock=clock,
            ids=IdFactory(clock=clock, rng=rng),
            rng=rng,
        )


if __name__ == "__main__":
    uvloop.run(main())

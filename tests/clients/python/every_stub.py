"""Imports every stub, and calls an order service with discovery, asyncio and blocking.

    pip install '.[errors]' grpcio-health-checking     # in a checkout: it isn't on PyPI
    python tests/clients/python/every_stub.py 127.0.0.1:50051

Prints a line of JSON for each step.
"""

import asyncio
import importlib
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import grpc
import tradepost
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from tradepost.order.v1.order_service_pb2 import GetOrderRequest, ListOrdersRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

import discovery
import discovery.blocking

UNKNOWN_ORDER = GetOrderRequest(order_id=f"ord_{0:032x}")
EVERYTHING = health_pb2.HealthCheckRequest()


def main(address: str) -> None:
    """Run the steps against the server at `host:port`."""
    show(**{name: importlib.metadata.version(name) for name in ("grpcio", "protobuf")})
    show(stubs=imported_stubs())
    registry = discovery.MemoryRegistry()
    asyncio.run(with_asyncio(address, registry))
    with discovery.blocking.open_channel(f"static:///{address}") as channel:
        stub = OrderServiceStub(channel)
        try:
            stub.GetOrder(UNKNOWN_ORDER)
        except grpc.RpcError as error:
            show_refusal("blocking", error, rpc_status.from_call(error))
        show(blocking_orders=len(stub.ListOrders(ListOrdersRequest(customer_id="x")).orders))
        show(blocking_health=health_pb2_grpc.HealthStub(channel).Check(EVERYTHING).status)


async def with_asyncio(address: str, registry: discovery.MemoryRegistry) -> None:
    """The steps on an asyncio channel, the instance found in a registry."""
    host, _, port = address.rpartition(":")
    await registry.register(discovery.Instance("one", "order", host, int(port)))
    async with discovery.open_channel("memory:///order", watcher=registry) as channel:
        stub = OrderServiceStub(channel)
        try:
            await stub.GetOrder(UNKNOWN_ORDER)
        except grpc.aio.AioRpcError as error:
            show_refusal("asyncio", error, rpc_status.from_call(error))
        answer = await stub.ListOrders(ListOrdersRequest(customer_id="x"))
        show(asyncio_orders=len(answer.orders))
        health = await health_pb2_grpc.HealthStub(channel).Check(EVERYTHING)
        show(asyncio_health=health.status)
        watch = health_pb2_grpc.HealthStub(channel).Watch(EVERYTHING)
        await watch.read()
        waiting = asyncio.ensure_future(watch.read())
        await asyncio.sleep(0)
    await asyncio.wait([waiting])
    show(cancelled_by_close=waiting.cancelled())


def imported_stubs() -> int:
    """Import every module of the stubs; return how many there are."""
    root = Path(*tradepost.__path__)
    names = [file.relative_to(root.parent).with_suffix("") for file in root.rglob("*.py")]
    return len([importlib.import_module(".".join(name.parts)) for name in names])


def show_refusal(driver: str, error: Any, status: Any) -> None:
    """Print the reason as discovery reads it, and as google.rpc's own messages do."""
    own = discovery.error_info(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(info)
    show(**{driver: [own and own.reason, info.reason]})


def show(**line: object) -> None:
    """Print one line of JSON."""
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

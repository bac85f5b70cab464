"""A process of the floor: the calls and the durable commits of a checkout, and nothing else.

    python -m scripts.benchmarks.floor.floor_process inventory STORE
    python -m scripts.benchmarks.floor.floor_process payment STORE PROCESSOR
    python -m scripts.benchmarks.floor.floor_process order STORE INVENTORY PAYMENT

It prints its port when it listens, and serves until it is killed. STORE and PROCESSOR are database
URLs; INVENTORY and PAYMENT are targets of grpc.aio. Requests and responses are plain bytes: there
is no contract, no check, no retry, and no saga that another process could continue.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
import uvloop

from scripts.benchmarks.floor.floor_store import FloorStore
from services.chassis.server import process

SERVICE = "floor"
CHANNEL_OPTIONS = (
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.use_local_subchannel_pool", 1),
)

Handler = Callable[[bytes, Any], Awaitable[bytes]]
Handlers = Mapping[str, Handler]


def inventory_handlers(url: str) -> Handlers:
    """Two methods, with a commit each."""
    store = FloorStore(url)

    def handler(kind: str) -> Handler:
        async def handle(request: bytes, _: Any) -> bytes:
            await store.commit(kind, request)
            return request

        return handle

    return {kind: handler(kind) for kind in ("Reserve", "Commit")}


def payment_handlers(url: str, processor_url: str) -> Handlers:
    """Two methods, with three commits each: the intent, the processor's own, and the evidence."""
    store = FloorStore(url)
    processor = FloorStore(processor_url)

    def handler(kind: str) -> Handler:
        async def handle(request: bytes, _: Any) -> bytes:
            await store.commit(f"{kind} intended", request)
            await processor.commit(kind, request)
            await store.commit(f"{kind} seen", request)
            return request

        return handle

    return {kind: handler(kind) for kind in ("Authorize", "Capture")}


def order_handlers(url: str, inventory: grpc.aio.Channel, payment: grpc.aio.Channel) -> Handlers:
    """One method that calls four others, with a commit before, between and after them."""
    store = FloorStore(url)
    steps: list[tuple[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]]] = [
        (kind, channel.unary_unary(method_path(kind)))
        for channel, kind in (
            (inventory, "Reserve"),
            (payment, "Authorize"),
            (inventory, "Commit"),
            (payment, "Capture"),
        )
    ]

    async def create(request: bytes, _: Any) -> bytes:
        await store.commit("Create", request)
        for kind, call in steps:
            await call(request)
            await store.commit(kind, request)
        return request

    return {"Create": create}


def method_path(kind: str) -> str:
    """The path of a method."""
    return f"/{SERVICE}/{kind}"


def _handlers(service: str, url: str, others: list[str]) -> Handlers:
    if service == "order":
        return order_handlers(
            url, *(grpc.aio.insecure_channel(target, CHANNEL_OPTIONS) for target in others)
        )
    return payment_handlers(url, *others) if service == "payment" else inventory_handlers(url)


async def _serve(service: str, url: str, others: list[str]) -> None:
    handlers = _handlers(service, url, others)
    server = grpc.aio.server()
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        kind: grpc.unary_unary_rpc_method_handler(handler) for kind, handler in handlers.items()
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    # As the services' own `serve()` does, so that both contenders have it.
    process.tune()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], sys.argv[2], sys.argv[3:]))

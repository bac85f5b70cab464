"""A process of the floor: the calls and the durable commits of a checkout, and nothing else.

    python -m scripts.benchmarks.skeleton inventory|payment DATA
    python -m scripts.benchmarks.skeleton order DATA INVENTORY PAYMENT

It says its port on a line once it listens and serves until it is ended. INVENTORY and PAYMENT
are what grpc.aio dials. Bytes go in and come out: there is no contract, no check, no retry,
no saga that could go on elsewhere; only what no way of doing a checkout could leave out.
"""

import gc
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc
import uvloop

from scripts.benchmarks.skeleton_store import SkeletonStore

SERVICE = "skeleton"
# As `serve()` sets them, which a skeleton has no part of: they cost nothing and help both halves.
SWITCH_INTERVAL_S = 0.0005
GC_THRESHOLDS = (20_000, 20, 100)
CHANNEL_OPTIONS = (
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.use_local_subchannel_pool", 1),
)

Handler = Callable[[bytes, Any], Awaitable[bytes]]
Handlers = Mapping[str, Handler]


def inventory_handlers(data: Path) -> Handlers:
    """Two calls, a commit each."""
    store = SkeletonStore(data / "inventory.db")

    def handler(kind: str) -> Handler:
        async def handle(request: bytes, _: Any) -> bytes:
            await store.commit(kind, request)
            return request

        return handle

    return {kind: handler(kind) for kind in ("Reserve", "Commit")}


def payment_handlers(data: Path) -> Handlers:
    """Two calls: an intent, the processor's own commit, and the evidence."""
    store = SkeletonStore(data / "payment.db")
    processor = SkeletonStore(data / "processor.db")

    def handler(kind: str) -> Handler:
        async def handle(request: bytes, _: Any) -> bytes:
            await store.commit(f"{kind} intended", request)
            await processor.commit(kind, request)
            await store.commit(f"{kind} seen", request)
            return request

        return handle

    return {kind: handler(kind) for kind in ("Authorize", "Capture")}


def order_handlers(data: Path, inventory: grpc.aio.Channel, payment: grpc.aio.Channel) -> Handlers:
    """One call that makes four, with a commit before, between and after them."""
    store = SkeletonStore(data / "order.db")
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
    """What a caller calls."""
    return f"/{SERVICE}/{kind}"


async def _serve(service: str, data: Path, targets: list[str]) -> None:
    if service == "order":
        channels = [grpc.aio.insecure_channel(target, CHANNEL_OPTIONS) for target in targets]
        handlers = order_handlers(data, *channels)
    else:
        handlers = {"inventory": inventory_handlers, "payment": payment_handlers}[service](data)
    server = grpc.aio.server()
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        kind: grpc.unary_unary_rpc_method_handler(handler) for kind, handler in handlers.items()
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))

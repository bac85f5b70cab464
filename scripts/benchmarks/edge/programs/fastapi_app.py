"""A REST gateway as one would write it: FastAPI on uvicorn, and the same generated stubs.

    python -m scripts.benchmarks.edge.programs.fastapi_app PORT ADDRESS,ADDRESS,...

It has uvloop and httptools, its calls go round-robin to the instances, and it does less than the
edge: no access log, no limits, no request ids. Its environment has only FastAPI, gRPC and the
stubs.
"""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from google.protobuf import json_format
from tradepost.order.v1.order_service_pb2 import GetOrderRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

_ROUND_ROBIN = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
_TIMEOUT_S = 10.0
_BAD_GATEWAY = 502


def app_for(addresses: str) -> FastAPI:
    """The application, which calls the instances at these addresses."""

    @asynccontextmanager
    async def with_stub(app: FastAPI) -> AsyncIterator[None]:
        options = [("grpc.service_config", _ROUND_ROBIN)]
        async with grpc.aio.insecure_channel(f"ipv4:{addresses}", options) as channel:
            app.state.orders = OrderServiceStub(channel)
            yield

    app = FastAPI(lifespan=with_stub)

    @app.get("/v1/orders/{order_id}")
    async def get_order(order_id: str, request: Request) -> Response:
        asked = GetOrderRequest(order_id=order_id)
        try:
            answer = await request.app.state.orders.GetOrder(asked, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise HTTPException(_BAD_GATEWAY, error.details()) from error
        text = json_format.MessageToJson(answer, indent=None)
        return Response(text, media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(
        app_for(sys.argv[2]),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="error",
        access_log=False,
        # Connections wait here while others have their turn.
        timeout_keep_alive=600,
    )

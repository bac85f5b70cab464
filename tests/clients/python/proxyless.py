"""Asks an order service through `xds:///order`: gRPC's own client, without `discovery`.

    export GRPC_XDS_BOOTSTRAP=xds.json
    python proxyless.py xds:///order

For each line on standard input it makes a call and prints a line of JSON: the token of the next
page, or the code of the error. docs/client.md shows the bootstrap file.
"""

import asyncio
import json
import sys

import grpc
from tradepost.order.v1.order_service_pb2 import ListOrdersRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub


async def main(target: str) -> None:
    """Call until the input ends."""
    async with grpc.aio.insecure_channel(target) as channel:
        orders = OrderServiceStub(channel)
        while await asyncio.to_thread(sys.stdin.readline):
            try:
                answer = await orders.ListOrders(ListOrdersRequest(page_size=1), timeout=20)
                print(json.dumps({"token": answer.next_page_token}), flush=True)
            except grpc.aio.AioRpcError as error:
                print(json.dumps({"error": error.code().name}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

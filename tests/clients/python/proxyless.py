"""Asks an order service through `xds:///order`: gRPC's own client, without `discovery`.

    export GRPC_XDS_BOOTSTRAP=xds.json
    python proxyless.py xds:///order
    python proxyless.py xds:///order certificates/ TOKEN

For each line on standard input it makes a call and prints a line of JSON: the token of the next
page, or the code of the error. docs/client.md shows the bootstrap file. The second line is for a
secure suite: the folder has the certificate (`tls.crt`), its key (`tls.key`) and the authorities
(`ca.crt`), and the token is a person's.
"""

import asyncio
import json
import sys
from pathlib import Path

import grpc
from tradepost.order.v1.order_service_pb2 import ListOrdersRequest
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub


def open_channel(target: str, folder: str) -> grpc.aio.Channel:
    """A channel; with a folder of certificates by TLS, to servers whose certificate says `order`.

    Without the option, gRPC would look for the address of each instance in its certificate.
    """
    if not folder:
        return grpc.aio.insecure_channel(target)
    roots, key, chain = (
        Path(folder, name).read_bytes() for name in ("ca.crt", "tls.key", "tls.crt")
    )
    credentials = grpc.ssl_channel_credentials(roots, key, chain)
    options = [("grpc.ssl_target_name_override", "order")]
    return grpc.aio.secure_channel(target, credentials, options)


async def main(target: str, folder: str = "", token: str = "") -> None:
    """Call until the input ends."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    async with open_channel(target, folder) as channel:
        orders = OrderServiceStub(channel)
        while await asyncio.to_thread(sys.stdin.readline):
            try:
                answer = await orders.ListOrders(
                    ListOrdersRequest(page_size=1), metadata=metadata, timeout=60
                )
                print(json.dumps({"token": answer.next_page_token}), flush=True)
            except grpc.aio.AioRpcError as error:
                print(json.dumps({"error": error.code().name}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

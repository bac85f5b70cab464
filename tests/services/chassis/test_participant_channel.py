"""A service calls the service it means, also where another one has a registered address."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2_grpc
from tradepost.event.v1 import event_service_pb2 as pb
from tradepost.event.v1 import event_service_pb2_grpc
from tradepost.inventory.v1 import inventory_service_pb2

from discovery.clock import SystemClock
from services.chassis.channels import participant_channel
from services.chassis.server.instance.health import HealthServicer
from tests.support.certificates.authority import Authority
from tests.support.certificates.memory_source import MemoryCertificates
from tests.support.chassis import echo_service
from tests.support.chassis.secure_echo import secure_echo, unary
from tests.support.limits import WAIT_S

INVENTORY = "tradepost.inventory.v1.InventoryService"
PAYMENT = "tradepost.payment.v1.PaymentService"


class NamedFeed(event_service_pb2_grpc.EventFeedServiceServicer):
    """A feed that answers with the name of its service as its epoch."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def GetFeed(self, request: pb.GetFeedRequest, context: object) -> pb.GetFeedResponse:
        return pb.GetFeedResponse(epoch=self._name)


@asynccontextmanager
async def serving(name: str) -> AsyncIterator[str]:
    """Runs a server with the feed and the health service of a service; its address."""
    server, health = grpc.aio.server(), HealthServicer([name], incarnation="inc_1")
    health.serving()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    event_service_pb2_grpc.add_EventFeedServiceServicer_to_server(NamedFeed(name), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_the_feed_of_another_service_is_not_read() -> None:
    """Every service has the feed's methods; only those of the wanted service are called."""
    async with AsyncExitStack() as stack:
        addresses = [
            await stack.enter_async_context(serving(name)) for name in (INVENTORY, PAYMENT)
        ]
        channel = await stack.enter_async_context(
            participant_channel(
                f"static:///{','.join(addresses)}",
                contract=inventory_service_pb2.DESCRIPTOR,
                clock=SystemClock(),
                rng=random.Random(7),
            )
        )
        await channel.channel_ready()
        stub = event_service_pb2_grpc.EventFeedServiceStub(channel)

        epochs = Counter([(await stub.GetFeed(pb.GetFeedRequest())).epoch for _ in range(50)])

    assert epochs == {INVENTORY: 50}


@pytest.mark.parametrize("target", ["static:///{address}", "dns:///{address}"])
async def test_a_secure_process_calls_with_its_certificate(target: str) -> None:
    """The channel shows it, and asks for the contract's service also where a target has none."""
    authority = Authority()
    async with (
        asyncio.timeout(WAIT_S),
        secure_echo(MemoryCertificates(authority.issue("echo"))) as server,
        participant_channel(
            target.format(address=f"localhost:{server.port}"),
            contract=echo_service.CONTRACT,
            clock=SystemClock(),
            rng=random.Random(7),
            certificates=MemoryCertificates(authority.issue("till")),
        ) as channel,
    ):
        answer = await unary(channel)(StringValue(value="hi"), wait_for_ready=True)

    assert answer.value == "hi"

"""Many people on few connections, through a real Envoy with a cache: each gets their own answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp
import jwt
import pytest
import pytest_asyncio
from tradepost.order.v1.order_pb2 import Order
from tradepost.order.v1.order_service_pb2 import GetOrderRequest, GetOrderResponse

from tests.support.edge.people import People
from tests.support.edge.protocols import PROTOCOLS
from tests.support.edge.recording_service import recording_service
from tests.support.edge.running_edge import (
    RunningEdge,
    instance_at,
    running_edge,
    settings_at_free_ports,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSONS = [f"person-{number}" for number in range(20)]
ROUNDS = 3
# A service that wrongly lets its answers be reused; the contract doesn't.
REUSABLE = (("cache-control", "public, max-age=3600"),)
SAME_REQUEST = GetOrderRequest(order_id="x")


def answer_to(metadata: Mapping[str, str | bytes]) -> bytes:
    """An order of the person whose token came with the call."""
    token = str(metadata["authorization"]).partition(" ")[2]
    subject = jwt.decode(token, options={"verify_signature": False})["sub"]
    return GetOrderResponse(order=Order(customer_id=subject)).SerializeToString()


@pytest.fixture(scope="module")
def people() -> People:
    return People()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(
    people: People, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningEdge]:
    """An edge to which at most two connections by HTTP are open, before such a service."""
    settings = settings_at_free_ports(cache_folder=str(tmp_path_factory.mktemp("cache")))
    folder = tmp_path_factory.mktemp("edge")
    async with AsyncExitStack() as stack:
        order = await stack.enter_async_context(recording_service(REUSABLE, answer_to))
        instances = [instance_at("order", f"127.0.0.1:{order.port}")]
        running = running_edge(folder, instances, settings=settings, tokens=people.accepted())
        started = await stack.enter_async_context(running)
        connector = await stack.enter_async_context(aiohttp.TCPConnector(limit=2))
        yield replace(started, connector=connector)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_each_person_gets_their_own_answer(
    edge: RunningEdge, people: People, protocol: str
) -> None:
    """The same request of many people at once, on shared connections, is answered to each."""
    (method,) = (each for each in edge.contract.methods if each.name == "GetOrder")

    async def customer_of_answer(person: str) -> str:
        shown = tuple(people.headers(person, "CUSTOMER").items())
        answer = await PROTOCOLS[protocol](edge, method, SAME_REQUEST, shown)
        (message,) = answer.messages
        return GetOrderResponse.FromString(message.SerializeToString()).order.customer_id

    for _ in range(ROUNDS):
        assert await asyncio.gather(*map(customer_of_answer, PERSONS)) == PERSONS

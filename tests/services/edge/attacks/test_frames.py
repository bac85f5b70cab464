"""Messages in frames with flags that no protocol knows, through a real Envoy to real services.

gRPC writes five bytes before a message: flags, of which only the lowest bit means something (the
message is compressed), and the length. Envoy passes frames on as they are. gRPC's own server reads
a message with other flags as an empty one, which every caller may send anyway.
"""

import json
import struct
from collections.abc import AsyncIterator, Mapping

import grpc
import pytest
import pytest_asyncio
from tradepost.order.v1.order_pb2 import Order, OrderState
from tradepost.order.v1.order_service_pb2 import (
    CancelOrderRequest,
    CreateOrderLine,
    CreateOrderRequest,
    GetOrderRequest,
)
from tradepost.order.v1.order_service_pb2_grpc import OrderServiceStub

from tests.support.attempts.guarded_edge import GuardedEdge, guarded_edge
from tests.support.attempts.page import expect_table
from tests.support.edge.protocols import Headers, sent
from tests.support.identity.known_callers import KnownCallers
from tests.support.request_ids.scenarios import add_stock, new_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLERS = KnownCallers()
CANCEL = "/tradepost.order.v1.OrderService/CancelOrder"
TYPES: Mapping[str, str] = {
    "gRPC": "application/grpc",
    "gRPC-Web": "application/grpc-web+proto",
    "Connect": "application/connect+proto",
}
COMPRESSED = 0x01
# Each bit without a meaning, also with the one that has one, and all of them.
UNKNOWN = (*(1 << bit | low for bit in range(1, 8) for low in (0, COMPRESSED)), 0xFF)
ATTEMPTS: Mapping[str, tuple[int, ...]] = {
    "a frame with unknown flags": UNKNOWN,
    "a frame that says it is compressed, without an encoding": (COMPRESSED,),
}
EXPECTED = dict(zip(ATTEMPTS, ("INVALID_ARGUMENT", "INTERNAL"), strict=True))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GuardedEdge]:
    """An edge before four services, with milk in stock."""
    async with guarded_edge(tmp_path_factory.mktemp("edge"), CALLERS) as guarded:
        await add_stock(guarded.suite)
        yield guarded


async def placed(guarded: GuardedEdge) -> Order:
    """A confirmed order of alice."""
    request = CreateOrderRequest(
        request_id=new_id(),
        customer_id="alice",
        payment_method="pm_visa",
        lines=[CreateOrderLine(sku="milk", quantity=1)],
    )
    created = await OrderServiceStub(guarded.suite.channels["order"]).CreateOrder(request)
    order: Order = created.order
    return order


async def cancelled(guarded: GuardedEdge, protocol: str, flags: int, order_id: str) -> str:
    """The status when alice cancels her order in a frame with these flags."""
    request = CancelOrderRequest(request_id=new_id(), order_id=order_id, reason="mine")
    data = request.SerializeToString()
    shown: Headers = (
        ("content-type", TYPES[protocol]),
        ("te", "trailers"),
        *CALLERS.person("alice", "CUSTOMER"),
    )
    body = struct.pack(">BI", flags, len(data)) + data
    _, headers, answer = await sent(guarded.edge, "POST", CANCEL, headers=shown, body=body)
    return _status(headers.get("grpc-status"), answer)


def _status(of_grpc: str | None, answer: bytes) -> str:
    """The status in the headers, or in the only frame of Connect; a message means OK."""
    if of_grpc is not None:
        return next(each.name for each in grpc.StatusCode if each.value[0] == int(of_grpc))
    if answer[0] == 0:
        return "OK"
    return str(json.loads(answer[5:])["error"]["code"]).upper()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answers(guarded: GuardedEdge) -> Mapping[str, set[str]]:
    """The answers to each attempt; all of them are about an order that stays as it is."""
    order_id = (await placed(guarded)).order_id
    found = {
        what: {
            await cancelled(guarded, protocol, each, order_id)
            for protocol in TYPES
            for each in flags
        }
        for what, flags in ATTEMPTS.items()
    }
    stub = OrderServiceStub(guarded.suite.channels["order"])
    order = (await stub.GetOrder(GetOrderRequest(order_id=order_id))).order
    assert order.state == OrderState.ORDER_STATE_CONFIRMED
    return found


async def test_a_frame_with_unknown_flags_says_nothing(answers: Mapping[str, set[str]]) -> None:
    """Whatever stands in it, the service reads an empty request, and refuses it."""
    assert answers == {what: {status} for what, status in EXPECTED.items()}


@pytest.mark.parametrize("protocol", TYPES)
async def test_the_same_frame_without_flags_is_read(guarded: GuardedEdge, protocol: str) -> None:
    """Only the flags make the difference: without them the order is cancelled."""
    order = await placed(guarded)
    assert await cancelled(guarded, protocol, 0, order.order_id) == "OK"


async def test_the_page_shows_the_frames(answers: Mapping[str, set[str]]) -> None:
    """docs/security.md says what such frames are answered."""
    rows = [
        [what, ", ".join(f"`{status}`" for status in sorted(found)), "nothing"]
        for what, found in answers.items()
    ]
    expect_table("frames at the edge", rows, ("attempt", "answer", "changes"))

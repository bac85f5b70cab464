"""No answer of any method exceeds 2 MiB, however large the rows are that requests can make."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf import message_factory
from google.protobuf.message import Message

from services.chassis.request.answer_size import ANSWER_BYTES_MAX
from services.order.domain.return_rules import RETURN_LINES_MAX
from tests.support.answer_sizes.large_rows import (
    NAME,
    ORDERS,
    PAYMENTS,
    ROWS,
    SKUS,
    fill,
    request_id,
)
from tests.support.suite.suite_in_process import TIMEOUT_S, Rpc, Suite, running_suite

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True)
class Ids:
    """Ids of the rows that the suite holds."""

    orders: tuple[str, ...]
    payment: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Suite]:
    """The services, filled with large rows."""
    async with running_suite(tmp_path_factory.mktemp("suite")) as running:
        await fill(running)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ids(suite: Suite) -> Ids:
    """The ids of its orders, and of a payment."""
    orders = [row[0] for row in suite.files["order"].execute("SELECT order_id FROM order_view")]
    payment = suite.files["payment"].execute("SELECT min(payment_id) FROM payment").fetchone()
    return Ids(tuple(orders), payment[0])


@dataclass(frozen=True)
class Read:
    """A request of one method, and how many rows its answers have together."""

    fields: Mapping[str, Any]
    rows: int


_ALL = {"page_size": 1_000}
# By the method's name: a request that selects as much as possible.
READS: Mapping[str, Callable[[Ids], Read]] = {
    "OrderService/BatchGetOrders": lambda ids: Read({"order_ids": ids.orders}, ORDERS),
    "OrderService/ListOrders": lambda _: Read(_ALL, ORDERS),
    "OrderService/ListOrderEvents": lambda ids: Read({"order_id": ids.orders[0]} | _ALL, 5),
    "OrderService/WatchOrder": lambda ids: Read({"order_id": ids.orders[0]}, 5),
    "SagaAdminService/ListSagas": lambda _: Read(_ALL, ORDERS),
    "PaymentService/ListPayments": lambda _: Read(_ALL, ORDERS + PAYMENTS),
    "PaymentService/ListLedgerEntries": lambda _: Read(_ALL, ROWS),
    "SimulatedProcessorService/ListProcessorEntries": lambda _: Read(_ALL, 2 * ORDERS),
    "InventoryService/UpsertItems": lambda _: Read(upserted_items(), len(SKUS)),
    "InventoryService/ListItems": lambda _: Read(_ALL, ROWS + len(SKUS)),
    "InventoryService/BatchGetStock": lambda _: Read({"skus": SKUS}, len(SKUS)),
    "InventoryService/ListStock": lambda _: Read(_ALL, ROWS + len(SKUS)),
    "InventoryService/ListReservations": lambda _: Read(_ALL, ORDERS),
    "InventoryService/ListStockMovements": lambda _: Read(_ALL, ROWS),
    "EventFeedService/ReadEvents": lambda _: Read(_ALL, ORDERS),
    "EventFeedService/SubscribeEvents": lambda _: Read(
        {"consumer": "test", "max_batch": 1_000}, ORDERS
    ),
}
# Methods of consumers: the notification service answers them, see below.
_OF_CONSUMERS = ("DeadLetterService", "SubscriptionService", "AuditService")
_NOT_OURS = "grpc."


def answers_with_many(rpc: Rpc) -> bool:
    """Whether a method answers with a list or with a stream."""
    if rpc.name.startswith(_NOT_OURS) or rpc.method.containing_service.name in _OF_CONSUMERS:
        return False
    return rpc.method.server_streaming or any(
        field.is_repeated for field in rpc.method.output_type.fields
    )


async def test_no_answer_exceeds_the_limit(suite: Suite, ids: Ids) -> None:
    """Every list, batch and stream of every service stays below 2 MiB and leaves out no row."""
    for rpc in filter(answers_with_many, suite.rpcs):
        short = rpc.name.removeprefix(rpc.method.containing_service.file.package + ".")
        wanted = READS[short](ids)
        sizes = [(len(answer), rows) async for answer, rows in answers(suite, rpc, wanted)]
        assert max(size for size, _ in sizes) < ANSWER_BYTES_MAX, short
        assert sum(rows for _, rows in sizes) >= wanted.rows, short


async def test_the_largest_order_has_as_many_returned_lines_as_it_can(suite: Suite) -> None:
    """The rows above include an order with returns, which no more goods can be added to."""
    listing = suite.rpc("OrderService/ListOrders")
    page: Any = await suite.call(listing, listing.request({"states": ["ORDER_STATE_RETURNED"]}))
    (order,) = page.orders
    assert sum(len(each.lines) for each in order.returns) == RETURN_LINES_MAX


async def answers(suite: Suite, rpc: Rpc, wanted: Read) -> AsyncIterator[tuple[bytes, int]]:
    """Read everything that a request selects; return each answer with its number of rows."""
    request: Any = rpc.request(wanted.fields)
    kind = message_factory.GetMessageClass(rpc.method.output_type)
    if rpc.method.server_streaming:
        call: Any = suite.channels[rpc.service].unary_stream(f"/{rpc.name}")(
            request.SerializeToString(), timeout=TIMEOUT_S
        )
        left = wanted.rows
        while left > 0:
            data: bytes = await call.read()
            rows = rows_of(kind.FromString(data))
            yield data, rows
            left -= rows
        call.cancel()
        return
    while request is not None:
        data = await suite.send(rpc, request.SerializeToString())
        answer = kind.FromString(data)
        yield data, rows_of(answer)
        request = next_request(request, answer)


def next_request(request: Any, answer: Any) -> Any:
    """The request for what an answer has no room for; None if that is nothing."""
    names = answer.DESCRIPTOR.fields_by_name
    if "next_page_token" in names and answer.next_page_token:
        request.page_token = answer.next_page_token
    elif "unread_order_ids" in names and answer.unread_order_ids:
        request.order_ids[:] = answer.unread_order_ids
    elif "next_position" in names and answer.next_position < answer.head_position:
        request.after_position = answer.next_position
    elif "more" in names and answer.more:
        request.after_sequence = answer.entries[-1].sequence
    else:
        return None
    return request


def rows_of(answer: Message) -> int:
    """How many rows an answer has: those of its first list, or the message of a stream itself."""
    batch: Message = getattr(answer, "batch", answer)
    lists = [field for field in batch.DESCRIPTOR.fields if field.is_repeated]
    return len(getattr(batch, lists[0].name)) if lists else 1


def upserted_items() -> Mapping[str, Any]:
    """The largest request to change items."""
    price = {"currency_code": "USD", "minor_units": 1}
    items = [{"sku": sku, "name": NAME, "unit_price": price} for sku in SKUS]
    return {"request_id": request_id("items again"), "items": items}

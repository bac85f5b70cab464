"""GetCustomerSummary over real gRPC, fed by the order feed and by the payment feed."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import Connection
from tradepost.event.v1 import event_service_pb2 as feed_rpc
from tradepost.event.v1.event_service_pb2_grpc import DeadLetterServiceStub
from tradepost.order.v1 import order_service_pb2 as rpc

from discovery.clock import SystemClock
from services.chassis.consumer.inbox import ConsumerPosition, Inbox
from services.chassis.ids import IdFactory
from services.order.domain.errors import ViewLaggingError
from services.order.domain.queries import SummaryQuery
from services.order.summary.feed_consumers import ORDER_CONSUMER, PAYMENT_CONSUMER, OrderSummarizer
from services.order.summary.summary_reader import SummaryReader
from tests.support.chassis.event_consumer import while_time_passes
from tests.support.chassis.rich_status import refusal
from tests.support.order import summary_events
from tests.support.order.order_service import cancel_of, order_of
from tests.support.order.orders_and_payment_feed import (
    OrdersAndPaymentFeed,
    open_orders_and_payment_feed,
    summary_of,
)
from tests.support.order.stepped_sagas import SteppedSagas
from tests.support.store.databases import Databases


@pytest_asyncio.fixture
async def orders_and_payments(databases: Databases) -> AsyncIterator[OrdersAndPaymentFeed]:
    """An order service that follows its own feed and a scripted payment feed."""
    async with open_orders_and_payment_feed(databases) as orders_and_payments:
        yield orders_and_payments


async def test_a_summary_includes_what_was_answered_before(
    orders_and_payments: OrdersAndPaymentFeed,
) -> None:
    """With the position of an answer a caller sees that order, on either instance."""
    async with (
        orders_and_payments.order_service.instance() as first,
        orders_and_payments.order_service.instance("second") as second,
    ):
        created = await first.orders.CreateOrder(order_of("ann"))
        for instance in (first, second):
            seen = await summary_of(instance.orders, "ann", position=created.position)
            assert (seen.customer_id, seen.order_count, seen.confirmed_count) == ("ann", 1, 1)
            assert seen.last_order_id == created.order.order_id
            assert seen.last_order_time == created.order.create_time
        rejected = await second.orders.CreateOrder(order_of("ann", sku="gold", quantity=9))
        seen = await summary_of(first.orders, "ann", position=rejected.position)
        assert (seen.order_count, seen.confirmed_count) == (2, 1)


async def test_amounts_come_from_the_payment_feed(
    orders_and_payments: OrdersAndPaymentFeed,
) -> None:
    """Captures and refunds count when payment reports them, in their own currency."""
    async with orders_and_payments.order_service.instance() as instance:
        created = await instance.orders.CreateOrder(order_of("ann"))
        order_id = created.order.order_id
        await orders_and_payments.pay(summary_events.captured(order_id, 500))
        at = await orders_and_payments.pay(summary_events.refunded(order_id, 200))
        back = await instance.orders.CancelOrder(cancel_of(order_id))
        seen = await summary_of(instance.orders, "ann", position=back.position, payment_position=at)
        assert (seen.order_count, seen.confirmed_count) == (1, 0)
        assert list(seen.spend) == [
            rpc.CustomerSpend(
                captured_amount=summary_events.money(500), refunded_amount=summary_events.money(200)
            )
        ]


async def test_a_rewind_to_the_beginning_changes_nothing(
    orders_and_payments: OrdersAndPaymentFeed,
) -> None:
    """Every event comes again, and is not counted twice."""
    async with orders_and_payments.order_service.instance() as instance:
        position = 0
        for _ in range(5):
            created = await instance.orders.CreateOrder(order_of("ann"))
            position = created.position
            at = await orders_and_payments.pay(summary_events.captured(created.order.order_id, 100))
        before = await summary_of(instance.orders, "ann", position=position, payment_position=at)
        await rewind(orders_and_payments)
        after = await summary_of(instance.orders, "ann", position=position, payment_position=at)
        assert after == before
        assert before.spend[0].captured_amount == summary_events.money(500)


async def rewind(orders_and_payments: OrdersAndPaymentFeed) -> None:
    """Set both consumers back to the beginning of their feeds, as an operator would."""
    async with orders_and_payments.operator() as database:
        for consumer in (ORDER_CONSUMER, PAYMENT_CONSUMER):
            await database.write(_to_the_beginning, an_inbox(consumer))


def _to_the_beginning(connection: Connection, inbox: Inbox) -> None:
    reached = inbox.reached(connection)
    assert reached is not None
    assert reached.position > 0
    inbox.move(connection, ConsumerPosition(reached.epoch, 0))


def an_inbox(consumer: str) -> Inbox:
    """Make the inbox of a consumer."""
    clock = SystemClock()
    ids = IdFactory(clock=clock, rng=random.Random(3))
    return Inbox(consumer=consumer, handler=OrderSummarizer(), clock=clock, ids=ids)


async def test_an_invalid_event_becomes_a_dead_letter(
    orders_and_payments: OrdersAndPaymentFeed,
) -> None:
    """A bad payment event blocks no other order, and an operator sees it."""
    async with orders_and_payments.order_service.instance() as instance:
        first, second = [await instance.orders.CreateOrder(order_of("ann")) for _ in range(2)]
        nonsense = summary_events.captured(first.order.order_id, 100)
        nonsense.payload.value = b"\xff\xff"
        await orders_and_payments.pay(nonsense)
        at = await orders_and_payments.pay(summary_events.captured(second.order.order_id, 70))
        seen = await summary_of(
            instance.orders, "ann", position=second.position, payment_position=at
        )
        assert [each.captured_amount for each in seen.spend] == [summary_events.money(70)]
        letters = await DeadLetterServiceStub(instance.channel).ListDeadLetters(
            feed_rpc.ListDeadLettersRequest(consumer=PAYMENT_CONSUMER)
        )
        assert [each.event.aggregate_id for each in letters.dead_letters] == [nonsense.aggregate_id]


async def test_a_summary_that_lags_for_too_long_is_refused(sagas: SteppedSagas) -> None:
    """It waits as long as the caller has patience, and answers as soon as it has caught up."""
    parts = await sagas.start()
    orders, payments = (an_inbox(name) for name in (ORDER_CONSUMER, PAYMENT_CONSUMER))
    summaries = SummaryReader(
        database=parts.store.database,
        orders=orders,
        payments=payments,
        tailer=parts.store.tailer,
        clock=sagas.clock,
    )
    wanted = SummaryQuery("ann", min_position=7)
    waiting = asyncio.ensure_future(summaries.get(wanted, 5))
    began_s = sagas.clock.monotonic()
    await while_time_passes(sagas.clock, asyncio.wait({waiting}))
    with pytest.raises(ViewLaggingError, match="position 0, not 7"):
        await waiting
    assert sagas.clock.monotonic() - began_s >= 5

    waiting = asyncio.ensure_future(summaries.get(wanted, 3_600))
    await parts.store.database.write(orders.move, ConsumerPosition("epoch", 7))
    await while_time_passes(sagas.clock, asyncio.wait({waiting}))
    assert (await waiting).position == 7


async def test_a_draining_instance_does_not_wait(sagas: SteppedSagas) -> None:
    """The caller is refused at once: another instance has the same view."""
    parts = await sagas.start()
    summaries = SummaryReader(
        database=parts.store.database,
        orders=an_inbox(ORDER_CONSUMER),
        payments=an_inbox(PAYMENT_CONSUMER),
        tailer=parts.store.tailer,
        clock=sagas.clock,
    )
    parts.store.tailer.stop_waiters()
    with pytest.raises(ViewLaggingError):
        await summaries.get(SummaryQuery("ann", min_position=7), 3_600)


async def test_a_bad_request_names_its_fields(orders_and_payments: OrdersAndPaymentFeed) -> None:
    """An empty customer id and a negative position are refused."""
    async with orders_and_payments.order_service.instance() as instance:
        request = rpc.GetCustomerSummaryRequest(customer_id="", min_position=-1)
        refused = await refusal(instance.orders.GetCustomerSummary(request))
        assert set(refused.bad_fields) == {"customer_id", "min_position"}

"""A choreographed order: how it changes by the events of its participants alone."""

from datetime import timedelta

import pytest
from google.protobuf.message import Message
from tradepost.inventory.v1 import inventory_event_pb2 as stock
from tradepost.inventory.v1 import reservation_pb2 as rsv
from tradepost.payment.v1 import payment_event_pb2 as money
from tradepost.payment.v1 import payment_pb2 as pay

from services.chassis.request.wire_values import to_timestamp
from services.order.domain.events import Coordination
from services.order.domain.state import Order, OrderState
from services.order.domain.steps import INVENTORY, PAYMENT
from services.order.parts import Parts
from tests.support.order.fake_participants import usd
from tests.support.order.stepped_sagas import SteppedSagas
from tests.support.order.summary_events import event_of

BY_EVENT = stock.RESERVATION_ORIGIN_CHOREOGRAPHED
PAID_BY_EVENT = money.PAYMENT_ORIGIN_CHOREOGRAPHED
HAPPY = ["OrderPlaced", "StockReserved", "PaymentAuthorized", "CaptureRequested", "OrderConfirmed"]


async def placed(sagas: SteppedSagas) -> tuple[Parts, str]:
    """Start an instance and place an order of which no event has arrived."""
    parts = await sagas.start()
    written = await sagas.place(parts, coordination=Coordination.CHOREOGRAPHED)
    assert written.claim is None
    return parts, written.order_id


def held(sagas: SteppedSagas, order_id: str) -> stock.ReservationHeld:
    """The event of a hold on two units of milk."""
    line = rsv.ReservationLine(
        sku="milk", quantity=2, name="Milk", unit_price=usd(100), line_total=usd(200)
    )
    return stock.ReservationHeld(
        order_id=order_id,
        lines=[line],
        total=usd(200),
        expire_time=to_timestamp(sagas.clock.now() + timedelta(seconds=120)),
        origin=BY_EVENT,
    )


def authorized(sagas: SteppedSagas, order_id: str) -> money.PaymentAuthorized:
    """The event of an authorization for a week."""
    return money.PaymentAuthorized(
        payment_id="pay_1",
        order_id=order_id,
        amount=usd(200),
        authorize_expire_time=to_timestamp(sagas.clock.now() + timedelta(days=7)),
        origin=PAID_BY_EVENT,
        history=stock.CheckoutHistory(held=held(sagas, order_id)),
    )


def committed(sagas: SteppedSagas, order_id: str) -> stock.ReservationCommitted:
    """The event of a committed reservation, with its history."""
    paid = authorized(sagas, order_id)
    history = stock.CheckoutHistory(
        held=held(sagas, order_id),
        payment_id=paid.payment_id,
        authorize_expire_time=paid.authorize_expire_time,
    )
    return stock.ReservationCommitted(order_id=order_id, origin=BY_EVENT, history=history)


def captured(order_id: str) -> money.PaymentCaptured:
    """The event of a full capture."""
    return money.PaymentCaptured(
        payment_id="pay_1", order_id=order_id, amount=usd(200), origin=PAID_BY_EVENT
    )


async def consume(sagas: SteppedSagas, parts: Parts, order_id: str, fact: Message) -> Order:
    """Apply an event to an order, and return the order after it."""
    await parts.store.database.write(parts.consumer, event_of("of_a_participant", fact))
    return await sagas.load(parts, order_id)


async def test_every_event_is_recorded_as_the_saga_would(sagas: SteppedSagas) -> None:
    """Each event of a participant adds one event, the pivot among them; no work is left."""
    parts, order_id = await placed(sagas)
    facts = (held(sagas, order_id), authorized(sagas, order_id), committed(sagas, order_id))
    for fact in (*facts, captured(order_id)):
        order = await consume(sagas, parts, order_id, fact)
    assert (order.state, order.payment_id) == (OrderState.CONFIRMED, "pay_1")
    assert await sagas.history(parts, order_id) == HAPPY
    assert await sagas.next_due(parts) is None


async def test_an_event_carries_its_history(sagas: SteppedSagas) -> None:
    """A faster feed brings the history too, so a late event changes nothing."""
    parts, order_id = await placed(sagas)
    order = await consume(sagas, parts, order_id, committed(sagas, order_id))
    assert order.state is OrderState.CAPTURING
    for late in (held(sagas, order_id), authorized(sagas, order_id), committed(sagas, order_id)):
        assert await consume(sagas, parts, order_id, late) == order
    assert await sagas.history(parts, order_id) == HAPPY[:4]


@pytest.mark.parametrize("origin", [0, 1])
async def test_events_of_orchestrated_orders_are_skipped(sagas: SteppedSagas, origin: int) -> None:
    """The saga has the answers of its calls, so events of orchestrated orders are skipped."""
    parts, order_id = await placed(sagas)
    fact = held(sagas, order_id)
    fact.origin = origin  # type: ignore[assignment]  # a number of the contract
    assert (await consume(sagas, parts, order_id, fact)).state is OrderState.RESERVING


async def test_a_refusal_ends_the_order(sagas: SteppedSagas) -> None:
    """A refused hold ends the order at once; a declined payment also releases the stock."""
    parts, order_id = await placed(sagas)
    refused = stock.ReservationRejected(
        order_id=order_id,
        refusal=rsv.ReservationRefusal(reason=rsv.RESERVATION_REFUSAL_REASON_ZERO_TOTAL),
        origin=BY_EVENT,
    )
    assert (await consume(sagas, parts, order_id, refused)).state is OrderState.REJECTED
    assert sagas.inventory.calls == []

    other = (await sagas.place(parts, coordination=Coordination.CHOREOGRAPHED)).order_id
    declined = money.PaymentDeclined(
        payment_id="pay_2",
        order_id=other,
        refusal=pay.PaymentRefusal(reason=pay.PAYMENT_REFUSAL_REASON_PAYMENT_DECLINED),
        origin=PAID_BY_EVENT,
        history=stock.CheckoutHistory(held=held(sagas, other)),
    )
    assert (await consume(sagas, parts, other, declined)).state is OrderState.CANCELLING
    await sagas.pass_time(sagas.clock.now() + timedelta(seconds=10))
    await sagas.drive_all(parts)
    assert (await sagas.load(parts, other)).state is OrderState.REJECTED
    assert (sagas.inventory.calls, sagas.payment.calls) == (["ReleaseReservation"], [])


async def test_an_expired_hold_ends_the_order(sagas: SteppedSagas) -> None:
    """Only a refused commit reports that a hold has expired; the sweeper's own event does not."""
    parts, order_id = await placed(sagas)
    swept = stock.ReservationExpired(order_id=order_id)
    assert (await consume(sagas, parts, order_id, swept)).state is OrderState.RESERVING
    history = committed(sagas, order_id).history
    late = stock.ReservationExpired(order_id=order_id, origin=BY_EVENT, history=history)
    order = await consume(sagas, parts, order_id, late)
    assert (order.state, order.asked) == (OrderState.CANCELLING, {INVENTORY, PAYMENT})


async def test_an_order_without_events_is_cancelled_at_its_deadline(sagas: SteppedSagas) -> None:
    """Its compensations cover everything that the participants may have done meanwhile."""
    parts, order_id = await placed(sagas)
    await sagas.drive_all(parts)
    order = await sagas.load(parts, order_id)
    assert (order.state, order.cause.name) == (OrderState.CANCELLED, "DEADLINE_PASSED")
    assert sorted(sagas.inventory.calls + sagas.payment.calls) == [
        "ReleaseReservation",
        "VoidPayment",
    ]
    assert (
        await consume(sagas, parts, order_id, held(sagas, order_id))
    ).state is OrderState.CANCELLED


async def test_a_capture_without_events_is_called_after_the_deadline(sagas: SteppedSagas) -> None:
    """After the pivot only evidence counts: the runner calls the capture after the deadline."""
    parts, order_id = await placed(sagas)
    order = await consume(sagas, parts, order_id, committed(sagas, order_id))
    assert order.state is OrderState.CAPTURING
    sagas.payment.methods["pay_1"] = "pm_visa"
    sagas.payment.payments["pay_1"] = pay.Payment(
        payment_id="pay_1",
        order_id=order_id,
        state=pay.PAYMENT_STATE_AUTHORIZED,
        amount=usd(200),
    )
    await sagas.drive_all(parts)
    assert (await sagas.load(parts, order_id)).state is OrderState.CONFIRMED
    assert sagas.payment.calls == ["CapturePayment"]

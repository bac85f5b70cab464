"""What an order makes of what its participants say, when nobody calls anybody."""

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
from tests.support.order.stepped_sagas import Rig
from tests.support.order.summary_events import told

BY_EVENT = stock.RESERVATION_ORIGIN_CHOREOGRAPHED
PAID_BY_EVENT = money.PAYMENT_ORIGIN_CHOREOGRAPHED
HAPPY = ["OrderPlaced", "StockReserved", "PaymentAuthorized", "CaptureRequested", "OrderConfirmed"]


async def placed(rig: Rig) -> tuple[Parts, str]:
    """An instance, and an order of which it has heard nothing."""
    parts = await rig.start()
    written = await rig.place(parts, coordination=Coordination.CHOREOGRAPHED)
    assert written.claim is None
    return parts, written.order_id


def held(rig: Rig, order_id: str) -> stock.ReservationHeld:
    """Two bottles of milk."""
    line = rsv.ReservationLine(
        sku="milk", quantity=2, name="Milk", unit_price=usd(100), line_total=usd(200)
    )
    return stock.ReservationHeld(
        order_id=order_id,
        lines=[line],
        total=usd(200),
        expire_time=to_timestamp(rig.clock.now() + timedelta(seconds=120)),
        origin=BY_EVENT,
    )


def authorized(rig: Rig, order_id: str) -> money.PaymentAuthorized:
    """Set aside for a week."""
    return money.PaymentAuthorized(
        payment_id="pay_1",
        order_id=order_id,
        amount=usd(200),
        authorize_expire_time=to_timestamp(rig.clock.now() + timedelta(days=7)),
        origin=PAID_BY_EVENT,
        history=stock.CheckoutHistory(held=held(rig, order_id)),
    )


def committed(rig: Rig, order_id: str) -> stock.ReservationCommitted:
    """With all that led to it."""
    paid = authorized(rig, order_id)
    history = stock.CheckoutHistory(
        held=held(rig, order_id),
        payment_id=paid.payment_id,
        authorize_expire_time=paid.authorize_expire_time,
    )
    return stock.ReservationCommitted(order_id=order_id, origin=BY_EVENT, history=history)


def captured(order_id: str) -> money.PaymentCaptured:
    """All of it."""
    return money.PaymentCaptured(
        payment_id="pay_1", order_id=order_id, amount=usd(200), origin=PAID_BY_EVENT
    )


async def hear(rig: Rig, parts: Parts, order_id: str, fact: Message) -> Order:
    """Tell an order a fact; the order as it stands then."""
    await parts.database.write(parts.consumer, told("of_a_participant", fact))
    return await rig.load(parts, order_id)


async def test_every_fact_is_recorded_as_the_saga_would(rig: Rig) -> None:
    """One event a fact, the pivot among them, and nothing is left to be driven."""
    parts, order_id = await placed(rig)
    facts = (held(rig, order_id), authorized(rig, order_id), committed(rig, order_id))
    for fact in (*facts, captured(order_id)):
        order = await hear(rig, parts, order_id, fact)
    assert (order.state, order.payment_id) == (OrderState.CONFIRMED, "pay_1")
    assert await rig.history(parts, order_id) == HAPPY
    assert await rig.next_due(parts) is None


async def test_a_fact_brings_those_before_it(rig: Rig) -> None:
    """Whichever feed is faster: what comes late is known by then and changes nothing."""
    parts, order_id = await placed(rig)
    order = await hear(rig, parts, order_id, committed(rig, order_id))
    assert order.state is OrderState.CAPTURING
    for late in (held(rig, order_id), authorized(rig, order_id), committed(rig, order_id)):
        assert await hear(rig, parts, order_id, late) == order
    assert await rig.history(parts, order_id) == HAPPY[:4]


@pytest.mark.parametrize("origin", [0, 1])
async def test_facts_that_calls_brought_about_are_no_news(rig: Rig, origin: int) -> None:
    """Whoever made the call has the answer."""
    parts, order_id = await placed(rig)
    fact = held(rig, order_id)
    fact.origin = origin  # type: ignore[assignment]  # a number of the contract
    assert (await hear(rig, parts, order_id, fact)).state is OrderState.RESERVING


async def test_a_refusal_leads_back(rig: Rig) -> None:
    """What inventory refuses is over at once; what payment refuses lets the stock go."""
    parts, order_id = await placed(rig)
    refused = stock.ReservationRejected(
        order_id=order_id,
        refusal=rsv.ReservationRefusal(reason=rsv.RESERVATION_REFUSAL_REASON_ZERO_TOTAL),
        origin=BY_EVENT,
    )
    assert (await hear(rig, parts, order_id, refused)).state is OrderState.REJECTED
    assert rig.inventory.calls == []

    other = (await rig.place(parts, coordination=Coordination.CHOREOGRAPHED)).order_id
    declined = money.PaymentDeclined(
        payment_id="pay_2",
        order_id=other,
        refusal=pay.PaymentRefusal(reason=pay.PAYMENT_REFUSAL_REASON_PAYMENT_DECLINED),
        origin=PAID_BY_EVENT,
        history=stock.CheckoutHistory(held=held(rig, other)),
    )
    assert (await hear(rig, parts, other, declined)).state is OrderState.CANCELLING
    await rig.pass_time(rig.clock.now() + timedelta(seconds=10))
    await rig.rest(parts)
    assert (await rig.load(parts, other)).state is OrderState.REJECTED
    assert (rig.inventory.calls, rig.payment.calls) == (["ReleaseReservation"], [])


async def test_a_hold_that_ran_out_leads_back(rig: Rig) -> None:
    """Found out by the commit; the sweeper's own word says nothing of a commit."""
    parts, order_id = await placed(rig)
    swept = stock.ReservationExpired(order_id=order_id)
    assert (await hear(rig, parts, order_id, swept)).state is OrderState.RESERVING
    history = committed(rig, order_id).history
    late = stock.ReservationExpired(order_id=order_id, origin=BY_EVENT, history=history)
    order = await hear(rig, parts, order_id, late)
    assert (order.state, order.asked) == (OrderState.CANCELLING, {INVENTORY, PAYMENT})


async def test_an_order_nobody_tells_of_is_cancelled_at_its_deadline(rig: Rig) -> None:
    """Whatever its participants may have done meanwhile is let go, or fenced."""
    parts, order_id = await placed(rig)
    await rig.rest(parts)
    order = await rig.load(parts, order_id)
    assert (order.state, order.cause.name) == (OrderState.CANCELLED, "DEADLINE_PASSED")
    assert sorted(rig.inventory.calls + rig.payment.calls) == ["ReleaseReservation", "VoidPayment"]
    assert (await hear(rig, parts, order_id, held(rig, order_id))).state is OrderState.CANCELLED


async def test_a_capture_nobody_tells_of_is_asked_for_in_the_end(rig: Rig) -> None:
    """Past the pivot only evidence counts: after the deadline the saga runner asks for it."""
    parts, order_id = await placed(rig)
    order = await hear(rig, parts, order_id, committed(rig, order_id))
    assert order.state is OrderState.CAPTURING
    rig.payment.methods["pay_1"] = "pm_visa"
    rig.payment.payments["pay_1"] = pay.Payment(
        payment_id="pay_1",
        order_id=order_id,
        state=pay.PAYMENT_STATE_AUTHORIZED,
        amount=usd(200),
    )
    await rig.rest(parts)
    assert (await rig.load(parts, order_id)).state is OrderState.CONFIRMED
    assert rig.payment.calls == ["CapturePayment"]

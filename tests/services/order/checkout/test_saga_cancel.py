"""A cancel at any moment: while a call is on its way, between two tries, after the end."""

import pytest

from services.order.domain.errors import OrderNotCancellableError
from services.order.domain.events import Cause
from services.order.domain.state import OrderState
from tests.support.order.scripted_failures import Lost, Undecided
from tests.support.order.stepped_sagas import Rig


@pytest.mark.parametrize(
    ("method", "ends"),
    [
        ("ReserveStock", OrderState.CANCELLED),
        ("AuthorizePayment", OrderState.CANCELLED),
        ("CommitReservation", OrderState.CANCELLED),
        ("CapturePayment", OrderState.REFUNDED),
    ],
)
async def test_a_cancel_while_a_call_is_on_its_way_back(
    rig: Rig, method: str, ends: OrderState
) -> None:
    """The answer finds another state: decide again there, in the same write."""
    first = await rig.start("first")
    second = await rig.start("second")
    placed = await rig.place(first)

    async def somebody_cancels() -> None:
        change = await rig.cancel(second, placed.order_id)
        assert change.claim is None

    rig.script.during[method] = somebody_cancels
    await rig.drive(first, placed)
    order = await rig.load(first, placed.order_id)
    assert (order.state, order.cause) == (ends, Cause.CANCELLED)
    assert order.cancel_reason == "changed my mind"
    assert await rig.next_due(first) is None
    rig.check_books(order)


async def test_a_cancel_while_capturing_is_recorded_and_confirmed_and_refunded(rig: Rig) -> None:
    """CancelRequested, then OrderConfirmed and RefundStarted together."""
    parts = await rig.start()
    placed = await rig.place(parts)

    async def customer_cancels() -> None:
        await rig.cancel(parts, placed.order_id)
        order = await rig.load(parts, placed.order_id)
        assert (order.state, order.cancel_requested) == (OrderState.CAPTURING, True)

    rig.script.during["CapturePayment"] = customer_cancels
    await rig.drive(parts, placed)
    history = await rig.history(parts, placed.order_id)
    assert history[4:] == ["CancelRequested", "OrderConfirmed", "RefundStarted", "OrderRefunded"]


async def test_a_cancel_while_capturing_what_is_not_captured(rig: Rig) -> None:
    """The cancel was recorded first, so the order ends CANCELLED."""
    parts = await rig.start()
    placed = await rig.place(parts, method="pm_not_captured")

    async def customer_cancels() -> None:
        await rig.cancel(parts, placed.order_id)

    rig.script.during["CapturePayment"] = customer_cancels
    await rig.drive(parts, placed)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.refusal) == (OrderState.CANCELLED, None)
    rig.check_books(order)


async def test_a_cancel_between_two_tries_is_driven_at_once(rig: Rig) -> None:
    """Whoever takes the cancel takes the lease that nobody holds: no backoff to wait for."""
    parts = await rig.start()
    rig.script.fail("AuthorizePayment", *[Undecided.PENDING] * 5)
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    before = rig.clock.now()
    change = await rig.cancel(parts, placed.order_id)
    await rig.drive(parts, change)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, rig.clock.now()) == (OrderState.CANCELLED, before)
    rig.check_books(order)


async def test_a_cancel_before_an_authorize_that_arrives_late(rig: Rig) -> None:
    """The void leaves a tombstone: the late authorize is refused."""
    parts = await rig.start()
    rig.script.fail("AuthorizePayment", Lost.BEFORE)
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.drive(parts, await rig.cancel(parts, placed.order_id))
    (payment,) = rig.payment.payments.values()
    assert payment.authorize_request_id
    rig.check_books(await rig.load(parts, placed.order_id))


async def test_a_cancel_of_what_has_ended_changes_nothing(rig: Rig) -> None:
    """CANCELLED, REJECTED and REFUNDED answer OK; FULFILLED refuses."""
    parts = await rig.start()
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.drive(parts, await rig.cancel(parts, placed.order_id))
    again = await rig.cancel(parts, placed.order_id)
    assert again.claim is None
    assert again.loaded is not None
    assert again.loaded.order.state is OrderState.REFUNDED

    rejected = await rig.place(parts, quantity=1_000)
    await rig.drive(parts, rejected)
    again = await rig.cancel(parts, rejected.order_id)
    assert (await rig.load(parts, rejected.order_id)).state is OrderState.REJECTED
    assert again.claim is None

    fulfilled = await rig.place(parts)
    await rig.drive(parts, fulfilled)
    await rig.drive(parts, await rig.fulfill(parts, fulfilled.order_id))
    with pytest.raises(OrderNotCancellableError):
        await rig.cancel(parts, fulfilled.order_id)


@pytest.mark.parametrize("method", ["ReleaseReservation", "RefundPayment"])
async def test_a_cancel_while_refunding_changes_nothing(rig: Rig, method: str) -> None:
    """The first recorded cancel is under way."""
    parts = await rig.start()
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    change = await rig.cancel(parts, placed.order_id)

    async def again() -> None:
        assert (await rig.cancel(parts, placed.order_id)).claim is None

    rig.script.during[method] = again
    await rig.drive(parts, change)
    history = await rig.history(parts, placed.order_id)
    assert history[5:] == ["RefundStarted", "OrderRefunded"]

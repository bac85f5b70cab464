"""Cancels at any moment: during a call, between two tries, after the end."""

import pytest

from services.order.domain.errors import OrderNotCancellableError
from services.order.domain.events import Cause
from services.order.domain.state import OrderState
from tests.support.order.scripted_failures import LostAnswer, PendingAnswer
from tests.support.order.stepped_sagas import SteppedSagas


@pytest.mark.parametrize(
    ("method", "ends"),
    [
        ("ReserveStock", OrderState.CANCELLED),
        ("AuthorizePayment", OrderState.CANCELLED),
        ("CommitReservation", OrderState.CANCELLED),
        ("CapturePayment", OrderState.REFUNDED),
    ],
)
async def test_a_cancel_during_a_call(sagas: SteppedSagas, method: str, ends: OrderState) -> None:
    """The answer of the call finds a cancelled order, and is decided on that state."""
    first = await sagas.start("first")
    second = await sagas.start("second")
    placed = await sagas.place(first)

    async def cancel() -> None:
        change = await sagas.cancel(second, placed.order_id)
        assert change.claim is None

    sagas.script.during[method] = cancel
    await sagas.drive(first, placed)
    order = await sagas.load(first, placed.order_id)
    assert (order.state, order.cause) == (ends, Cause.CANCELLED)
    assert order.cancel_reason == "changed my mind"
    assert await sagas.next_due(first) is None
    sagas.check_amounts(order)


async def test_a_cancel_during_a_capture_leads_to_a_refund(
    sagas: SteppedSagas,
) -> None:
    """CancelRequested is followed by OrderConfirmed and RefundStarted in one write."""
    parts = await sagas.start()
    placed = await sagas.place(parts)

    async def cancel() -> None:
        await sagas.cancel(parts, placed.order_id)
        order = await sagas.load(parts, placed.order_id)
        assert (order.state, order.cancel_requested) == (OrderState.CAPTURING, True)

    sagas.script.during["CapturePayment"] = cancel
    await sagas.drive(parts, placed)
    history = await sagas.history(parts, placed.order_id)
    assert history[4:] == ["CancelRequested", "OrderConfirmed", "RefundStarted", "OrderRefunded"]


async def test_a_cancel_during_a_failing_capture_ends_cancelled(sagas: SteppedSagas) -> None:
    """The cancel was recorded before the failed capture, so the order ends CANCELLED."""
    parts = await sagas.start()
    placed = await sagas.place(parts, method="pm_not_captured")

    async def cancel() -> None:
        await sagas.cancel(parts, placed.order_id)

    sagas.script.during["CapturePayment"] = cancel
    await sagas.drive(parts, placed)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.refusal) == (OrderState.CANCELLED, None)
    sagas.check_amounts(order)


async def test_a_cancel_between_two_tries_is_driven_at_once(sagas: SteppedSagas) -> None:
    """The cancel claims the free lease, so its work does not wait for the backoff."""
    parts = await sagas.start()
    sagas.script.fail("AuthorizePayment", *[PendingAnswer.PENDING] * 5)
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    before = sagas.clock.now()
    change = await sagas.cancel(parts, placed.order_id)
    await sagas.drive(parts, change)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, sagas.clock.now()) == (OrderState.CANCELLED, before)
    sagas.check_amounts(order)


async def test_a_cancel_before_an_authorize_that_arrives_late(sagas: SteppedSagas) -> None:
    """The void makes payment refuse the late authorize."""
    parts = await sagas.start()
    sagas.script.fail("AuthorizePayment", LostAnswer.BEFORE)
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive(parts, await sagas.cancel(parts, placed.order_id))
    (payment,) = sagas.payment.payments.values()
    assert payment.authorize_request_id
    sagas.check_amounts(await sagas.load(parts, placed.order_id))


async def test_a_cancel_of_an_ended_order_changes_nothing(sagas: SteppedSagas) -> None:
    """CANCELLED, REJECTED and REFUNDED orders answer OK; a FULFILLED one refuses."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive(parts, await sagas.cancel(parts, placed.order_id))
    again = await sagas.cancel(parts, placed.order_id)
    assert again.claim is None
    assert again.loaded is not None
    assert again.loaded.order.state is OrderState.REFUNDED

    rejected = await sagas.place(parts, quantity=1_000)
    await sagas.drive(parts, rejected)
    again = await sagas.cancel(parts, rejected.order_id)
    assert (await sagas.load(parts, rejected.order_id)).state is OrderState.REJECTED
    assert again.claim is None

    fulfilled = await sagas.place(parts)
    await sagas.drive(parts, fulfilled)
    await sagas.drive(parts, await sagas.fulfill(parts, fulfilled.order_id))
    with pytest.raises(OrderNotCancellableError):
        await sagas.cancel(parts, fulfilled.order_id)


@pytest.mark.parametrize("method", ["ReleaseReservation", "RefundPayment"])
async def test_a_cancel_while_refunding_changes_nothing(sagas: SteppedSagas, method: str) -> None:
    """The first cancel is already being carried out."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    change = await sagas.cancel(parts, placed.order_id)

    async def again() -> None:
        assert (await sagas.cancel(parts, placed.order_id)).claim is None

    sagas.script.during[method] = again
    await sagas.drive(parts, change)
    history = await sagas.history(parts, placed.order_id)
    assert history[5:] == ["RefundStarted", "OrderRefunded"]

"""Every path of the checkout saga: its calls, their answers, and how the order ends."""

from datetime import timedelta

import grpc
import pytest
from tradepost.inventory.v1.inventory_service_pb2 import ReserveStockRequest

from services.order.domain.events import Cause, RefusalReason
from services.order.domain.state import Order, OrderState
from services.order.wire import requests
from tests.support.order.order_service import order_of
from tests.support.order.scripted_failures import PendingAnswer, RefusedCall
from tests.support.order.stepped_sagas import SteppedSagas

HAPPY = ["OrderPlaced", "StockReserved", "PaymentAuthorized", "CaptureRequested", "OrderConfirmed"]


async def finish(sagas: SteppedSagas, **asked: object) -> tuple[Order, list[str]]:
    """Place an order, drive it until nothing is left to do, and return it with its event names."""
    parts = await sagas.start()
    placed = await sagas.place(parts, **asked)  # type: ignore[arg-type]
    await sagas.drive(parts, placed)
    await sagas.drive_all(parts)
    order = await sagas.load(parts, placed.order_id)
    sagas.check_amounts(order)
    return order, await sagas.history(parts, placed.order_id)


async def test_an_order_is_confirmed_in_four_calls_and_four_writes(sagas: SteppedSagas) -> None:
    """Each of the four steps takes one call and one write; no lease is renewed or claimed."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    sagas.script.points.clear()
    await sagas.drive(parts, placed)
    assert sagas.script.points == [
        "before ReserveStock", "after ReserveStock", "before _settle", "after _settle",
        "before AuthorizePayment", "after AuthorizePayment", "before _settle", "after _settle",
        "before CommitReservation", "after CommitReservation", "before _settle", "after _settle",
        "before CapturePayment", "after CapturePayment", "before _settle", "after _settle",
    ]  # fmt: skip
    assert await sagas.history(parts, placed.order_id) == HAPPY
    assert await sagas.next_due(parts) is None
    sagas.check_amounts(await sagas.load(parts, placed.order_id))


@pytest.mark.parametrize(
    ("sku", "quantity", "reason"),
    [
        ("milk", 101, RefusalReason.INSUFFICIENT_STOCK),
        ("unicorn", 1, RefusalReason.UNKNOWN_SKU),
    ],
)
async def test_a_refused_reserve_rejects_without_another_call(
    sagas: SteppedSagas, sku: str, quantity: int, reason: RefusalReason
) -> None:
    """Nothing is held and payment was never called, so one write ends the order."""
    order, history = await finish(sagas, sku=sku, quantity=quantity)
    assert history == ["OrderPlaced", "CancellationStarted", "OrderRejected"]
    assert order.refusal is not None
    assert order.refusal.reason is reason
    assert [each.available_count for each in order.refusal.shortages] == [100] * (quantity > 100)
    assert (sagas.inventory.calls, sagas.payment.calls) == (["ReserveStock"], [])


async def test_a_decline_releases_and_does_not_void(sagas: SteppedSagas) -> None:
    """A stored refusal of a step makes its compensation unnecessary."""
    order, history = await finish(sagas, method="pm_declined")
    assert history == ["OrderPlaced", "StockReserved", "CancellationStarted", "OrderRejected"]
    assert order.refusal is not None
    assert order.refusal.reason is RefusalReason.PAYMENT_DECLINED
    assert order.refusal.facts == {"decline_code": "INSUFFICIENT_FUNDS"}
    assert sagas.payment.calls == ["AuthorizePayment"]
    assert sagas.inventory.calls == ["ReserveStock", "ReleaseReservation"]


async def test_more_than_a_million_of_one_item_are_reserved_in_several_lines(
    sagas: SteppedSagas,
) -> None:
    """The order sums its lines, but inventory takes at most a million units in a line."""
    sagas.inventory.stock["milk"] = 3_000_000
    parts = await sagas.start()
    request = order_of(quantity=1_000_000)
    request.lines.add(sku="milk", quantity=1_000_000)
    request.lines.add(sku="milk", quantity=3)
    place, order_id = parts.writes.place, sagas.ids.new("ord")
    placed = await parts.store.database.write(place, requests.create_order(request), order_id)
    await sagas.drive(parts, placed)
    ((_, asked),) = (
        (key, sent) for key, sent in sagas.inventory.requests.items() if key[0] == "ReserveStock"
    )
    lines = ReserveStockRequest.FromString(asked).lines
    assert [line.quantity for line in lines] == [1_000_000, 1_000_000, 3]
    order = await sagas.load(parts, order_id)
    assert (order.state, order.lines[0].quantity) == (OrderState.CONFIRMED, 2_000_003)


async def test_an_expired_hold_is_refused_at_the_commit(sagas: SteppedSagas) -> None:
    """The authorization is voided."""

    async def expire_hold() -> None:
        sagas.inventory.expire_holds()

    sagas.script.during["AuthorizePayment"] = expire_hold
    order, _ = await finish(sagas)
    assert order.state is OrderState.REJECTED
    assert order.refusal is not None
    assert order.refusal.reason is RefusalReason.RESERVATION_EXPIRED
    assert "VoidPayment" in sagas.payment.calls


async def test_a_failed_capture_voids_before_it_releases(sagas: SteppedSagas) -> None:
    """After the pivot the release waits for the final void."""
    sagas.script.fail("VoidPayment", PendingAnswer.PENDING, PendingAnswer.PENDING)
    order, history = await finish(sagas, method="pm_not_captured")
    assert history == [*HAPPY[:4], "CancellationStarted", "OrderRejected"]
    assert order.refusal is not None
    assert order.refusal.reason is RefusalReason.PAYMENT_NOT_CAPTURED
    assert order.refusal.facts == {"why": "NOT_CAPTURED"}
    assert sagas.payment.calls[-3:] == ["VoidPayment"] * 3
    calls = [point for point in sagas.script.points if point in RELEASE_AND_VOID]
    assert calls == ["after VoidPayment"] * 3 + ["after ReleaseReservation"]


RELEASE_AND_VOID = ("after VoidPayment", "after ReleaseReservation")


async def test_before_the_pivot_void_and_release_run_in_parallel(sagas: SteppedSagas) -> None:
    """A payment service that is slow must not keep the stock held."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    sagas.script.fail("AuthorizePayment", PendingAnswer.PENDING)
    sagas.script.fail("VoidPayment", PendingAnswer.PENDING)
    await sagas.drive(parts, placed)
    change = await sagas.cancel(parts, placed.order_id)
    await sagas.drive(parts, change)
    reservation = sagas.inventory.reservations[
        (await sagas.load(parts, placed.order_id)).reservation_id
    ]
    assert sagas.inventory.calls[-1] == "ReleaseReservation"
    assert sagas.inventory.stock["milk"] == 100, reservation
    assert (await sagas.load(parts, placed.order_id)).state is OrderState.CANCELLING
    await sagas.drive_all(parts)
    order = await sagas.load(parts, placed.order_id)
    assert order.state is OrderState.CANCELLED
    sagas.check_amounts(order)


@pytest.mark.parametrize(
    ("method", "step"),
    [
        ("ReserveStock", "reserve"),
        ("AuthorizePayment", "authorize"),
        ("CommitReservation", "commit"),
    ],
)
async def test_any_other_error_compensates_its_own_step_too(
    sagas: SteppedSagas, method: str, step: str
) -> None:
    """The order ends REJECTED with STEP_FAILED, and stays marked for review."""
    sagas.script.fail(method, RefusedCall(grpc.StatusCode.FAILED_PRECONDITION, "BROKEN"))
    order, history = await finish(sagas)
    assert order.state is OrderState.REJECTED
    assert order.needs_review
    assert order.refusal is not None
    assert order.refusal.facts == {"step": step, "reason": "BROKEN"}
    assert history[-3:] == ["CancellationStarted", "ReviewRequested", "OrderRejected"]
    assert "ReleaseReservation" in sagas.inventory.calls
    assert ("VoidPayment" in sagas.payment.calls) is (step != "reserve")


async def test_an_error_to_a_capture_is_not_evidence(sagas: SteppedSagas) -> None:
    """The order stays CAPTURING, needs review once, and the capture is retried slowly."""
    parts = await sagas.start()
    refused = RefusedCall(grpc.StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE_CONFLICT")
    sagas.script.fail("CapturePayment", refused, refused, refused)
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    started = sagas.clock.now()
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.CAPTURING, True)
    await sagas.drive_all(parts)
    assert sagas.clock.now() - started > timedelta(seconds=60)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.CONFIRMED, False)
    history = await sagas.history(parts, placed.order_id)
    assert history == [*HAPPY[:4], "ReviewRequested", "OrderConfirmed"]
    sagas.check_amounts(order)


async def test_the_pivot_is_not_passed_after_the_deadline(sagas: SteppedSagas) -> None:
    """A commit answered after the deadline cancels the order, without CaptureRequested."""
    parts = await sagas.start()
    placed = await sagas.place(parts)

    async def pass_time() -> None:
        await sagas.clock.advance(30)

    sagas.script.during["CommitReservation"] = pass_time
    await sagas.drive(parts, placed)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.cause) == (OrderState.CANCELLED, Cause.DEADLINE_PASSED)
    assert "CapturePayment" not in sagas.payment.calls
    sagas.check_amounts(order)


async def test_the_pivot_needs_an_authorization_that_lasts(sagas: SteppedSagas) -> None:
    """The expiry that the processor reports counts, not the requested one."""
    sagas.payment.authorized_for = timedelta(seconds=30)
    order, history = await finish(sagas)
    assert order.state is OrderState.CANCELLED
    assert "CaptureRequested" not in history


async def test_fulfilling_an_order_fulfills_its_reservation(sagas: SteppedSagas) -> None:
    """FULFILLING -> fulfill the reservation -> FULFILLED."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive(parts, await sagas.fulfill(parts, placed.order_id))
    order = await sagas.load(parts, placed.order_id)
    history = await sagas.history(parts, placed.order_id)
    assert history == [*HAPPY, "FulfillmentStarted", "OrderFulfilled"]
    assert await sagas.next_due(parts) is None
    sagas.check_amounts(order)


async def test_a_confirmed_order_that_is_cancelled_is_released_then_refunded(
    sagas: SteppedSagas,
) -> None:
    """The stock is released before the money is refunded."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    sagas.script.points.clear()
    await sagas.drive(parts, await sagas.cancel(parts, placed.order_id))
    order = await sagas.load(parts, placed.order_id)
    assert order.state is OrderState.REFUNDED
    calls = [point for point in sagas.script.points if "settle" not in point]
    assert calls[-4:] == [
        "before ReleaseReservation", "after ReleaseReservation",
        "before RefundPayment", "after RefundPayment",
    ]  # fmt: skip
    sagas.check_amounts(order)


async def test_a_failed_refund_waits_for_an_operator(sagas: SteppedSagas) -> None:
    """The same attempt is repeated, which changes nothing, until RetrySaga."""
    parts = await sagas.start()
    placed = await sagas.place(parts, method="pm_refund_refused")
    await sagas.drive(parts, placed)
    await sagas.drive(parts, await sagas.cancel(parts, placed.order_id))
    await sagas.drive_all(parts, at_most_s=300)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.REFUNDING, True)
    history = await sagas.history(parts, placed.order_id)
    assert history == [*HAPPY, "RefundStarted", "ReviewRequested"]
    assert (
        len({request for method, request in sagas.payment.requests if method == "RefundPayment"})
        == 1
    )

    retried = await sagas.retry(parts, placed.order_id)
    await sagas.drive(parts, retried.written)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.REFUNDED, False)
    assert order.attempt_of("refund") == 2
    assert (await sagas.history(parts, placed.order_id))[-2:] == ["StepRetried", "OrderRefunded"]
    sagas.check_amounts(order)

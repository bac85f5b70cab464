"""The checkout saga through every path: what is asked, what is answered, how it ends."""

from datetime import timedelta

import grpc
import pytest
from tradepost.inventory.v1.inventory_service_pb2 import ReserveStockRequest

from services.order.domain.events import Cause, RefusalReason
from services.order.domain.state import Order, OrderState
from services.order.wire import requests
from tests.support.order.order_service import order_of
from tests.support.order.scripted_failures import Refused, Undecided
from tests.support.order.stepped_sagas import Rig

HAPPY = ["OrderPlaced", "StockReserved", "PaymentAuthorized", "CaptureRequested", "OrderConfirmed"]


async def finish(rig: Rig, **asked: object) -> tuple[Order, list[str]]:
    """Place an order and drive it to rest; the order, and the names of its events."""
    parts = await rig.start()
    placed = await rig.place(parts, **asked)  # type: ignore[arg-type]
    await rig.drive(parts, placed)
    await rig.rest(parts)
    order = await rig.load(parts, placed.order_id)
    rig.check_books(order)
    return order, await rig.history(parts, placed.order_id)


async def test_an_order_is_confirmed_in_four_calls_and_four_writes(rig: Rig) -> None:
    """Reserve, authorize, commit, capture: one write a move, nothing renewed, nothing claimed."""
    parts = await rig.start()
    placed = await rig.place(parts)
    rig.script.points.clear()
    await rig.drive(parts, placed)
    assert rig.script.points == [
        "before ReserveStock", "after ReserveStock", "before _settle", "after _settle",
        "before AuthorizePayment", "after AuthorizePayment", "before _settle", "after _settle",
        "before CommitReservation", "after CommitReservation", "before _settle", "after _settle",
        "before CapturePayment", "after CapturePayment", "before _settle", "after _settle",
    ]  # fmt: skip
    assert await rig.history(parts, placed.order_id) == HAPPY
    assert await rig.next_due(parts) is None
    rig.check_books(await rig.load(parts, placed.order_id))


@pytest.mark.parametrize(
    ("sku", "quantity", "reason"),
    [
        ("milk", 101, RefusalReason.INSUFFICIENT_STOCK),
        ("unicorn", 1, RefusalReason.UNKNOWN_SKU),
    ],
)
async def test_a_refused_reserve_rejects_without_another_call(
    rig: Rig, sku: str, quantity: int, reason: RefusalReason
) -> None:
    """Nothing is held and payment was never asked: both facts are one write, and that is all."""
    order, history = await finish(rig, sku=sku, quantity=quantity)
    assert history == ["OrderPlaced", "CancellationStarted", "OrderRejected"]
    assert order.refusal is not None
    assert order.refusal.reason is reason
    assert [each.available_count for each in order.refusal.shortages] == [100] * (quantity > 100)
    assert (rig.inventory.calls, rig.payment.calls) == (["ReserveStock"], [])


async def test_a_decline_releases_and_does_not_void(rig: Rig) -> None:
    """Only a stored refusal spares its own step the compensation."""
    order, history = await finish(rig, method="pm_declined")
    assert history == ["OrderPlaced", "StockReserved", "CancellationStarted", "OrderRejected"]
    assert order.refusal is not None
    assert order.refusal.reason is RefusalReason.PAYMENT_DECLINED
    assert order.refusal.facts == {"decline_code": "INSUFFICIENT_FUNDS"}
    assert rig.payment.calls == ["AuthorizePayment"]
    assert rig.inventory.calls == ["ReserveStock", "ReleaseReservation"]


async def test_more_than_a_million_of_one_item_are_reserved_in_several_lines(rig: Rig) -> None:
    """The order sums its lines; inventory takes at most a million in one."""
    rig.inventory.stock["milk"] = 3_000_000
    parts = await rig.start()
    request = order_of(quantity=1_000_000)
    request.lines.add(sku="milk", quantity=1_000_000)
    request.lines.add(sku="milk", quantity=3)
    place, order_id = parts.writes.place, rig.ids.new("ord")
    placed = await parts.database.write(place, requests.create_order(request), order_id)
    await rig.drive(parts, placed)
    ((_, asked),) = (
        (key, sent) for key, sent in rig.inventory.requests.items() if key[0] == "ReserveStock"
    )
    lines = ReserveStockRequest.FromString(asked).lines
    assert [line.quantity for line in lines] == [1_000_000, 1_000_000, 3]
    order = await rig.load(parts, order_id)
    assert (order.state, order.lines[0].quantity) == (OrderState.CONFIRMED, 2_000_003)


async def test_a_hold_that_ran_out_is_refused_at_the_commit(rig: Rig) -> None:
    """The money that was set aside is let go."""

    async def hold_runs_out() -> None:
        rig.inventory.expire_holds()

    rig.script.during["AuthorizePayment"] = hold_runs_out
    order, _ = await finish(rig)
    assert order.state is OrderState.REJECTED
    assert order.refusal is not None
    assert order.refusal.reason is RefusalReason.RESERVATION_EXPIRED
    assert "VoidPayment" in rig.payment.calls


async def test_certainly_not_captured_voids_before_it_releases(rig: Rig) -> None:
    """After the pivot the release waits for the final void."""
    rig.script.fail("VoidPayment", Undecided.PENDING, Undecided.PENDING)
    order, history = await finish(rig, method="pm_not_captured")
    assert history == [*HAPPY[:4], "CancellationStarted", "OrderRejected"]
    assert order.refusal is not None
    assert order.refusal.reason is RefusalReason.PAYMENT_NOT_CAPTURED
    assert order.refusal.facts == {"why": "NOT_CAPTURED"}
    assert rig.payment.calls[-3:] == ["VoidPayment"] * 3
    calls = [point for point in rig.script.points if point in RELEASE_AND_VOID]
    assert calls == ["after VoidPayment"] * 3 + ["after ReleaseReservation"]


RELEASE_AND_VOID = ("after VoidPayment", "after ReleaseReservation")


async def test_before_the_pivot_void_and_release_go_out_together(rig: Rig) -> None:
    """Neither waits for the other: a payment that is slow must not hold the stock."""
    parts = await rig.start()
    placed = await rig.place(parts)
    rig.script.fail("AuthorizePayment", Undecided.PENDING)
    rig.script.fail("VoidPayment", Undecided.PENDING)
    await rig.drive(parts, placed)
    change = await rig.cancel(parts, placed.order_id)
    await rig.drive(parts, change)
    reservation = rig.inventory.reservations[
        (await rig.load(parts, placed.order_id)).reservation_id
    ]
    assert rig.inventory.calls[-1] == "ReleaseReservation"
    assert rig.inventory.stock["milk"] == 100, reservation
    assert (await rig.load(parts, placed.order_id)).state is OrderState.CANCELLING
    await rig.rest(parts)
    order = await rig.load(parts, placed.order_id)
    assert order.state is OrderState.CANCELLED
    rig.check_books(order)


@pytest.mark.parametrize(
    ("method", "step"),
    [
        ("ReserveStock", "reserve"),
        ("AuthorizePayment", "authorize"),
        ("CommitReservation", "commit"),
    ],
)
async def test_any_other_error_lets_its_own_step_go_as_well(
    rig: Rig, method: str, step: str
) -> None:
    """It ends REJECTED with STEP_FAILED, and stays marked for an operator."""
    rig.script.fail(method, Refused(grpc.StatusCode.FAILED_PRECONDITION, "BROKEN"))
    order, history = await finish(rig)
    assert order.state is OrderState.REJECTED
    assert order.needs_review
    assert order.refusal is not None
    assert order.refusal.facts == {"step": step, "reason": "BROKEN"}
    assert history[-3:] == ["CancellationStarted", "ReviewRequested", "OrderRejected"]
    assert "ReleaseReservation" in rig.inventory.calls
    assert ("VoidPayment" in rig.payment.calls) is (step != "reserve")


async def test_an_error_to_a_capture_is_not_evidence(rig: Rig) -> None:
    """The order stays CAPTURING, asks for an operator once, and is tried on slowly."""
    parts = await rig.start()
    refused = Refused(grpc.StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE_CONFLICT")
    rig.script.fail("CapturePayment", refused, refused, refused)
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    started = rig.clock.now()
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.CAPTURING, True)
    await rig.rest(parts)
    assert rig.clock.now() - started > timedelta(seconds=60)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.CONFIRMED, False)
    history = await rig.history(parts, placed.order_id)
    assert history == [*HAPPY[:4], "ReviewRequested", "OrderConfirmed"]
    rig.check_books(order)


async def test_the_pivot_waits_for_no_deadline(rig: Rig) -> None:
    """A commit that is answered after the deadline cancels: CaptureRequested is never appended."""
    parts = await rig.start()
    placed = await rig.place(parts)

    async def time_flies() -> None:
        await rig.clock.advance(30)

    rig.script.during["CommitReservation"] = time_flies
    await rig.drive(parts, placed)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.cause) == (OrderState.CANCELLED, Cause.DEADLINE_PASSED)
    assert "CapturePayment" not in rig.payment.calls
    rig.check_books(order)


async def test_the_pivot_needs_an_authorization_that_lasts(rig: Rig) -> None:
    """The processor's own expiry counts, not what was asked for."""
    rig.payment.authorized_for = timedelta(seconds=30)
    order, history = await finish(rig)
    assert order.state is OrderState.CANCELLED
    assert "CaptureRequested" not in history


async def test_a_fulfilled_order_has_left_the_building(rig: Rig) -> None:
    """FULFILLING -> fulfil the reservation -> FULFILLED."""
    parts = await rig.start()
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.drive(parts, await rig.fulfill(parts, placed.order_id))
    order = await rig.load(parts, placed.order_id)
    history = await rig.history(parts, placed.order_id)
    assert history == [*HAPPY, "FulfillmentStarted", "OrderFulfilled"]
    assert await rig.next_due(parts) is None
    rig.check_books(order)


async def test_a_confirmed_order_that_is_cancelled_is_released_then_refunded(rig: Rig) -> None:
    """Stock first, then the money."""
    parts = await rig.start()
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    rig.script.points.clear()
    await rig.drive(parts, await rig.cancel(parts, placed.order_id))
    order = await rig.load(parts, placed.order_id)
    assert order.state is OrderState.REFUNDED
    calls = [point for point in rig.script.points if "settle" not in point]
    assert calls[-4:] == [
        "before ReleaseReservation", "after ReleaseReservation",
        "before RefundPayment", "after RefundPayment",
    ]  # fmt: skip
    rig.check_books(order)


async def test_a_failed_refund_waits_for_an_operator(rig: Rig) -> None:
    """It is repeated under the same attempt, which changes nothing, until RetrySaga."""
    parts = await rig.start()
    placed = await rig.place(parts, method="pm_refund_refused")
    await rig.drive(parts, placed)
    await rig.drive(parts, await rig.cancel(parts, placed.order_id))
    await rig.rest(parts, at_most_s=300)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.REFUNDING, True)
    history = await rig.history(parts, placed.order_id)
    assert history == [*HAPPY, "RefundStarted", "ReviewRequested"]
    assert (
        len({request for method, request in rig.payment.requests if method == "RefundPayment"}) == 1
    )

    retried = await rig.retry(parts, placed.order_id)
    assert retried.written is not None
    await rig.drive(parts, retried.written)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.REFUNDED, False)
    assert order.attempt_of("refund") == 2
    assert (await rig.history(parts, placed.order_id))[-2:] == ["StepRetried", "OrderRefunded"]
    rig.check_books(order)

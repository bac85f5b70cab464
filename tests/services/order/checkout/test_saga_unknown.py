"""Unknown outcomes: a timeout is not a failure, and is not compensated like one."""

from datetime import timedelta

import grpc
import pytest

from services.chassis.saga.model import UNKNOWN_CODES
from services.order.domain.events import Cause
from services.order.domain.reviews import STEP_OVERDUE
from services.order.domain.state import OrderState, Review
from tests.support.order.scripted_failures import (
    Fault,
    ForeignError,
    LostAnswer,
    PendingAnswer,
    RefusedCall,
)
from tests.support.order.stepped_sagas import SteppedSagas

FORWARD = ("ReserveStock", "AuthorizePayment", "CommitReservation", "CapturePayment")
LOSSES: tuple[Fault, ...] = (
    LostAnswer.BEFORE,
    LostAnswer.AFTER,
    RefusedCall(grpc.StatusCode.ABORTED, "CONFLICT"),
    ForeignError(grpc.StatusCode.NOT_FOUND),
)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("method", FORWARD)
async def test_a_lost_answer_repeats_the_same_call(
    sagas: SteppedSagas, method: str, loss: Fault
) -> None:
    """The same step id and the same bytes have one effect, and the order is confirmed."""
    parts = await sagas.start()
    sagas.script.fail(method, loss, loss)
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive_all(parts)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.version) == (OrderState.CONFIRMED, 5)
    assert (sagas.inventory.calls + sagas.payment.calls).count(method) == 3
    sagas.check_amounts(order)


@pytest.mark.parametrize(
    ("method", "then"),
    [
        ("AuthorizePayment", "none"),
        ("CapturePayment", "none"),
        ("VoidPayment", "cancel before the pivot"),
        ("ReleaseReservation", "cancel before the pivot"),
        ("ReleaseReservation", "refund"),
        ("RefundPayment", "refund"),
        ("FulfillReservation", "fulfill"),
    ],
)
@pytest.mark.parametrize(
    "loss", [LostAnswer.BEFORE, LostAnswer.AFTER, PendingAnswer.PENDING], ids=str
)
async def test_every_other_step_repeats_until_it_answers(
    sagas: SteppedSagas, method: str, then: str, loss: Fault
) -> None:
    """Pending answers are unknown, too; compensations, refunds and fulfillment repeat for ever."""
    parts = await sagas.start()
    if loss is PendingAnswer.PENDING and method.endswith("Reservation"):
        loss = RefusedCall(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    sagas.script.fail(method, *[loss] * 3)
    if then == "cancel before the pivot":
        sagas.script.fail("AuthorizePayment", LostAnswer.AFTER)
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    match then:
        case "cancel before the pivot" | "refund":
            await sagas.drive(parts, await sagas.cancel(parts, placed.order_id))
        case "fulfill":
            await sagas.drive(parts, await sagas.fulfill(parts, placed.order_id))
    await sagas.drive_all(parts)
    order = await sagas.load(parts, placed.order_id)
    ends = {"none": OrderState.CONFIRMED, "refund": OrderState.REFUNDED}
    ends |= {"fulfill": OrderState.FULFILLED, "cancel before the pivot": OrderState.CANCELLED}
    assert order.state is ends[then]
    assert "ReviewRequested" not in await sagas.history(parts, placed.order_id)
    sagas.check_amounts(order)


@pytest.mark.parametrize("method", FORWARD[:3])
@pytest.mark.parametrize("loss", [LostAnswer.BEFORE, LostAnswer.AFTER], ids=str)
async def test_before_the_pivot_the_deadline_ends_the_repeating(
    sagas: SteppedSagas, method: str, loss: Fault
) -> None:
    """The order is cancelled, and the effects of its calls are compensated."""
    parts = await sagas.start()
    sagas.script.always[method] = loss
    placed = await sagas.place(parts)
    started = sagas.clock.now()
    await sagas.drive(parts, placed)
    await sagas.drive_all(parts)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.cause) == (OrderState.CANCELLED, Cause.DEADLINE_PASSED)
    took = sagas.clock.now() - started
    assert timedelta(seconds=30) <= took < timedelta(seconds=36)
    assert (sagas.inventory.calls + sagas.payment.calls).count(method) > 5
    sagas.check_amounts(order)


async def test_after_the_pivot_only_evidence_ends_the_repeating(sagas: SteppedSagas) -> None:
    """After an hour without an answer the order is still CAPTURING; then it is confirmed."""
    parts = await sagas.start()
    sagas.script.always["CapturePayment"] = LostAnswer.AFTER
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive_all(parts, at_most_s=1_500)
    assert (await sagas.load(parts, placed.order_id)).state is OrderState.CAPTURING
    del sagas.script.always["CapturePayment"]
    await sagas.drive_all(parts)
    order = await sagas.load(parts, placed.order_id)
    assert order.state is OrderState.CONFIRMED
    sagas.check_amounts(order)


async def test_the_order_ends_only_with_a_final_answer_of_payment(sagas: SteppedSagas) -> None:
    """A cancelled order stays CANCELLING until payment answers."""
    parts = await sagas.start()
    sagas.script.always["AuthorizePayment"] = LostAnswer.AFTER
    sagas.script.always["VoidPayment"] = PendingAnswer.PENDING
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive_all(parts, at_most_s=600)
    assert (await sagas.load(parts, placed.order_id)).state is OrderState.CANCELLING
    sagas.script.always.clear()
    await sagas.drive_all(parts)
    order = await sagas.load(parts, placed.order_id)
    assert order.state is OrderState.CANCELLED
    sagas.check_amounts(order)


async def test_an_outage_marks_nothing_for_review(sagas: SteppedSagas) -> None:
    """A step is overdue only while its participant answers other calls."""
    parts = await sagas.start()
    sagas.script.always["CapturePayment"] = LostAnswer.BEFORE
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive_all(parts, at_most_s=1_000)
    assert not (await sagas.load(parts, placed.order_id)).needs_review


async def test_a_step_that_hangs_alone_is_marked_and_progress_clears_it(
    sagas: SteppedSagas,
) -> None:
    """A step is overdue after five minutes while payment authorizes other orders."""
    parts = await sagas.start()
    sagas.script.always["CapturePayment"] = PendingAnswer.PENDING
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive_all(parts, at_most_s=290)
    assert not (await sagas.load(parts, placed.order_id)).needs_review
    other = await sagas.place(parts, method="pm_declined")
    await sagas.drive(parts, other)
    await sagas.drive_all(parts, at_most_s=40)
    order = await sagas.load(parts, placed.order_id)
    assert order.review == Review("capture", STEP_OVERDUE)
    lease = await parts.store.database.read(parts.store.leases.get, placed.order_id)
    assert lease is not None
    assert lease.needs_review
    sagas.script.always.clear()
    await sagas.drive_all(parts)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.CONFIRMED, False)


async def test_a_refused_void_of_an_authorized_payment_is_a_contradiction(
    sagas: SteppedSagas,
) -> None:
    """A conflict that the payment's state does not explain needs an operator.

    The void is retried slowly.
    """
    parts = await sagas.start()
    sagas.script.always["VoidPayment"] = RefusedCall(
        grpc.StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE_CONFLICT"
    )
    placed = await sagas.place(parts, method="pm_not_captured")
    await sagas.drive(parts, placed)
    await sagas.drive_all(parts, at_most_s=600)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.review) == (
        OrderState.CANCELLING,
        Review("void", "PAYMENT_STATE_CONFLICT"),
    )
    assert "ReleaseReservation" not in sagas.inventory.calls
    assert 10 < sagas.payment.calls.count("VoidPayment") < 40
    sagas.script.always.clear()
    await sagas.drive_all(parts)
    order = await sagas.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.REJECTED, False)


def test_the_codes_of_unknown_outcomes_are_those_of_the_contract() -> None:
    """Each of these codes may come after the effect, so none of them is an answer."""
    names = {code.name for code in UNKNOWN_CODES}
    assert names == {
        "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "CANCELLED", "INTERNAL", "UNKNOWN",
        "RESOURCE_EXHAUSTED",
    }  # fmt: skip

"""Unknown outcomes: a timeout is not a failure, and is never compensated as one."""

from datetime import timedelta

import grpc
import pytest

from services.chassis.saga.model import UNKNOWN_CODES
from services.order.domain.events import Cause
from services.order.domain.rules import STEP_OVERDUE
from services.order.domain.state import OrderState, Review
from tests.support.order.scripted_failures import Fault, Foreign, Lost, Refused, Undecided
from tests.support.order.stepped_sagas import Rig

FORWARD = ("ReserveStock", "AuthorizePayment", "CommitReservation", "CapturePayment")
LOSSES: tuple[Fault, ...] = (
    Lost.BEFORE,
    Lost.AFTER,
    Refused(grpc.StatusCode.ABORTED, "CONFLICT"),
    Foreign(grpc.StatusCode.NOT_FOUND),
)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("method", FORWARD)
async def test_a_lost_answer_repeats_the_same_call(rig: Rig, method: str, loss: Fault) -> None:
    """The same step id, the same bytes, one effect: the order is confirmed as if nothing was."""
    parts = await rig.start()
    rig.script.fail(method, loss, loss)
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.rest(parts)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.version) == (OrderState.CONFIRMED, 5)
    assert (rig.inventory.calls + rig.payment.calls).count(method) == 3
    rig.check_books(order)


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
@pytest.mark.parametrize("loss", [Lost.BEFORE, Lost.AFTER, Undecided.PENDING], ids=str)
async def test_every_other_step_repeats_until_it_answers(
    rig: Rig, method: str, then: str, loss: Fault
) -> None:
    """Undecided is unknown too; compensations, refunds and fulfilments repeat for ever."""
    parts = await rig.start()
    if loss is Undecided.PENDING and method.endswith("Reservation"):
        loss = Refused(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    rig.script.fail(method, *[loss] * 3)
    if then == "cancel before the pivot":
        rig.script.fail("AuthorizePayment", Lost.AFTER)
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    match then:
        case "cancel before the pivot" | "refund":
            await rig.drive(parts, await rig.cancel(parts, placed.order_id))
        case "fulfill":
            await rig.drive(parts, await rig.fulfill(parts, placed.order_id))
    await rig.rest(parts)
    order = await rig.load(parts, placed.order_id)
    ends = {"none": OrderState.CONFIRMED, "refund": OrderState.REFUNDED}
    ends |= {"fulfill": OrderState.FULFILLED, "cancel before the pivot": OrderState.CANCELLED}
    assert order.state is ends[then]
    assert "ReviewRequested" not in await rig.history(parts, placed.order_id)
    rig.check_books(order)


@pytest.mark.parametrize("method", FORWARD[:3])
@pytest.mark.parametrize("loss", [Lost.BEFORE, Lost.AFTER], ids=str)
async def test_before_the_pivot_the_deadline_ends_the_repeating(
    rig: Rig, method: str, loss: Fault
) -> None:
    """Then the order is cancelled, and whatever came of the calls is let go."""
    parts = await rig.start()
    rig.script.always[method] = loss
    placed = await rig.place(parts)
    started = rig.clock.now()
    await rig.drive(parts, placed)
    await rig.rest(parts)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.cause) == (OrderState.CANCELLED, Cause.DEADLINE_PASSED)
    took = rig.clock.now() - started
    assert timedelta(seconds=30) <= took < timedelta(seconds=36)
    assert (rig.inventory.calls + rig.payment.calls).count(method) > 5
    rig.check_books(order)


async def test_after_the_pivot_only_evidence_ends_the_repeating(rig: Rig) -> None:
    """An hour without an answer: the order is still CAPTURING, and then it is confirmed."""
    parts = await rig.start()
    rig.script.always["CapturePayment"] = Lost.AFTER
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.rest(parts, at_most_s=1_500)
    assert (await rig.load(parts, placed.order_id)).state is OrderState.CAPTURING
    del rig.script.always["CapturePayment"]
    await rig.rest(parts)
    order = await rig.load(parts, placed.order_id)
    assert order.state is OrderState.CONFIRMED
    rig.check_books(order)


async def test_the_order_ends_only_with_a_final_answer_of_payment(rig: Rig) -> None:
    """Cancelled in time, but payment doesn't answer: CANCELLING until it does."""
    parts = await rig.start()
    rig.script.always["AuthorizePayment"] = Lost.AFTER
    rig.script.always["VoidPayment"] = Undecided.PENDING
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.rest(parts, at_most_s=600)
    assert (await rig.load(parts, placed.order_id)).state is OrderState.CANCELLING
    rig.script.always.clear()
    await rig.rest(parts)
    order = await rig.load(parts, placed.order_id)
    assert order.state is OrderState.CANCELLED
    rig.check_books(order)


async def test_an_outage_marks_nothing_for_review(rig: Rig) -> None:
    """A step is overdue only while its participant answers others."""
    parts = await rig.start()
    rig.script.always["CapturePayment"] = Lost.BEFORE
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.rest(parts, at_most_s=1_000)
    assert not (await rig.load(parts, placed.order_id)).needs_review


async def test_a_step_that_hangs_alone_is_marked_and_progress_clears_it(rig: Rig) -> None:
    """Older than five minutes while payment authorizes others."""
    parts = await rig.start()
    rig.script.always["CapturePayment"] = Undecided.PENDING
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.rest(parts, at_most_s=290)
    assert not (await rig.load(parts, placed.order_id)).needs_review
    other = await rig.place(parts, method="pm_declined")
    await rig.drive(parts, other)
    await rig.rest(parts, at_most_s=40)
    order = await rig.load(parts, placed.order_id)
    assert order.review == Review("capture", STEP_OVERDUE)
    lease = await parts.database.read(parts.leases.get, placed.order_id)
    assert lease is not None
    assert lease.needs_review
    rig.script.always.clear()
    await rig.rest(parts)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.CONFIRMED, False)


async def test_a_void_of_what_was_captured_is_a_contradiction(rig: Rig) -> None:
    """Somebody captured behind our back: an operator looks, and we keep trying slowly."""
    parts = await rig.start()
    rig.script.always["VoidPayment"] = Refused(
        grpc.StatusCode.FAILED_PRECONDITION, "PAYMENT_STATE_CONFLICT"
    )
    placed = await rig.place(parts, method="pm_not_captured")
    await rig.drive(parts, placed)
    await rig.rest(parts, at_most_s=600)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.review) == (
        OrderState.CANCELLING,
        Review("void", "PAYMENT_STATE_CONFLICT"),
    )
    assert "ReleaseReservation" not in rig.inventory.calls
    assert 10 < rig.payment.calls.count("VoidPayment") < 40
    rig.script.always.clear()
    await rig.rest(parts)
    order = await rig.load(parts, placed.order_id)
    assert (order.state, order.needs_review) == (OrderState.REJECTED, False)


def test_the_codes_that_say_nothing_are_those_of_the_contract() -> None:
    """contracts.md, 'Evidence': every one of them may come after the effect."""
    names = {code.name for code in UNKNOWN_CODES}
    assert names == {
        "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "CANCELLED", "INTERNAL", "UNKNOWN",
        "RESOURCE_EXHAUSTED",
    }  # fmt: skip

"""Goods of a fulfilled order come back: stock first, then money, one return after the other."""

import grpc
import pytest

from services.order.domain.errors import (
    OrderNotCancellableError,
    OrderNotReturnableError,
    ReturnExceedsFulfilledError,
)
from services.order.domain.return_rules import RETURNS_MAX
from services.order.domain.state import Order, OrderState, ReturnState
from services.order.parts import Parts
from tests.support.order.fake_participants import UNIT_PRICE
from tests.support.order.scripted_failures import (
    ForeignError,
    LostAnswer,
    PendingAnswer,
    RefusedCall,
)
from tests.support.order.stepped_sagas import SteppedSagas

_UNKNOWN_OUTCOMES = [
    LostAnswer.BEFORE,
    LostAnswer.AFTER,
    ForeignError(grpc.StatusCode.FAILED_PRECONDITION),
]


async def fulfilled(sagas: SteppedSagas, parts: Parts, **of: str | int) -> str:
    """Drive an order until its goods have left."""
    placed = await sagas.place(parts, **of)  # type: ignore[arg-type]
    await sagas.drive(parts, placed)
    await sagas.drive(parts, await sagas.fulfill(parts, placed.order_id))
    return placed.order_id


def refunds(order: Order) -> list[int]:
    """The refund of each return, in units of goods."""
    return [each.refunded.minor_units // UNIT_PRICE for each in order.returns if each.refunded]


def refunded_units(order: Order) -> float:
    """Everything that was refunded, in units of goods."""
    return 0 if order.refunded is None else order.refunded.minor_units / UNIT_PRICE


async def test_a_part_comes_back_and_then_the_rest(sagas: SteppedSagas) -> None:
    """An order stays FULFILLED until all of it has come back; then it is RETURNED."""
    parts = await sagas.start()
    order_id = await fulfilled(sagas, parts, quantity=3)

    await sagas.drive(parts, await sagas.take_back(parts, order_id, milk=1))
    order = await sagas.load(parts, order_id)
    assert (order.state, refunded_units(order)) == (OrderState.FULFILLED, 1)
    sagas.check_amounts(order)

    await sagas.drive(parts, await sagas.take_back(parts, order_id))
    order = await sagas.load(parts, order_id)
    assert (order.state, refunded_units(order)) == (OrderState.RETURNED, 3)
    assert refunds(order) == [1, 2]
    assert [each.state for each in order.returns] == [ReturnState.RETURNED] * 2
    assert [each.reason for each in order.returns] == ["broken"] * 2
    assert await sagas.next_due(parts) is None
    history = await sagas.history(parts, order_id)
    assert history[-5:] == [
        "ReturnStarted",
        "ReturnCompleted",
        "ReturnStarted",
        "ReturnCompleted",
        "OrderReturned",
    ]
    sagas.check_amounts(order)


@pytest.mark.parametrize("method", ["ReturnStock", "RefundPayment"])
@pytest.mark.parametrize("fault", [*_UNKNOWN_OUTCOMES, PendingAnswer.PENDING], ids=str)
async def test_an_unknown_outcome_is_repeated(
    sagas: SteppedSagas, method: str, fault: LostAnswer | ForeignError | PendingAnswer
) -> None:
    """A lost answer or a pending refund moves stock and money once, under the same request id."""
    parts = await sagas.start()
    order_id = await fulfilled(sagas, parts)
    sagas.script.fail(method, fault, fault)

    await sagas.drive(parts, await sagas.take_back(parts, order_id))
    await sagas.drive_all(parts)

    order = await sagas.load(parts, order_id)
    assert (order.state, refunds(order)) == (OrderState.RETURNED, [2])
    sagas.check_amounts(order)


async def test_two_returns_of_the_same_units(sagas: SteppedSagas) -> None:
    """The second one of two concurrent returns is refused, although the first still runs."""
    first, second = await sagas.start("first"), await sagas.start("second")
    order_id = await fulfilled(sagas, first, quantity=3)
    running = await sagas.take_back(first, order_id, milk=2)

    with pytest.raises(ReturnExceedsFulfilledError) as refused:
        await sagas.take_back(second, order_id, milk=2)

    assert refused.value.facts["returnable"] == "1"
    await sagas.drive(first, running)
    order = await sagas.load(first, order_id)
    assert (order.state, refunds(order)) == (OrderState.FULFILLED, [2])
    sagas.check_amounts(order)


@pytest.mark.parametrize("method", ["ReturnStock", "RefundPayment"])
async def test_a_return_during_another_one(sagas: SteppedSagas, method: str) -> None:
    """A return that is asked for during a call of another one is carried out after it."""
    first, second = await sagas.start("first"), await sagas.start("second")
    order_id = await fulfilled(sagas, first, quantity=3)

    async def take_back() -> None:
        queued = await sagas.take_back(second, order_id, milk=2)
        assert queued.claim is None

    sagas.script.during[method] = take_back
    await sagas.drive(first, await sagas.take_back(first, order_id, milk=1))
    await sagas.drive_all(first)

    order = await sagas.load(first, order_id)
    assert (order.state, refunds(order)) == (OrderState.RETURNED, [1, 2])
    sagas.check_amounts(order)


async def test_what_cannot_come_back(sagas: SteppedSagas) -> None:
    """Only a fulfilled order can be returned, only its own items, and each unit once."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    with pytest.raises(OrderNotReturnableError):
        await sagas.take_back(parts, placed.order_id)
    await sagas.drive(parts, await sagas.fulfill(parts, placed.order_id))
    for units in ({"tea": 1}, {"milk": 3}, {"milk": 1, "tea": 1}):
        with pytest.raises(ReturnExceedsFulfilledError):
            await sagas.take_back(parts, placed.order_id, **units)
    assert (await sagas.load(parts, placed.order_id)).state is OrderState.FULFILLED

    await sagas.drive(parts, await sagas.take_back(parts, placed.order_id))
    with pytest.raises(OrderNotReturnableError):
        await sagas.take_back(parts, placed.order_id)
    with pytest.raises(OrderNotCancellableError):
        await sagas.cancel(parts, placed.order_id)


async def test_an_order_has_a_limited_number_of_returns(sagas: SteppedSagas) -> None:
    """An order takes no more than RETURNS_MAX returns, whether they are over or under way."""
    parts = await sagas.start()
    sagas.inventory.stock["milk"] += RETURNS_MAX
    order_id = await fulfilled(sagas, parts, quantity=RETURNS_MAX + 1)
    for _ in range(RETURNS_MAX):
        await sagas.take_back(parts, order_id, milk=1)
    with pytest.raises(OrderNotReturnableError):
        await sagas.take_back(parts, order_id, milk=1)


async def test_a_refused_refund_waits_for_an_operator(sagas: SteppedSagas) -> None:
    """The processor's refusal needs review; a retry refunds as a new attempt, the stock once."""
    parts = await sagas.start()
    order_id = await fulfilled(sagas, parts, method="pm_refund_refused")
    await sagas.drive(parts, await sagas.take_back(parts, order_id))
    order = await sagas.load(parts, order_id)
    assert (order.state, order.needs_review) == (OrderState.RETURNING, True)

    retried = await sagas.retry(parts, order_id)
    await sagas.drive(parts, retried.written)

    order = await sagas.load(parts, order_id)
    assert (order.state, order.needs_review) == (OrderState.RETURNED, False)
    sagas.check_amounts(order)


@pytest.mark.parametrize(("directly", "left"), [(50, [1.5]), (200, [0])])
async def test_a_return_after_a_direct_refund(
    sagas: SteppedSagas, directly: int, left: list[float]
) -> None:
    """A return refunds its price or what is left of the payment, and never more."""
    parts = await sagas.start()
    order_id = await fulfilled(sagas, parts)
    sagas.payment.refund_directly(order_id, directly)

    await sagas.drive(parts, await sagas.take_back(parts, order_id))
    await sagas.drive_all(parts)

    order = await sagas.load(parts, order_id)
    assert order.state is OrderState.RETURNED
    assert [each.refunded.minor_units / UNIT_PRICE for each in order.returns if each.refunded] == (
        left
    )
    payment = sagas.payment.of_order(order_id)
    assert payment is not None
    assert payment.refunded_amount == payment.captured_amount
    sagas.check_amounts(order)


async def test_inventory_without_the_method_is_waited_for(sagas: SteppedSagas) -> None:
    """An older inventory answers UNIMPLEMENTED: the return waits for a newer one."""
    parts = await sagas.start()
    order_id = await fulfilled(sagas, parts)
    older = ForeignError(grpc.StatusCode.UNIMPLEMENTED)
    sagas.script.fail("ReturnStock", *[older] * 5)

    await sagas.drive(parts, await sagas.take_back(parts, order_id))
    order = await sagas.load(parts, order_id)
    assert (order.state, order.needs_review) == (OrderState.RETURNING, False)
    await sagas.drive_all(parts)

    assert (await sagas.load(parts, order_id)).state is OrderState.RETURNED


async def test_goods_that_somebody_took_back_directly_are_not_asked_for_again(
    sagas: SteppedSagas,
) -> None:
    """A part of them needs an operator, who takes back the rest; then the money follows."""
    parts = await sagas.start()
    order_id = await fulfilled(sagas, parts, quantity=3)
    await sagas.take_back_directly(order_id, milk=2)

    await sagas.drive(parts, await sagas.take_back(parts, order_id))
    order = await sagas.load(parts, order_id)
    assert order.review is not None
    assert (order.review.step, order.review.reason) == ("restock", "RETURN_EXCEEDS_FULFILLED")

    await sagas.take_back_directly(order_id, milk=1)
    retried = await sagas.retry(parts, order_id)
    await sagas.drive(parts, retried.written)
    order = await sagas.load(parts, order_id)
    assert (order.state, refunded_units(order)) == (OrderState.RETURNED, 3)


async def test_goods_that_inventory_refuses_need_review(sagas: SteppedSagas) -> None:
    """When inventory refuses for good, nothing is refunded until an operator has helped."""
    parts = await sagas.start()
    order_id = await fulfilled(sagas, parts)
    refusal = RefusedCall(grpc.StatusCode.FAILED_PRECONDITION, "RETURN_EXCEEDS_FULFILLED")
    sagas.script.fail("ReturnStock", refusal)

    await sagas.drive(parts, await sagas.take_back(parts, order_id))
    order = await sagas.load(parts, order_id)
    assert order.review is not None
    assert (order.review.step, order.review.reason) == ("restock", "RETURN_EXCEEDS_FULFILLED")
    assert refunded_units(order) == 0

    retried = await sagas.retry(parts, order_id)
    await sagas.drive(parts, retried.written)
    assert (await sagas.load(parts, order_id)).state is OrderState.RETURNED

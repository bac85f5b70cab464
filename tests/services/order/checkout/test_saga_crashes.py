"""The process dies at every point between an intent and its result, and another one goes on."""

from collections.abc import Awaitable, Callable

import grpc
import pytest

from services.order.domain.state import OrderState
from tests.support.order.scripted_failures import (
    LostAnswer,
    PendingAnswer,
    ProcessDiedError,
    RefusedCall,
)
from tests.support.order.stepped_sagas import SteppedSagas

Scenario = Callable[[SteppedSagas], Awaitable[str]]


async def confirmed(sagas: SteppedSagas) -> str:
    """Drive an order that is confirmed."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    return placed.order_id


async def declined(sagas: SteppedSagas) -> str:
    """Drive an order whose payment is declined."""
    parts = await sagas.start()
    placed = await sagas.place(parts, method="pm_declined")
    await sagas.drive(parts, placed)
    return placed.order_id


async def refused(sagas: SteppedSagas) -> str:
    """Drive an order that is larger than the stock."""
    parts = await sagas.start()
    placed = await sagas.place(parts, quantity=1_000)
    await sagas.drive(parts, placed)
    return placed.order_id


async def not_captured(sagas: SteppedSagas) -> str:
    """Drive an order whose payment is certainly not captured."""
    parts = await sagas.start()
    placed = await sagas.place(parts, method="pm_not_captured")
    await sagas.drive(parts, placed)
    return placed.order_id


async def cancelled_in_checkout(sagas: SteppedSagas) -> str:
    """Drive an order that is cancelled while payment does not know the outcome."""
    parts = await sagas.start()
    sagas.script.fail("AuthorizePayment", PendingAnswer.PENDING)
    sagas.script.fail("VoidPayment", PendingAnswer.PENDING)
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive(parts, await sagas.cancel(parts, placed.order_id))
    await sagas.drive_all(parts)
    return placed.order_id


async def refunded(sagas: SteppedSagas) -> str:
    """Drive a confirmed order that is cancelled."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive(parts, await sagas.cancel(parts, placed.order_id))
    return placed.order_id


async def fulfilled(sagas: SteppedSagas) -> str:
    """Drive a confirmed order that is fulfilled after answers were lost."""
    parts = await sagas.start()
    sagas.script.fail("CapturePayment", LostAnswer.AFTER)
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive_all(parts)
    await sagas.drive(parts, await sagas.fulfill(parts, placed.order_id))
    return placed.order_id


async def returned(sagas: SteppedSagas) -> str:
    """Drive a fulfilled order of which a part comes back, and then the rest."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive(parts, await sagas.fulfill(parts, placed.order_id))
    await sagas.drive(parts, await sagas.take_back(parts, placed.order_id, milk=1))
    await sagas.drive(parts, await sagas.take_back(parts, placed.order_id))
    return placed.order_id


async def broken(sagas: SteppedSagas) -> str:
    """Drive an order whose commit is answered with an error."""
    parts = await sagas.start()
    sagas.script.fail(
        "CommitReservation", RefusedCall(grpc.StatusCode.FAILED_PRECONDITION, "BROKEN")
    )
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    return placed.order_id


async def dies(scenario: Awaitable[str]) -> bool:
    """Return whether the process died during a scenario, alone or together with its task group."""
    died = False
    try:
        await scenario
    except* ProcessDiedError:
        died = True
    return died


# Each scenario, the number of its points, and the final state of its order without a crash. A point
# is before or after the effect of a call, or before or after a COMMIT.
SCENARIOS: list[tuple[Scenario, int, OrderState]] = [
    (confirmed, 18, OrderState.CONFIRMED),
    (declined, 14, OrderState.REJECTED),
    (refused, 6, OrderState.REJECTED),
    (not_captured, 24, OrderState.REJECTED),
    (cancelled_in_checkout, 30, OrderState.CANCELLED),
    (refunded, 26, OrderState.REFUNDED),
    (fulfilled, 34, OrderState.FULFILLED),
    (returned, 40, OrderState.RETURNED),
    (broken, 19, OrderState.REJECTED),
]


@pytest.mark.parametrize(
    ("scenario", "points", "ends"), SCENARIOS, ids=lambda each: getattr(each, "__name__", None)
)
async def test_a_scenario_without_a_crash(
    sagas: SteppedSagas, scenario: Scenario, points: int, ends: OrderState
) -> None:
    """Each scenario passes the points at which the next test kills the process."""
    order_id = await scenario(sagas)
    assert len(sagas.script.points) == points
    parts = await sagas.start("second")
    order = await sagas.load(parts, order_id)
    assert order.state is ends
    sagas.check_amounts(order)


@pytest.mark.parametrize(
    ("scenario", "dies_at"),
    [(scenario, number) for scenario, points, _ in SCENARIOS for number in range(1, points + 1)],
    ids=lambda each: getattr(each, "__name__", each),
)
async def test_another_process_finishes_the_work_of_a_dead_one(
    sagas: SteppedSagas, scenario: Scenario, dies_at: int
) -> None:
    """After the lease has expired no order is lost, charged twice or held for ever."""
    sagas.script.dies_at = dies_at
    assert await dies(scenario(sagas))
    parts = await sagas.start("second")
    await sagas.drive_all(parts)
    for order_id in await sagas.order_ids(parts):
        order = await sagas.load(parts, order_id)
        sagas.check_amounts(order)
        assert order.is_settled
        assert not order.review
    if dies_at > 2:
        assert await sagas.order_ids(parts)

"""The process dies between an intent and its result, at every point there is; another goes on."""

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

Story = Callable[[SteppedSagas], Awaitable[str]]


async def confirmed(sagas: SteppedSagas) -> str:
    """An order that goes through."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    return placed.order_id


async def declined(sagas: SteppedSagas) -> str:
    """An order whose payment is declined."""
    parts = await sagas.start()
    placed = await sagas.place(parts, method="pm_declined")
    await sagas.drive(parts, placed)
    return placed.order_id


async def refused(sagas: SteppedSagas) -> str:
    """An order that is too large."""
    parts = await sagas.start()
    placed = await sagas.place(parts, quantity=1_000)
    await sagas.drive(parts, placed)
    return placed.order_id


async def not_captured(sagas: SteppedSagas) -> str:
    """An order whose payment is certainly not captured."""
    parts = await sagas.start()
    placed = await sagas.place(parts, method="pm_not_captured")
    await sagas.drive(parts, placed)
    return placed.order_id


async def cancelled_on_the_way(sagas: SteppedSagas) -> str:
    """An order that is cancelled while payment is not sure."""
    parts = await sagas.start()
    sagas.script.fail("AuthorizePayment", PendingAnswer.PENDING)
    sagas.script.fail("VoidPayment", PendingAnswer.PENDING)
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive(parts, await sagas.cancel(parts, placed.order_id))
    await sagas.rest(parts)
    return placed.order_id


async def refunded(sagas: SteppedSagas) -> str:
    """A confirmed order that is sent back."""
    parts = await sagas.start()
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.drive(parts, await sagas.cancel(parts, placed.order_id))
    return placed.order_id


async def fulfilled(sagas: SteppedSagas) -> str:
    """A confirmed order that leaves the building, after answers were lost."""
    parts = await sagas.start()
    sagas.script.fail("CapturePayment", LostAnswer.AFTER)
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    await sagas.rest(parts)
    await sagas.drive(parts, await sagas.fulfill(parts, placed.order_id))
    return placed.order_id


async def broken(sagas: SteppedSagas) -> str:
    """An order whose commit is refused with an error."""
    parts = await sagas.start()
    sagas.script.fail(
        "CommitReservation", RefusedCall(grpc.StatusCode.FAILED_PRECONDITION, "BROKEN")
    )
    placed = await sagas.place(parts)
    await sagas.drive(parts, placed)
    return placed.order_id


async def dies(story: Awaitable[str]) -> bool:
    """Whether a process died in the story, alone or with the task that it was in."""
    died = False
    try:
        await story
    except* ProcessDiedError:
        died = True
    return died


# Each story, the number of its points, and how its order ends when nothing kills it. A point is
# before or after each call's effect, and before or after each COMMIT.
STORIES: list[tuple[Story, int, OrderState]] = [
    (confirmed, 18, OrderState.CONFIRMED),
    (declined, 14, OrderState.REJECTED),
    (refused, 6, OrderState.REJECTED),
    (not_captured, 24, OrderState.REJECTED),
    (cancelled_on_the_way, 30, OrderState.CANCELLED),
    (refunded, 26, OrderState.REFUNDED),
    (fulfilled, 34, OrderState.FULFILLED),
    (broken, 19, OrderState.REJECTED),
]


@pytest.mark.parametrize(
    ("story", "points", "ends"), STORIES, ids=lambda each: getattr(each, "__name__", None)
)
async def test_a_story_without_a_death(
    sagas: SteppedSagas, story: Story, points: int, ends: OrderState
) -> None:
    """The points at which the next test kills it."""
    order_id = await story(sagas)
    assert len(sagas.script.points) == points
    parts = await sagas.start("second")
    order = await sagas.load(parts, order_id)
    assert order.state is ends
    sagas.check_books(order)


@pytest.mark.parametrize(
    ("story", "dies_at"),
    [(story, number) for story, points, _ in STORIES for number in range(1, points + 1)],
    ids=lambda each: getattr(each, "__name__", each),
)
async def test_whoever_comes_next_finishes_what_a_dead_process_began(
    sagas: SteppedSagas, story: Story, dies_at: int
) -> None:
    """Once its lease has run out: no order is lost, nothing is charged twice or held for ever."""
    sagas.script.dies_at = dies_at
    assert await dies(story(sagas))
    parts = await sagas.start("second")
    await sagas.rest(parts)
    for order_id in await sagas.order_ids(parts):
        order = await sagas.load(parts, order_id)
        sagas.check_books(order)
        assert order.is_settled
        assert not order.review
    if dies_at > 2:
        assert await sagas.order_ids(parts)

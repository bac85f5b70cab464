"""The process dies between an intent and its result, at every point there is; another goes on."""

from collections.abc import Awaitable, Callable

import grpc
import pytest

from services.order.domain.state import OrderState
from tests.support.order.scripted_failures import DiedError, Lost, Refused, Undecided
from tests.support.order.stepped_sagas import Rig

Story = Callable[[Rig], Awaitable[str]]


async def confirmed(rig: Rig) -> str:
    """An order that goes through."""
    parts = await rig.start()
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    return placed.order_id


async def declined(rig: Rig) -> str:
    """An order whose payment is declined."""
    parts = await rig.start()
    placed = await rig.place(parts, method="pm_declined")
    await rig.drive(parts, placed)
    return placed.order_id


async def refused(rig: Rig) -> str:
    """An order that is too large."""
    parts = await rig.start()
    placed = await rig.place(parts, quantity=1_000)
    await rig.drive(parts, placed)
    return placed.order_id


async def not_captured(rig: Rig) -> str:
    """An order whose payment is certainly not captured."""
    parts = await rig.start()
    placed = await rig.place(parts, method="pm_not_captured")
    await rig.drive(parts, placed)
    return placed.order_id


async def cancelled_on_the_way(rig: Rig) -> str:
    """An order that is cancelled while payment is not sure."""
    parts = await rig.start()
    rig.script.fail("AuthorizePayment", Undecided.PENDING)
    rig.script.fail("VoidPayment", Undecided.PENDING)
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.drive(parts, await rig.cancel(parts, placed.order_id))
    await rig.rest(parts)
    return placed.order_id


async def refunded(rig: Rig) -> str:
    """A confirmed order that is sent back."""
    parts = await rig.start()
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.drive(parts, await rig.cancel(parts, placed.order_id))
    return placed.order_id


async def fulfilled(rig: Rig) -> str:
    """A confirmed order that leaves the building, after answers were lost."""
    parts = await rig.start()
    rig.script.fail("CapturePayment", Lost.AFTER)
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    await rig.rest(parts)
    await rig.drive(parts, await rig.fulfill(parts, placed.order_id))
    return placed.order_id


async def broken(rig: Rig) -> str:
    """An order whose commit is refused with an error."""
    parts = await rig.start()
    rig.script.fail("CommitReservation", Refused(grpc.StatusCode.FAILED_PRECONDITION, "BROKEN"))
    placed = await rig.place(parts)
    await rig.drive(parts, placed)
    return placed.order_id


async def dies(story: Awaitable[str]) -> bool:
    """Whether a process died in the story, alone or with the task that it was in."""
    died = False
    try:
        await story
    except* DiedError:
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
    rig: Rig, story: Story, points: int, ends: OrderState
) -> None:
    """The points at which the next test kills it."""
    order_id = await story(rig)
    assert len(rig.script.points) == points
    parts = await rig.start("second")
    order = await rig.load(parts, order_id)
    assert order.state is ends
    rig.check_books(order)


@pytest.mark.parametrize(
    ("story", "dies_at"),
    [(story, number) for story, points, _ in STORIES for number in range(1, points + 1)],
    ids=lambda each: getattr(each, "__name__", each),
)
async def test_whoever_comes_next_finishes_what_a_dead_process_began(
    rig: Rig, story: Story, dies_at: int
) -> None:
    """Once its lease has run out: no order is lost, nothing is charged twice or held for ever."""
    rig.script.dies_at = dies_at
    assert await dies(story(rig))
    parts = await rig.start("second")
    await rig.rest(parts)
    for order_id in await rig.order_ids(parts):
        order = await rig.load(parts, order_id)
        rig.check_books(order)
        assert order.is_settled
        assert not order.review
    if dies_at > 2:
        assert await rig.order_ids(parts)

"""Whatever goes wrong, in whatever order: the books balance, and nothing is left over.

Each example is a script: how answers get lost, when somebody cancels, when the process dies. What
comes of it is judged from the participants alone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.chassis.work.lease import StaleLeaseError
from services.order.checkout.checkout_leases import WrittenOrder
from services.order.domain.errors import OrderNotCancellableError, OrderNotFulfillableError
from services.order.domain.state import OrderState
from services.order.parts import Parts
from tests.support.order.scripted_failures import (
    Fault,
    ForeignError,
    LostAnswer,
    PendingAnswer,
    ProcessDiedError,
    RefusedCall,
)
from tests.support.order.stepped_sagas import SteppedSagas
from tests.support.store.databases import POSTGRESQL, SQLITE, databases_of

FORWARD = ("ReserveStock", "AuthorizePayment", "CommitReservation", "CapturePayment")
AFTERWARDS = ("VoidPayment", "ReleaseReservation", "RefundPayment", "FulfillReservation")
PAYMENT_METHODS = ("pm_visa", "pm_declined", "pm_not_captured")

faults = st.sampled_from(
    [
        LostAnswer.BEFORE,
        LostAnswer.AFTER,
        PendingAnswer.PENDING,
        ForeignError(grpc.StatusCode.FAILED_PRECONDITION),
        RefusedCall(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
    ]
)


@dataclass(frozen=True)
class Mishaps:
    """What goes wrong with one order."""

    payment_method: str
    faults: dict[str, list[Fault]]
    broken: str | None
    wish_during: tuple[str, str] | None
    wish_afterwards: str | None
    dies_at: int | None
    time_flies_s: int


mishaps = st.builds(
    Mishaps,
    payment_method=st.sampled_from(PAYMENT_METHODS),
    faults=st.dictionaries(
        st.sampled_from(FORWARD + AFTERWARDS), st.lists(faults, max_size=4), max_size=4
    ),
    broken=st.one_of(st.none(), st.sampled_from(FORWARD[:3])),
    wish_during=st.one_of(
        st.none(), st.tuples(st.sampled_from(FORWARD), st.sampled_from(["cancel", "sleep"]))
    ),
    wish_afterwards=st.sampled_from([None, "cancel", "fulfill"]),
    dies_at=st.one_of(st.none(), st.integers(min_value=3, max_value=40)),
    time_flies_s=st.integers(min_value=0, max_value=40),
)


@pytest.mark.parametrize(("kind", "examples"), [(SQLITE, 60), (POSTGRESQL, 20)])
def test_the_books_balance_whatever_happens(
    kind: str, examples: int, request: pytest.FixtureRequest
) -> None:
    """Every order ends, or is CONFIRMED; nothing is charged twice, held for ever or lost."""

    @given(happens=mishaps)
    @settings(max_examples=examples, suppress_health_check=[HealthCheck.too_slow])
    def try_out(happens: Mishaps) -> None:
        with databases_of(kind, lambda: request.getfixturevalue("postgres_pool")) as databases:
            asyncio.run(_play(SteppedSagas(databases), happens))

    try_out()


async def _play(sagas: SteppedSagas, happens: Mishaps) -> None:
    try:
        await _place_and_judge(sagas, happens)
    finally:
        await sagas.close()


async def _place_and_judge(sagas: SteppedSagas, happens: Mishaps) -> None:
    parts = await sagas.start("first")
    placed = await sagas.place(parts, method=happens.payment_method)
    _line_up(sagas, parts, placed, happens)
    await _drive(sagas, parts, placed)
    survivor = await sagas.start("second")
    sagas.script.dies_at = None
    await sagas.rest(survivor)
    await _wish(sagas, survivor, placed.order_id, happens.wish_afterwards)
    await sagas.rest(survivor)
    order = await sagas.load(survivor, placed.order_id)
    assert order.is_settled
    sagas.check_books(order)
    _check_story(await sagas.history(survivor, placed.order_id), order.state)


def _line_up(sagas: SteppedSagas, parts: Parts, placed: WrittenOrder, happens: Mishaps) -> None:
    for method, lined_up in happens.faults.items():
        sagas.script.fail(method, *lined_up)
    if happens.broken is not None:
        sagas.script.fail(
            happens.broken, RefusedCall(grpc.StatusCode.FAILED_PRECONDITION, "BROKEN")
        )
    sagas.script.dies_at = happens.dies_at
    if happens.wish_during is None:
        return
    method, wish = happens.wish_during

    async def comes_about() -> None:
        if wish == "cancel":
            await sagas.cancel(parts, placed.order_id)
        await sagas.clock.advance(happens.time_flies_s)

    sagas.script.during[method] = comes_about


async def _drive(sagas: SteppedSagas, parts: Parts, placed: WrittenOrder) -> None:
    try:
        await sagas.drive(parts, placed)
        await sagas.rest(parts, at_most_s=5)
    except* (ProcessDiedError, StaleLeaseError):
        # The process is gone, or slept through its lease: either way another goes on.
        pass


async def _wish(sagas: SteppedSagas, parts: Parts, order_id: str, wish: str | None) -> None:
    try:
        match wish:
            case "cancel":
                await sagas.cancel(parts, order_id)
            case "fulfill":
                await sagas.fulfill(parts, order_id)
    except (OrderNotCancellableError, OrderNotFulfillableError):
        return


def _check_story(events: Sequence[str], state: OrderState) -> None:
    """Captured at most once, and only behind the pivot; nothing follows a final event."""
    assert events.count("CaptureRequested") <= 1
    assert events.count("OrderConfirmed") <= events.count("CaptureRequested")
    finals = {"OrderRejected", "OrderCancelled", "OrderFulfilled", "OrderRefunded"}
    ended = [index for index, name in enumerate(events) if name in finals]
    assert ended in ([], [len(events) - 1])
    assert bool(ended) == (state is not OrderState.CONFIRMED)

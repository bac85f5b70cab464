"""Random failures in random order: the amounts agree at the end, and no work is left over.

Each example is a script: which answers are lost, when the customer cancels, when the process dies.
The result is checked against the participants.
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
    """The failures of one order."""

    payment_method: str
    faults: dict[str, list[Fault]]
    broken: str | None
    command_during: tuple[str, str] | None
    command_afterwards: str | None
    dies_at: int | None
    time_flies_s: int


mishaps = st.builds(
    Mishaps,
    payment_method=st.sampled_from(PAYMENT_METHODS),
    faults=st.dictionaries(
        st.sampled_from(FORWARD + AFTERWARDS), st.lists(faults, max_size=4), max_size=4
    ),
    broken=st.one_of(st.none(), st.sampled_from(FORWARD[:3])),
    command_during=st.one_of(
        st.none(), st.tuples(st.sampled_from(FORWARD), st.sampled_from(["cancel", "sleep"]))
    ),
    command_afterwards=st.sampled_from([None, "cancel", "fulfill"]),
    dies_at=st.one_of(st.none(), st.integers(min_value=3, max_value=40)),
    time_flies_s=st.integers(min_value=0, max_value=40),
)


@pytest.mark.parametrize(("kind", "examples"), [(SQLITE, 60), (POSTGRESQL, 20)])
def test_the_amounts_agree_after_any_failures(
    kind: str, examples: int, request: pytest.FixtureRequest
) -> None:
    """Every order ends or is CONFIRMED; none is charged twice, held for ever or lost."""

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
    await sagas.drive_all(survivor)
    await _ask(sagas, survivor, placed.order_id, happens.command_afterwards)
    await sagas.drive_all(survivor)
    order = await sagas.load(survivor, placed.order_id)
    assert order.is_settled
    sagas.check_amounts(order)
    _check_history(await sagas.history(survivor, placed.order_id), order.state)


def _line_up(sagas: SteppedSagas, parts: Parts, placed: WrittenOrder, happens: Mishaps) -> None:
    for method, lined_up in happens.faults.items():
        sagas.script.fail(method, *lined_up)
    if happens.broken is not None:
        sagas.script.fail(
            happens.broken, RefusedCall(grpc.StatusCode.FAILED_PRECONDITION, "BROKEN")
        )
    sagas.script.dies_at = happens.dies_at
    if happens.command_during is None:
        return
    method, command = happens.command_during

    async def comes_about() -> None:
        if command == "cancel":
            await sagas.cancel(parts, placed.order_id)
        await sagas.clock.advance(happens.time_flies_s)

    sagas.script.during[method] = comes_about


async def _drive(sagas: SteppedSagas, parts: Parts, placed: WrittenOrder) -> None:
    try:
        await sagas.drive(parts, placed)
        await sagas.drive_all(parts, at_most_s=5)
    except* (ProcessDiedError, StaleLeaseError):
        # The process died, or its lease expired: in both cases another process goes on.
        pass


async def _ask(sagas: SteppedSagas, parts: Parts, order_id: str, command: str | None) -> None:
    try:
        match command:
            case "cancel":
                await sagas.cancel(parts, order_id)
            case "fulfill":
                await sagas.fulfill(parts, order_id)
    except (OrderNotCancellableError, OrderNotFulfillableError):
        return


def _check_history(events: Sequence[str], state: OrderState) -> None:
    """An order is captured at most once and only after the pivot; no event follows a final one."""
    assert events.count("CaptureRequested") <= 1
    assert events.count("OrderConfirmed") <= events.count("CaptureRequested")
    finals = {"OrderRejected", "OrderCancelled", "OrderFulfilled", "OrderRefunded"}
    ended = [index for index, name in enumerate(events) if name in finals]
    assert ended in ([], [len(events) - 1])
    assert bool(ended) == (state is not OrderState.CONFIRMED)

"""Leases on orders: one instance drives an order at a time, and never with an old token."""

from typing import Any

import pytest

from services.chassis.work.lease import StaleLeaseError
from services.order.checkout.checkout_leases import WrittenOrder
from services.order.domain.errors import SagaNotFoundError, SagaNotRetryableError
from services.order.domain.state import OrderState
from services.order.settings import SagaSettings
from services.order.store.tables import CHECKOUT_LEASE
from tests.support.order.scripted_failures import PendingAnswer
from tests.support.order.stepped_sagas import SteppedSagas


@pytest.mark.parametrize(
    "method", ["ReserveStock", "AuthorizePayment", "CommitReservation", "CapturePayment"]
)
async def test_an_owner_that_slept_through_its_lease_cannot_write(
    sagas: SteppedSagas, method: str
) -> None:
    """Another instance has finished the order meanwhile, so the late write is refused."""
    first = await sagas.start("first")
    second = await sagas.start("second")
    placed = await sagas.place(first)

    async def sleeps_while_another_finishes() -> None:
        await sagas.clock.advance(10.1)
        await sagas.drive_all(second)

    sagas.script.during[method] = sleeps_while_another_finishes
    with pytest.raises(StaleLeaseError):
        await sagas.drive(first, placed)
    order = await sagas.load(first, placed.order_id)
    assert (order.state, order.version) == (OrderState.CONFIRMED, 5)
    sagas.check_amounts(order)


@pytest.mark.parametrize(
    ("method", "version"),
    [("ReserveStock", 1), ("AuthorizePayment", 2), ("CommitReservation", 3), ("CapturePayment", 4)],
)
async def test_a_lost_lease_is_noticed_before_anything_is_appended(
    sagas: SteppedSagas, method: str, version: int
) -> None:
    """A successor that has only claimed the order already keeps the former owner from writing."""
    first = await sagas.start("first")
    second = await sagas.start("second")
    placed = await sagas.place(first)

    async def sleeps_while_another_claims() -> None:
        await sagas.clock.advance(10.1)
        assert await second.store.database.write(second.store.leases.claim_due, CHECKOUT_LEASE, 10)

    sagas.script.during[method] = sleeps_while_another_claims
    with pytest.raises(StaleLeaseError):
        await sagas.drive(first, placed)
    assert (await sagas.load(first, placed.order_id)).version == version
    await sagas.drive_all(second)
    sagas.check_amounts(await sagas.load(second, placed.order_id))


async def test_a_held_lease_cannot_be_claimed(sagas: SteppedSagas) -> None:
    """A second instance claims nothing while the lease lasts."""
    first = await sagas.start("first")
    second = await sagas.start("second")
    await sagas.place(first)
    assert (
        await second.store.database.write(second.store.leases.claim_due, CHECKOUT_LEASE, 10) == ()
    )
    await sagas.clock.advance(10.1)
    (claim,) = await second.store.database.write(second.store.leases.claim_due, CHECKOUT_LEASE, 10)
    await second.runner.drive(claim)
    assert await sagas.next_due(second) is None


async def test_a_slow_saga_renews_its_lease_in_its_own_writes(sagas: SteppedSagas) -> None:
    """Four slow steps outlast a lease, and no extra write is made for renewing it."""
    parts = await sagas.start()
    rival = await sagas.start("rival")
    placed = await sagas.place(parts)
    sagas.script.points.clear()

    async def takes_long() -> None:
        await sagas.clock.advance(2.9)
        assert (
            await rival.store.database.write(rival.store.leases.claim_due, CHECKOUT_LEASE, 10) == ()
        )

    for method in ("ReserveStock", "AuthorizePayment", "CommitReservation", "CapturePayment"):
        sagas.script.during[method] = takes_long
    await sagas.drive(parts, placed)
    order = await sagas.load(parts, placed.order_id)
    assert order.state is OrderState.CONFIRMED
    assert "before renew" not in sagas.script.points


async def test_a_lease_is_renewed_between_slow_stages(sagas: SteppedSagas) -> None:
    """The void takes six seconds; the release after it is still called by the same owner."""
    parts = await sagas.start()
    placed = await sagas.place(parts, method="pm_not_captured")

    async def takes_long() -> None:
        await sagas.clock.advance(6)

    sagas.script.during["VoidPayment"] = takes_long
    await sagas.drive(parts, placed)
    assert "after renew" in sagas.script.points
    order = await sagas.load(parts, placed.order_id)
    assert order.state is OrderState.REJECTED


async def test_a_draining_instance_leaves_new_work_to_others(sagas: SteppedSagas) -> None:
    """New work gets a free lease that any other instance can claim at once."""
    first = await sagas.start("first")
    second = await sagas.start("second")
    await first.driver.drain()
    placed = await sagas.place(first)
    assert placed.claim is None
    await sagas.drive_all(second)
    assert (await sagas.load(second, placed.order_id)).state is OrderState.CONFIRMED


async def test_a_draining_instance_finishes_its_step_and_stops(sagas: SteppedSagas) -> None:
    """The answer of the running step is recorded; another instance takes the next step."""
    first = await sagas.start("first")
    placed = await sagas.place(first)

    async def stop() -> None:
        await first.driver.drain()

    sagas.script.during["AuthorizePayment"] = stop
    await sagas.drive(first, placed)
    assert (await sagas.load(first, placed.order_id)).state is OrderState.COMMITTING
    await sagas.drive_all(await sagas.start("second"))
    sagas.check_amounts(await sagas.load(first, placed.order_id))


async def test_a_retry_claims_a_waiting_saga_and_refuses_a_running_one(sagas: SteppedSagas) -> None:
    """A running saga answers SAGA_NOT_RETRYABLE, a finished one SAGA_NOT_FOUND."""
    parts = await sagas.start()
    sagas.script.fail("CapturePayment", *[PendingAnswer.PENDING] * 4)
    placed = await sagas.place(parts)
    with pytest.raises(SagaNotRetryableError) as refused:
        await sagas.retry(parts, placed.order_id)
    assert refused.value.facts["step"] == "reserve"
    await sagas.drive(parts, placed)
    retried = await sagas.retry(parts, placed.order_id)
    assert isinstance(retried.written, WrittenOrder)
    await sagas.drive(parts, retried.written)
    assert sagas.payment.calls.count("CapturePayment") == 2
    await sagas.drive_all(parts)
    with pytest.raises(SagaNotFoundError):
        await sagas.retry(parts, placed.order_id)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"hold_ttl_s": 94.9}, "hold_ttl_s"),
        ({"deadline_s": 60}, "hold_ttl_s"),
        ({"clock_skew_s": 31}, "hold_ttl_s"),
        ({"authorization_ttl_s": 60}, "authorization_ttl_s"),
        ({"step_timeout_s": 5}, "step_timeout_s"),
        ({"hold_ttl_s": 3_601}, "hold_ttl_s"),
    ],
)
def test_contradictory_settings_stop_the_start(wrong: dict[str, Any], named: str) -> None:
    """A hold must last for the deadline, the compensation margin and the clock skew."""
    with pytest.raises(ValueError, match=f"(?i){named}"):
        SagaSettings(**wrong)
    assert SagaSettings(hold_ttl_s=95).terms.hold_ttl.total_seconds() == 95

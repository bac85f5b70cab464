"""Who drives an order: one at a time, whoever it is, and never with an old token."""

from typing import Any

import pytest

from services.chassis.work.lease import StaleLeaseError
from services.order.checkout.checkout_leases import WrittenOrder
from services.order.domain.errors import SagaNotFoundError, SagaNotRetryableError
from services.order.domain.state import OrderState
from services.order.settings import SagaSettings
from services.order.store.tables import CHECKOUT_LEASE
from tests.support.order.scripted_failures import Undecided
from tests.support.order.stepped_sagas import Rig


@pytest.mark.parametrize(
    "method", ["ReserveStock", "AuthorizePayment", "CommitReservation", "CapturePayment"]
)
async def test_an_owner_that_slept_through_its_lease_cannot_write(rig: Rig, method: str) -> None:
    """Another one finished the order meanwhile; what the sleeper wakes up with is refused."""
    first = await rig.start("first")
    second = await rig.start("second")
    placed = await rig.place(first)

    async def sleeps_while_another_finishes() -> None:
        await rig.clock.advance(10.1)
        await rig.rest(second)

    rig.script.during[method] = sleeps_while_another_finishes
    with pytest.raises(StaleLeaseError):
        await rig.drive(first, placed)
    order = await rig.load(first, placed.order_id)
    assert (order.state, order.version) == (OrderState.CONFIRMED, 5)
    rig.check_books(order)


@pytest.mark.parametrize(
    ("method", "version"),
    [("ReserveStock", 1), ("AuthorizePayment", 2), ("CommitReservation", 3), ("CapturePayment", 4)],
)
async def test_a_lost_lease_is_noticed_before_anything_is_appended(
    rig: Rig, method: str, version: int
) -> None:
    """The successor has claimed, and done nothing yet: the sleeper's answer is its to record."""
    first = await rig.start("first")
    second = await rig.start("second")
    placed = await rig.place(first)

    async def sleeps_while_another_claims() -> None:
        await rig.clock.advance(10.1)
        assert await second.database.write(second.leases.claim_due, CHECKOUT_LEASE, 10)

    rig.script.during[method] = sleeps_while_another_claims
    with pytest.raises(StaleLeaseError):
        await rig.drive(first, placed)
    assert (await rig.load(first, placed.order_id)).version == version
    await rig.rest(second)
    rig.check_books(await rig.load(second, placed.order_id))


async def test_nobody_drives_what_another_holds(rig: Rig) -> None:
    """A second instance claims nothing while the lease lasts."""
    first = await rig.start("first")
    second = await rig.start("second")
    await rig.place(first)
    assert await second.database.write(second.leases.claim_due, CHECKOUT_LEASE, 10) == ()
    await rig.clock.advance(10.1)
    (claim,) = await second.database.write(second.leases.claim_due, CHECKOUT_LEASE, 10)
    await second.runner.drive(claim)
    assert await rig.next_due(second) is None


async def test_a_slow_saga_renews_its_lease_in_the_writes_of_its_moves(rig: Rig) -> None:
    """Four slow steps outlast a lease; no write is made for renewing alone."""
    parts = await rig.start()
    rival = await rig.start("rival")
    placed = await rig.place(parts)
    rig.script.points.clear()

    async def takes_long() -> None:
        await rig.clock.advance(2.9)
        assert await rival.database.write(rival.leases.claim_due, CHECKOUT_LEASE, 10) == ()

    for method in ("ReserveStock", "AuthorizePayment", "CommitReservation", "CapturePayment"):
        rig.script.during[method] = takes_long
    await rig.drive(parts, placed)
    order = await rig.load(parts, placed.order_id)
    assert order.state is OrderState.CONFIRMED
    assert "before renew" not in rig.script.points


async def test_stages_that_outlast_half_a_lease_renew_it_between(rig: Rig) -> None:
    """The void takes six seconds, and the release that waits for it is still ours to call."""
    parts = await rig.start()
    placed = await rig.place(parts, method="pm_not_captured")

    async def takes_long() -> None:
        await rig.clock.advance(6)

    rig.script.during["VoidPayment"] = takes_long
    await rig.drive(parts, placed)
    assert "after renew" in rig.script.points
    order = await rig.load(parts, placed.order_id)
    assert order.state is OrderState.REJECTED


async def test_a_draining_instance_leaves_new_work_to_others(rig: Rig) -> None:
    """The row is written unleased: due at once, for anybody."""
    first = await rig.start("first")
    second = await rig.start("second")
    await first.driver.drain()
    placed = await rig.place(first)
    assert placed.claim is None
    await rig.rest(second)
    assert (await rig.load(second, placed.order_id)).state is OrderState.CONFIRMED


async def test_a_draining_instance_finishes_its_step_and_stops(rig: Rig) -> None:
    """What was answered is recorded; the next step is another's."""
    first = await rig.start("first")
    placed = await rig.place(first)

    async def is_told_to_stop() -> None:
        await first.driver.drain()

    rig.script.during["AuthorizePayment"] = is_told_to_stop
    await rig.drive(first, placed)
    assert (await rig.load(first, placed.order_id)).state is OrderState.COMMITTING
    await rig.rest(await rig.start("second"))
    rig.check_books(await rig.load(first, placed.order_id))


async def test_a_retry_takes_what_waits_and_refuses_what_runs(rig: Rig) -> None:
    """SAGA_NOT_RETRYABLE while somebody is at it, SAGA_NOT_FOUND when nothing is left."""
    parts = await rig.start()
    rig.script.fail("CapturePayment", *[Undecided.PENDING] * 4)
    placed = await rig.place(parts)
    with pytest.raises(SagaNotRetryableError) as refused:
        await rig.retry(parts, placed.order_id)
    assert refused.value.facts["step"] == "reserve"
    await rig.drive(parts, placed)
    retried = await rig.retry(parts, placed.order_id)
    assert isinstance(retried.written, WrittenOrder)
    await rig.drive(parts, retried.written)
    assert rig.payment.calls.count("CapturePayment") == 2
    await rig.rest(parts)
    with pytest.raises(SagaNotFoundError):
        await rig.retry(parts, placed.order_id)


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
def test_settings_that_cannot_be_right_stop_the_start(wrong: dict[str, Any], named: str) -> None:
    """hold TTL >= saga deadline + compensation margin + clock skew, and what follows from it."""
    with pytest.raises(ValueError, match=named):
        SagaSettings(**wrong)
    assert SagaSettings(hold_ttl_s=95).terms.hold_ttl.total_seconds() == 95

"""The simulated processor has one effect per key and answers as the payment method says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from services.chassis.domain.money import Money
from services.payment.domain.commands import (
    Authorized,
    Captured,
    Declined,
    Evidence,
    Expired,
    NotCaptured,
    Refunded,
    RefundRefused,
    Voided,
)
from services.payment.domain.state import DeclineCode
from services.payment.processor.port import (
    Processor,
    ProcessorContradictionError,
    ProcessorUnavailableError,
)
from services.payment.processor.simulated.adapter import (
    SLOW_S,
    SimulatedProcessor,
    open_simulated_processor,
)
from services.payment.processor.simulated.entry_table import EntryKind
from tests.support.clock.manual_clock import ManualClock

PRICE = Money("USD", 1000)
WEEK = timedelta(days=7)


@pytest.fixture
def clock() -> ManualClock:
    """The processor's clock."""
    return ManualClock()


@pytest_asyncio.fixture
async def both(
    tmp_path: Path, clock: ManualClock
) -> AsyncIterator[tuple[SimulatedProcessor, SimulatedProcessor]]:
    """Two instances of the processor on one file."""
    url = f"sqlite:///{tmp_path / 'processor.db'}"
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(open_simulated_processor(url, clock=clock, owner=name))
            for name in ("one", "two")
        ]
        yield one, two


@pytest.fixture
def processor(both: tuple[SimulatedProcessor, SimulatedProcessor]) -> SimulatedProcessor:
    """One instance of the processor."""
    return both[0]


async def authorize(
    processor: Processor, method: str = "pm_visa", *, key: str = "a1", minor_units: int = 1000
) -> Evidence:
    """Set 10.00 USD aside for a week."""
    return await processor.authorize(
        key=key,
        order_id="ord_1",
        amount=Money("USD", minor_units),
        payment_method=method,
        expire_after=WEEK,
    )


async def approved(processor: Processor, method: str = "pm_visa", *, key: str = "a1") -> str:
    """The reference of an authorization."""
    answer = await authorize(processor, method, key=key)
    assert isinstance(answer, Authorized)
    return answer.reference


async def capture(processor: Processor, reference: str, *, key: str = "c1") -> Evidence:
    """Capture it."""
    return await processor.capture(key=key, authorization_reference=reference, amount=PRICE)


async def void(processor: Processor, reference: str = "", *, key: str = "v1") -> Evidence:
    """Void it."""
    return await processor.void(key=key, authorize_key="a1", authorization_reference=reference)


async def refund(
    processor: Processor, reference: str, minor_units: int = 1000, *, key: str = "r1"
) -> Evidence:
    """Refund it."""
    return await processor.refund(
        key=key, authorization_reference=reference, amount=Money("USD", minor_units)
    )


async def kinds(processor: SimulatedProcessor) -> list[EntryKind]:
    """The kinds of entries that the processor has stored."""
    return [entry.kind for entry in await processor.entries(0, 100)]


@pytest.mark.parametrize("method", ["pm_visa", "pm_mastercard"])
async def test_cards_that_are_good_are_approved(
    processor: SimulatedProcessor, clock: ManualClock, method: str
) -> None:
    """An approved authorization expires after the requested time."""
    answer = await authorize(processor, method)

    assert isinstance(answer, Authorized)
    assert answer.expire_time == clock.now() + WEEK


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("pm_insufficient_funds", DeclineCode.INSUFFICIENT_FUNDS),
        ("pm_expired_card", DeclineCode.EXPIRED_CARD),
        ("pm_lost_card", DeclineCode.LOST_OR_STOLEN),
        ("pm_fraud", DeclineCode.SUSPECTED_FRAUD),
        ("pm_do_not_honor", DeclineCode.DO_NOT_HONOR),
        ("pm_of_a_friend", DeclineCode.UNKNOWN_METHOD),
    ],
)
async def test_cards_that_are_not_are_declined(
    processor: SimulatedProcessor, method: str, code: DeclineCode
) -> None:
    """A decline has a code and is final for its key."""
    assert await authorize(processor, method) == Declined(code)
    assert await authorize(processor, method) == Declined(code)
    assert await kinds(processor) == [EntryKind.DECLINED]


async def test_a_key_has_one_effect_on_every_instance(
    both: tuple[SimulatedProcessor, SimulatedProcessor],
) -> None:
    """A repeated call gets the first answer, from either instance."""
    one, two = both
    reference = await approved(one)

    assert await approved(two) == reference
    assert await capture(one, reference) == await capture(two, reference) == Captured()
    assert await refund(one, reference, 400) == await refund(two, reference, 400)
    assert await kinds(two) == [EntryKind.AUTHORIZED, EntryKind.CAPTURED, EntryKind.REFUNDED]


async def test_one_key_may_serve_different_methods(processor: SimulatedProcessor) -> None:
    """One key has one effect per method."""
    reference = await approved(processor, key="a1")

    assert await capture(processor, reference, key="a1") == Captured()
    assert await refund(processor, reference, key="a1") == Refunded("a1")


async def test_what_was_captured_is_not_captured_again(processor: SimulatedProcessor) -> None:
    """Captured money cannot be captured under another key, and cannot be voided."""
    reference = await approved(processor)
    await capture(processor, reference)

    assert await capture(processor, reference, key="c2") == NotCaptured("already_captured")
    with pytest.raises(ProcessorContradictionError):
        await void(processor, reference)


async def test_what_was_voided_is_not_captured(processor: SimulatedProcessor) -> None:
    """A repeated void gets the same answer."""
    reference = await approved(processor)

    assert await void(processor, reference) == Voided()
    assert await void(processor, reference, key="v2") == Voided()
    assert await capture(processor, reference) == Voided()
    assert await kinds(processor) == [EntryKind.AUTHORIZED, EntryKind.VOIDED]


async def test_a_void_fences_an_authorize_that_never_came(processor: SimulatedProcessor) -> None:
    """A late authorize sets nothing aside, and no entry shows moved money."""
    assert await void(processor) == Voided()
    assert await authorize(processor) == Voided()
    assert await void(processor, key="v2") == Voided()
    assert await kinds(processor) == []


async def test_no_more_goes_back_than_was_captured(processor: SimulatedProcessor) -> None:
    """Refunds above the captured amount are refused for good."""
    reference = await approved(processor)
    before = await refund(processor, reference, key="r0")
    await capture(processor, reference)

    assert before == RefundRefused("r0", "exceeds_captured")
    assert await refund(processor, reference, 600) == Refunded("r1")
    assert await refund(processor, reference, 600, key="r2") == RefundRefused(
        "r2", "exceeds_captured"
    )
    assert await refund(processor, reference, 400, key="r3") == Refunded("r3")


async def test_an_authorization_runs_out_by_the_processors_clock(
    processor: SimulatedProcessor, clock: ManualClock
) -> None:
    """An authorization of pm_expiring expires after a second; capture and void then say so."""
    reference = await approved(processor, "pm_expiring")
    await clock.advance(1.0)

    assert await capture(processor, reference) == Expired()
    assert await capture(processor, reference) == Expired()
    assert await void(processor, reference) == Expired()
    assert await kinds(processor) == [EntryKind.AUTHORIZED, EntryKind.EXPIRED]


async def test_a_void_can_find_it_run_out(
    processor: SimulatedProcessor, clock: ManualClock
) -> None:
    """Contradicting calls get the answer of what ended the authorization."""
    reference = await approved(processor, "pm_expiring")
    await clock.advance(1.0)

    assert await void(processor, reference) == Expired()
    assert await void(processor, reference) == Expired()


async def test_captures_and_refunds_can_be_scripted_to_be_refused(
    processor: SimulatedProcessor,
) -> None:
    """A scripted refusal leaves the money where it is."""
    refused = await approved(processor, "pm_capture_declined", key="a1")
    kept = await approved(processor, "pm_refund_declined", key="a2")
    await capture(processor, kept, key="c2")

    assert await capture(processor, refused) == NotCaptured("capture_declined")
    assert await void(processor, refused) == Voided()
    assert await refund(processor, kept) == RefundRefused("r1", "refund_declined")


async def test_unavailable_before_has_no_effect_yet(
    both: tuple[SimulatedProcessor, SimulatedProcessor],
) -> None:
    """Two calls of each key fail on any instance; the third is answered."""
    one, two = both
    for processor in (one, two):
        with pytest.raises(ProcessorUnavailableError):
            await authorize(processor, "pm_unavailable_before")
    assert await kinds(one) == []
    reference = await approved(one, "pm_unavailable_before")
    for processor in (one, two):
        with pytest.raises(ProcessorUnavailableError):
            await capture(processor, reference)
    assert await capture(two, reference) == Captured()


async def test_unavailable_after_has_its_effect(
    both: tuple[SimulatedProcessor, SimulatedProcessor],
) -> None:
    """The answer of the first call is lost after its effect; the second call gets it."""
    one, two = both
    with pytest.raises(ProcessorUnavailableError):
        await authorize(one, "pm_unavailable_after")
    assert await kinds(two) == [EntryKind.AUTHORIZED]
    reference = await approved(two, "pm_unavailable_after")
    with pytest.raises(ProcessorUnavailableError):
        await void(two, reference)
    assert await void(one, reference) == Voided()
    assert await kinds(one) == [EntryKind.AUTHORIZED, EntryKind.VOIDED]


async def test_slow_takes_its_time(processor: SimulatedProcessor, clock: ManualClock) -> None:
    """A slow answer takes its time by the given clock."""
    answer = asyncio.create_task(authorize(processor, "pm_slow"))
    await clock.advance(SLOW_S - 0.1)
    assert not answer.done()
    await clock.advance(0.1)

    assert isinstance(await answer, Authorized)


async def test_an_authorization_that_nobody_knows_is_a_contradiction(
    processor: SimulatedProcessor,
) -> None:
    """An unknown authorization, or one of another amount, is a contradiction and no evidence."""
    reference = await approved(processor)
    with pytest.raises(ProcessorContradictionError):
        await capture(processor, "sim_nobody")
    with pytest.raises(ProcessorContradictionError):
        await processor.capture(key="c1", authorization_reference=reference, amount=Money("USD", 1))

"""The checkout saga through every path: what is asked, what is answered, how it ends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from services.order.state import OrderState
from tests.order.rig import Rig


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A shop with nobody in it."""
    rig = Rig(tmp_path)
    yield rig
    await rig.close()


async def test_an_order_is_confirmed_in_four_calls_and_five_commits(rig: Rig) -> None:
    """Reserve, authorize, commit, capture: one write a move, nothing renewed, nothing claimed."""
    parts = await rig.start()
    placed = await rig.place(parts)
    rig.script.points.clear()
    await rig.drive(parts, placed)
    order = await rig.load(parts, placed.order_id)
    assert order.state is OrderState.CONFIRMED
    assert rig.script.points == [
        "before ReserveStock", "after ReserveStock", "before _settle", "after _settle",
        "before AuthorizePayment", "after AuthorizePayment", "before _settle", "after _settle",
        "before CommitReservation", "after CommitReservation", "before _settle", "after _settle",
        "before CapturePayment", "after CapturePayment", "before _settle", "after _settle",
    ]  # fmt: skip
    assert await rig.history(parts, placed.order_id) == [
        "OrderPlaced",
        "StockReserved",
        "PaymentAuthorized",
        "CaptureRequested",
        "OrderConfirmed",
    ]
    assert await rig.next_due(parts) is None
    rig.check_books(order)

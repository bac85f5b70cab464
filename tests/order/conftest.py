"""What the tests of orders share: a shop in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.order.rig import Rig


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A shop with nobody in it."""
    rig = Rig(tmp_path)
    yield rig
    await rig.close()

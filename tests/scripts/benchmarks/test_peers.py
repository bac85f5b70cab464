"""How the peers are driven; their speed is measured, not tested."""

import asyncio
import sys
from collections.abc import Sequence

import pytest

from scripts.benchmarks.peers import engines
from scripts.benchmarks.shared.contender import OrderFailedError
from tests.support.limits import WAIT_S

# A saga ends only when a second one runs, so both were under way at once.
PEER = """
import asyncio
from scripts.benchmarks.peers.line_protocol import serve

async def main():
    both = asyncio.Barrier(2)
    await serve(lambda order_id: both.wait())

asyncio.run(main())
"""
CRASH = "import sys; print('ready', flush=True); sys.stdin.readline()"


def command(program: str) -> Sequence[str]:
    return [sys.executable, "-c", program, "a", "peer"]


async def test_a_peer_has_all_its_sagas_under_way_at_once() -> None:
    """A peer runs all its sagas at once, and answers each of them."""
    async with engines._running([command(PEER)]) as (worker,):
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(worker.place("one"), worker.place("two"))

        assert not worker.waiting


async def test_a_peer_that_ends_is_no_figure() -> None:
    """When a peer ends, the orders that wait for it fail."""
    async with engines._running([command(CRASH)]) as (worker,):
        with pytest.raises(OrderFailedError, match="ended"):
            await worker.place("one")


async def test_a_peer_that_does_not_start_is_named() -> None:
    """A peer that doesn't start is an error with its name."""
    with pytest.raises(engines.PeerMissingError, match="peer didn't start"):
        async with engines._running([command("print('no')")]):
            pass

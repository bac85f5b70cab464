"""Who comes together is served together, and answered one by one."""

import asyncio
from collections.abc import Sequence

import pytest

from services.chassis.work.batching import Batcher


class Desk:
    """Serves items once it is open; notes who was served together."""

    def __init__(self) -> None:
        self.served: list[list[str]] = []
        self.begun, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()
        self.gathering = Batcher(self._serve, max_items=3)

    async def _serve(self, items: Sequence[str]) -> list[Exception | None]:
        self.served.append(list(items))
        self.begun.set()
        await self.open.wait()
        if "fire" in items:
            raise OSError("the desk burns")
        return [ValueError(item) if item.startswith("bad") else None for item in items]

    def comes(self, *items: str) -> list[asyncio.Task[None]]:
        """Callers, all at the same time."""
        return [asyncio.ensure_future(self.gathering.join(item)) for item in items]


async def answers(callers: Sequence[asyncio.Task[None]]) -> list[str]:
    """What each of them was told: nothing, or the text of an error."""
    found = await asyncio.gather(*callers, return_exceptions=True)
    return ["" if answer is None else str(answer) for answer in found]


async def test_who_comes_together_is_served_together() -> None:
    """At most as many as may; the others are next, in the order in which they came."""
    desk = Desk()
    assert await answers(desk.comes("a", "b", "c", "d")) == ["", "", "", ""]
    assert desk.served == [["a", "b", "c"], ["d"]]


async def test_each_has_its_own_answer() -> None:
    """One item's fault is its caller's alone."""
    assert await answers(Desk().comes("a", "bad", "c")) == ["", "bad", ""]


async def test_what_fails_as_a_whole_fails_for_all_and_only_this_time() -> None:
    """Whoever comes later is served."""
    desk = Desk()
    assert await answers(desk.comes("a", "fire")) == ["the desk burns"] * 2
    assert await answers(desk.comes("b")) == [""]


async def test_who_left_before_the_turn_is_skipped() -> None:
    """Nothing is done for a caller who is gone; after its turn, it is done all the same."""
    desk = Desk()
    desk.open.clear()
    (first,) = desk.comes("first")
    await desk.begun.wait()
    waiting = desk.comes("gone", "there")
    first.cancel()
    waiting[0].cancel()
    desk.open.set()
    with pytest.raises(asyncio.CancelledError):
        await first
    await waiting[1]
    assert desk.served == [["first"], ["there"]]

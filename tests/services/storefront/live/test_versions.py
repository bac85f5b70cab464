"""A live stream tells every version once, whatever happens to the instances behind it."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import grpc
import pytest
from tradepost.order.v1 import order_service_pb2 as rpc

from services.storefront.live.versions import Watch, WatchCall, versions
from tests.support.clock.manual_clock import ManualClock
from tests.support.storefront.order_messages import told

Code = grpc.StatusCode
PATIENCE_S = 30.0


class ScriptedWatch:
    """Each watch tells some versions, and then ends or breaks off; the last one is repeated.

    A version is told only to who doesn't know it, unless the instance is one that repeats itself.
    """

    def __init__(self, *script: tuple[Sequence[int], Code | None], repeats: bool = False) -> None:
        self._script = script
        self._repeats = repeats
        self.asked_after: list[int] = []

    def __call__(self, after_version: int) -> WatchCall:
        number = min(len(self.asked_after), len(self._script) - 1)
        self.asked_after.append(after_version)
        numbers, code = self._script[number]
        known = 0 if self._repeats else after_version
        return cast(WatchCall, ScriptedCall([each for each in numbers if each > known], code))


class ScriptedCall:
    """One watch."""

    def __init__(self, numbers: Sequence[int], code: Code | None) -> None:
        self._numbers = numbers
        self._code = code

    async def __aiter__(self) -> AsyncIterator[rpc.WatchOrderResponse]:
        for number in self._numbers:
            yield told(number)
        if self._code is not None:
            metadata = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(self._code, metadata, metadata, "scripted")

    def cancel(self) -> bool:
        """Nothing is left to cancel."""
        return True


async def told_by(watch: Watch, clock: ManualClock, *, after_version: int = 0) -> list[int]:
    """The versions that a stream tells."""
    rng = random.Random(1)
    stream = versions(
        watch, after_version=after_version, patience_s=PATIENCE_S, clock=clock, rng=rng
    )
    return [message.version async for message in stream]


async def running(clock: ManualClock, stream: Any) -> Any:
    """Let time pass until a stream has ended; return or raise what it did."""
    task = asyncio.ensure_future(stream)
    while not task.done():
        await clock.advance(0.5)
    return task.result()


async def test_a_stream_goes_on_after_the_last_version() -> None:
    """Three instances die; each next one is asked for what is not known yet."""
    clock = ManualClock()
    watch = ScriptedWatch(
        ([1, 2], Code.UNAVAILABLE),
        ([1, 2, 3], Code.INTERNAL),
        ([], Code.UNAVAILABLE),
        ([1, 2, 3, 4, 5], None),
    )

    assert await running(clock, told_by(watch, clock)) == [1, 2, 3, 4, 5]
    assert watch.asked_after == [0, 2, 3, 3]


async def test_a_version_is_not_told_twice() -> None:
    """Not even by an instance that begins from the start."""
    clock = ManualClock()
    watch = ScriptedWatch(([1, 2], Code.UNAVAILABLE), ([1, 2, 3], None), repeats=True)

    assert await running(clock, told_by(watch, clock)) == [1, 2, 3]


async def test_a_stream_begins_after_what_the_client_knows() -> None:
    """Nothing before it is asked for."""
    clock = ManualClock()
    watch = ScriptedWatch(([3, 4], None))

    assert await running(clock, told_by(watch, clock, after_version=2)) == [3, 4]
    assert watch.asked_after == [2]


@pytest.mark.parametrize(
    "code", [Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.UNAUTHENTICATED, Code.OUT_OF_RANGE]
)
async def test_an_answer_that_all_would_give_ends_the_stream(code: Code) -> None:
    """It is asked for once."""
    clock = ManualClock()
    watch = ScriptedWatch(([1], code))

    with pytest.raises(grpc.aio.AioRpcError):
        await running(clock, told_by(watch, clock))
    assert len(watch.asked_after) == 1


async def test_patience_ends_when_nobody_can_be_watched() -> None:
    """The stream breaks off, so that the client comes again, perhaps to another storefront."""
    clock = ManualClock()
    watch = ScriptedWatch(([1], Code.UNAVAILABLE), ([], Code.UNAVAILABLE))

    with pytest.raises(grpc.aio.AioRpcError):
        await running(clock, told_by(watch, clock))
    assert PATIENCE_S <= clock.monotonic() < 2 * PATIENCE_S
    assert len(watch.asked_after) < 40

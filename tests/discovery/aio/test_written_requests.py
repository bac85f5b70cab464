"""Requests that a caller writes one by one, below an interceptor."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from discovery.aio.request_stream import WrittenRequests


class Call:
    """A call under way, with what it will call back."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[Any], None]] = []
        self.is_over = False

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self.callbacks.append(callback)

    def done(self) -> bool:
        return self.is_over

    def end(self) -> None:
        self.is_over = True
        for callback in self.callbacks:
            callback(self)


async def test_a_long_stream_leaves_nothing_behind_for_each_request() -> None:
    """A call forgets no callback before its end, so the whole stream has one."""
    call: Any = Call()
    written = WrittenRequests()
    written.carried_by(call)
    taken = aiter(written)
    for number in range(5):
        assert (await asyncio.gather(anext(taken), written.write(number)))[0] == number

    assert len(call.callbacks) == 1


async def test_whoever_writes_learns_that_the_call_has_ended() -> None:
    """A request that nobody takes any more is not waited for."""
    call: Any = Call()
    written = WrittenRequests()
    written.carried_by(call)
    await written.write("taken later")
    waiting = asyncio.ensure_future(written.write("never taken"))
    await asyncio.sleep(0)
    call.end()

    with pytest.raises(asyncio.InvalidStateError):
        await waiting

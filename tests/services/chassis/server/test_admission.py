"""A server limits the calls that it works on at once, and refuses the others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.chassis.request.slot import slot_released
from services.chassis.server.layers.admission import Admission
from tests.support.chassis.echo_service import echo_server, path
from tests.support.chassis.rich_status import refusal
from tests.support.clock.manual_clock import ManualClock

Code = grpc.StatusCode


class Gate:
    """A handler that counts its calls, and answers them when the test opens it."""

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self._came: asyncio.Queue[None] = asyncio.Queue()
        self._left: asyncio.Queue[None] = asyncio.Queue()

    async def unary(self, request: StringValue, context: Any) -> StringValue:
        """Work until the gate opens."""
        await self._pass()
        return request

    async def waiting(self, request: StringValue, context: Any) -> StringValue:
        """Wait without a slot until the gate opens."""
        with slot_released():
            await self._pass()
        return request

    async def waiting_stream(
        self, request: StringValue, context: Any
    ) -> AsyncIterator[StringValue]:
        """Send one message, then wait without a slot until the gate opens."""
        yield request
        with slot_released():
            await self._pass()
        yield request

    def open(self) -> None:
        """Answer all calls."""
        self._opened.set()

    async def came(self, number: int) -> None:
        """Return once this many more calls have begun."""
        for _ in range(number):
            await self._came.get()

    async def left(self, number: int) -> None:
        """Return once this many more calls have ended."""
        for _ in range(number):
            await self._left.get()

    async def _pass(self) -> None:
        self._came.put_nowait(None)
        try:
            await self._opened.wait()
        finally:
            self._left.put_nowait(None)


async def test_calls_above_the_limit_are_refused_with_pushback() -> None:
    """A refused caller learns when to come back."""
    gate = Gate()
    async with echo_server(unary=gate.unary, settings={"max_concurrent": 2}) as echo:
        inside = [asyncio.ensure_future(echo.unary()) for _ in range(2)]
        await gate.came(2)

        refused = await refusal(echo.unary())
        assert echo.server.admission.admitted["TRADEPOST_MAX_CONCURRENT"] == 2
        gate.open()
        await asyncio.gather(*inside)

        assert (refused.code, refused.reason) == (Code.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refused.facts == {"limit": "2", "setting": "TRADEPOST_MAX_CONCURRENT"}
        assert refused.retry_delay_s == 0.1
        assert refused.trailers["grpc-retry-pushback-ms"] == "100"
        assert (await echo.unary("again")).value == "again"
        assert echo.server.admission.working == 0
        shed = {name: number for name, number in echo.server.admission.shed.items() if number}
        assert shed == {"TRADEPOST_MAX_CONCURRENT": 1}


async def test_pushback_depends_on_how_fast_slots_become_free() -> None:
    """After five answers in the last second, each refused caller has to wait longer."""
    gate, clock = Gate(), ManualClock()
    async with echo_server(unary=gate.unary, settings={"max_concurrent": 1}, clock=clock) as echo:
        inside = asyncio.ensure_future(echo.unary())
        await gate.came(1)
        first = await refusal(echo.unary())
        for _ in range(5):
            echo.server.admission.free()
            echo.server.admission.working += 1
        await clock.advance(1.0)

        delays_s = [(await refusal(echo.unary())).retry_delay_s for _ in range(3)]
        later = await refusal(echo.unary())
        gate.open()
        await inside

    assert first.retry_delay_s == 0.1
    assert delays_s == [0.2, 0.4, 0.6]
    assert later.trailers["grpc-retry-pushback-ms"] == "800"


async def test_a_slot_is_released_however_a_call_ends() -> None:
    """Answers, errors, cancellations and abandoned streams all free their slot."""
    gate = Gate()

    async def failing(request: StringValue, context: Any) -> None:
        raise ValueError("a bug")

    async with echo_server(
        unary=gate.unary, second=failing, unary_stream=gate.waiting_stream
    ) as echo:
        await refusal(echo.unary(method="Second"))
        cancelled = echo.unary()
        streaming = echo.unary_stream("a")
        await streaming.read()
        await gate.came(2)
        cancelled.cancel()
        streaming.cancel()

        await gate.left(2)

        assert (echo.server.admission.working, echo.server.admission.waiting) == (0, 0)


async def test_health_is_answered_by_a_server_that_is_full() -> None:
    """Otherwise an overloaded instance would look dead, and its load would go to the others."""
    gate = Gate()
    async with echo_server(unary=gate.unary, settings={"max_concurrent": 1}) as echo:
        inside = asyncio.ensure_future(echo.unary())
        await gate.came(1)

        health: Any = health_pb2_grpc.HealthStub(echo.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest())
        gate.open()
        await inside

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_compensations_are_refused_last() -> None:
    """A tenth of the slots is kept for compensations, because they release what others wait for."""
    gate = Gate()
    async with echo_server(
        unary=gate.unary,
        compensation_methods=frozenset({path("Second")}),
        settings={"max_concurrent": 10},
    ) as echo:
        inside = [asyncio.ensure_future(echo.unary()) for _ in range(9)]
        await gate.came(9)

        ordinary = await refusal(echo.unary())
        compensation = await echo.unary("release", method="Second")
        gate.open()
        await asyncio.gather(*inside)

    assert ordinary.reason == "OVERLOADED"
    assert compensation.value == "release"


async def test_a_waiting_call_gives_its_slot_to_a_working_one() -> None:
    """Waiting calls take no slots, and are not refused when they go on."""
    gate = Gate()
    async with echo_server(unary=gate.waiting, settings={"max_concurrent": 1}) as echo:
        waiting = [asyncio.ensure_future(echo.unary(str(n))) for n in range(5)]
        await gate.came(5)
        seen = (echo.server.admission.working, echo.server.admission.waiting)
        worked = await echo.unary("work", method="Second")
        gate.open()
        answers = await asyncio.gather(*waiting)

    assert seen == (0, 5)
    assert worked.value == "work"
    assert [answer.value for answer in answers] == ["0", "1", "2", "3", "4"]


async def test_a_waiting_stream_releases_its_slot_between_messages() -> None:
    """A stream that waits for the next event holds no slot."""
    gate = Gate()
    async with echo_server(
        unary_stream=gate.waiting_stream, settings={"max_concurrent": 1}
    ) as echo:
        stream = echo.unary_stream("a")
        await stream.read()
        await gate.came(1)
        worked = await echo.unary("work")
        gate.open()
        last = await stream.read()

    assert (worked.value, last.value) == ("work", "a")


async def test_waiters_have_a_limit_of_their_own_checked_on_admission() -> None:
    """A call of a method that is known to wait is refused before it writes anything."""
    gate = Gate()
    begun: list[str] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        begun.append(request.value)
        return await gate.waiting(request, context)

    async with echo_server(second=unary, settings={"max_waiting": 2}) as echo:
        inside = [asyncio.ensure_future(echo.unary("in", method="Second")) for _ in range(2)]
        await gate.came(2)
        refused = await refusal(echo.unary("late", method="Second"))
        gate.open()
        await asyncio.gather(*inside)

    assert (refused.reason, refused.facts["setting"]) == ("OVERLOADED", "TRADEPOST_MAX_WAITING")
    assert begun == ["in", "in"]


async def test_a_method_not_known_to_wait_is_bounded_when_it_waits() -> None:
    """A call of any other method is counted when it begins to wait."""
    gate = Gate()
    async with echo_server(unary=gate.waiting, settings={"max_waiting": 1}) as echo:
        inside = asyncio.ensure_future(echo.unary())
        await gate.came(1)
        refused = await refusal(echo.unary())
        gate.open()
        await inside
        counts = (echo.server.admission.working, echo.server.admission.waiting)

    assert refused.reason == "OVERLOADED"
    assert counts == (0, 0)


async def test_waiting_inside_waiting_is_counted_once() -> None:
    """Two nested waits of one call count as one waiter and one free slot."""
    counts: list[tuple[int, int]] = []
    server: list[Admission] = []

    async def unary(request: StringValue, context: Any) -> StringValue:
        with slot_released():
            with slot_released():
                counts.append((server[0].working, server[0].waiting))
            counts.append((server[0].working, server[0].waiting))
        counts.append((server[0].working, server[0].waiting))
        return request

    async with echo_server(unary=unary) as echo:
        server.append(echo.server.admission)
        await echo.unary()

    assert counts == [(0, 1), (0, 1), (1, 1)]
    assert (server[0].working, server[0].waiting) == (0, 0)


async def test_a_wait_that_outlives_its_call_takes_no_slot() -> None:
    """A task that a handler left behind is not counted after the call has been answered."""
    left: list[asyncio.Task[None]] = []
    go_on = asyncio.Event()

    async def waits() -> None:
        with slot_released():
            await go_on.wait()

    async def unary(request: StringValue, context: Any) -> StringValue:
        left.append(asyncio.create_task(waits()))
        await asyncio.sleep(0)
        return request

    async with echo_server(unary=unary) as echo:
        await echo.unary()
        go_on.set()
        await left[0]

        assert (echo.server.admission.working, echo.server.admission.waiting) == (0, 0)


@pytest.mark.parametrize(("limit", "ordinary"), [(1, 1), (9, 9), (10, 9), (256, 231)])
def test_a_tenth_of_the_slots_is_kept_for_compensations(limit: int, ordinary: int) -> None:
    """The tenth is rounded down, so that a small limit still admits ordinary calls."""
    gates = Admission(
        clock=ManualClock(),
        limit=limit,
        max_waiting=1,
        max_watching=1,
        max_subscribers=1,
        compensation_methods={"/a.B/Release"},
    )

    assert gates.ordinary_limit == ordinary

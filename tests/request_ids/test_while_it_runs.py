"""A request that is repeated while the first call still runs joins it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.support.payment.scripted_processor import MemoryProcessor
from tests.support.request_ids.answers import ask
from tests.support.request_ids.scenarios import SCENARIOS, Scenario, stock
from tests.support.suite.suite_in_process import TIMEOUT_S, Suite, running_suite

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Where an order's mutation stands still: a call to another service that it has to make.
STEPS = {
    "OrderService/CreateOrder": "/ReserveStock",
    "OrderService/CancelOrder": "/ReleaseReservation",
    "OrderService/FulfillOrder": "/FulfillReservation",
}
# What is pending for a while; the others are done within one transaction.
PENDING = [each for each in SCENARIOS if each.method in STEPS or "Payment" in each.method]


@dataclass
class Barrier(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Calls of one method wait in front of it while it is down."""

    method: str = ""
    came: asyncio.Event = field(default_factory=asyncio.Event)
    up: asyncio.Event = field(default_factory=asyncio.Event)

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        """Let the call through, sooner or later."""
        if self.method and bytes(client_call_details.method).decode().endswith(self.method):
            self.came.set()
            await self.up.wait()
        return await continuation(client_call_details, request)


@dataclass(frozen=True)
class Stage:
    """Two instances of each service, and what makes them stand still."""

    first: Suite
    second: Suite
    barrier: Barrier
    processor: MemoryProcessor

    @asynccontextmanager
    async def standing_still(self, method: str) -> AsyncIterator[Awaitable[object]]:
        """A mutation that comes in this block goes on after it; answers what waits for it."""
        gate = self.barrier.up if method in STEPS else self.processor.gate
        self.barrier.method = STEPS.get(method, "")
        self.barrier.came.clear()
        gate.clear()
        try:
            if method in STEPS:
                yield self.barrier.came.wait()
            else:
                yield self.processor.asked(len(self.processor.calls) + 1)
        finally:
            gate.set()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Everything moves."""
    folder, barrier, processor = tmp_path_factory.mktemp("stage"), Barrier(), MemoryProcessor()
    async with (
        running_suite(folder, seed=1, processor=processor, interceptors=[barrier]) as first,
        running_suite(folder, seed=2, processor=processor, interceptors=[barrier]) as second,
    ):
        await stock(first)
        yield Stage(first, second, barrier, processor)


async def waiting(suite: Suite, service: str) -> None:
    """Return when a call has arrived and waits."""
    admission = suite.servers[service].admission
    while not admission.waiting:  # noqa: ASYNC110 - the server has no event to wait for
        await asyncio.sleep(0)


@pytest.mark.parametrize("scenario", PENDING, ids=[scenario.method for scenario in PENDING])
async def test_a_replay_joins_the_call_that_still_runs(stage: Stage, scenario: Scenario) -> None:
    """On the other instance: both are answered when it is over, alike, and it happened once."""
    service = stage.first.rpc(scenario.method).service
    fields = await scenario.request(stage.first)
    position, requests = stage.first.positions()[service]

    async with asyncio.timeout(TIMEOUT_S), stage.standing_still(scenario.method) as stopped:
        running = asyncio.ensure_future(ask(stage.first, scenario, fields))
        await stopped
        replay = asyncio.ensure_future(ask(stage.second, scenario, fields))
        await waiting(stage.second, service)
        assert not running.done()
        assert not replay.done()
    answers = await asyncio.gather(running, replay)

    assert [answer.replayed for answer in answers] == [False, True]
    assert answers[0].response == answers[1].response
    assert stage.first.positions()[service] == (position + scenario.events, requests + 1)
